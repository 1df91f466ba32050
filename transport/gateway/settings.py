"""Every setting of the gateway, with its unit and default: from the environment, or a flag."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Self

from pydantic import AfterValidator, Field, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, CliApp, SettingsConfigDict
from pydantic_settings import SettingsError as Unparsable

from transport.bind import is_loopback
from transport.curve import InvalidKeys, read_pair, read_public
from transport.gateway.proxies import networks_of
from transport.gateway.server_link import Keys

PREFIX = "TENANTRY_GATEWAY_"

AbsolutePath = Annotated[Path, AfterValidator(Path.absolute)]


class InvalidSettings(ValueError):
    """A setting is missing, wrong, or does not go with another; the message names it."""


class GatewaySettings(BaseSettings):
    """TENANTRY_GATEWAY_<NAME> in the environment, or --<name> on the command line, which wins."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        extra="forbid",
        frozen=True,
        cli_prog_name="scripts/gateway",
        cli_kebab_case=True,
        cli_implicit_flags=True,
        cli_hide_none_type=True,
        use_attribute_docstrings=True,
        validate_default=True,
    )

    host: str = "127.0.0.1"
    """Address to listen at: numeric. Beyond loopback only with TLS, or with `plain`."""
    port: int = Field(default=8080, ge=0, le=65535)
    """Port to listen at; 0 takes a free one, which the line `ready` names."""
    server: str = "tcp://127.0.0.1:5570"
    """The server's data channel."""
    server_key: AbsolutePath | None = None
    """The server's public CURVE key (*.key); turns encryption on."""
    curve_keys: AbsolutePath | None = None
    """The gateway's own CURVE key pair (*.key_secret); without it a pair is made at each start."""
    tls_certificate: AbsolutePath | None = None
    """Certificate chain (PEM) for HTTPS; without it the gateway speaks HTTP."""
    tls_key: AbsolutePath | None = None
    """Private key (PEM) of the certificate."""
    plain: bool = False
    """Whether to listen beyond loopback without TLS: only behind a proxy that has it."""
    trusted_proxies: list[str] = []
    """Addresses and networks of proxies whose X-Forwarded-For is believed."""
    until_eof: bool = False
    """Stop when standard input ends: with the program that started the gateway, however that ends."""
    origins: list[str] = []
    """Origins whose pages may call every tenant, such as http://localhost:3000, besides each tenant's own."""
    address_rate: float = Field(default=50.0, ge=0)
    """Requests a second of one address without a valid token, four seconds' worth at once; 0 for any."""
    connections: int = Field(default=10_000, ge=1)
    """Connections that speak HTTP, WebSockets not counted."""
    connections_of_address: int = Field(default=1_000, ge=1)
    """Such connections of one address: of a client, or of a proxy."""
    sockets: int = Field(default=10_000, ge=1)
    """WebSockets that may be open."""
    sockets_of_address: int = Field(default=200, ge=1)
    """WebSockets that one address may have open."""
    metrics_networks: list[str] = ["127.0.0.0/8", "::1/128"]
    """Addresses and networks that may read /metrics, without a proxy in between."""
    body_bytes: int = Field(default=255 * 1024, ge=1024, le=16 * 1024 * 1024 - 1024)
    """Largest body, in bytes: 1 KiB less than the server's, which also holds the envelope."""

    @field_validator("trusted_proxies", "metrics_networks")
    @classmethod
    def _check_networks(cls, value: list[str]) -> list[str]:
        networks_of(value)
        return value

    @model_validator(mode="after")
    def _check_listening(self) -> Self:
        if (self.tls_certificate is None) != (self.tls_key is None):
            raise ValueError("tls_certificate and tls_key go together")
        if not (is_loopback(self.host) or self.tls_certificate or self.plain):
            raise ValueError(
                f"refusing to listen at {self.host} without TLS: tokens would cross the network unencrypted. "
                "Give --tls-certificate and --tls-key, or --plain behind a proxy that has TLS"
            )
        return self

    def keys(self) -> Keys:
        """Read the CURVE keys; InvalidSettings."""
        if self.server_key is None:
            if self.curve_keys is not None:
                raise InvalidSettings("curve_keys needs server_key, the server's public key")
            return Keys()
        try:
            own = read_pair(self.curve_keys) if self.curve_keys else None
            return Keys(read_public(self.server_key), own)
        except InvalidKeys as error:
            raise InvalidSettings(str(error)) from None


def read_settings(arguments: list[str]) -> GatewaySettings:
    """Return the settings; exits on --help and unknown flags. InvalidSettings."""
    try:
        return CliApp.run(GatewaySettings, cli_args=arguments)
    except ValidationError as error:
        raise InvalidSettings(
            "; ".join(_words(one["loc"], one["msg"]) for one in error.errors())
        ) from None
    except Unparsable as error:
        raise InvalidSettings(f"{error}: in the environment a list is JSON") from None


def _words(place: tuple[int | str, ...], text: str) -> str:
    if not place:
        return text.removeprefix("Value error, ")
    name = str(place[0])
    return f"{PREFIX}{name.upper()} (--{name.replace('_', '-')}): {text}"
