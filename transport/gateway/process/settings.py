"""What every process that serves HTTP is told: where it listens, with which certificate, to which server."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Self, TypeVar

from pydantic import AfterValidator, Field, ValidationError, model_validator
from pydantic_settings import BaseSettings, CliApp, SettingsConfigDict
from pydantic_settings import SettingsError as Unparsable

from transport.bind import is_loopback
from transport.curve import ClientKeys, InvalidKeys, read_pair, read_public

AbsolutePath = Annotated[Path, AfterValidator(Path.absolute)]

EXIT_CONFIGURATION = 78
"""sysexits.h EX_CONFIG: another start will fail, too."""


class InvalidSettings(ValueError):
    """A setting is missing, wrong, or does not go with another; the message names it."""


class ListeningSettings(BaseSettings):
    """Base of the settings of such a process; a subclass names its own prefix and program."""

    model_config = SettingsConfigDict(use_attribute_docstrings=True)

    host: str = "127.0.0.1"
    """Address to listen at: numeric. Beyond loopback only with TLS, or with `plain`."""
    port: int = Field(default=8080, ge=0, le=65535)
    """Port to listen at; 0 takes a free one, which the line `ready` names."""
    server_key: AbsolutePath | None = None
    """The server's public CURVE key (*.key); turns encryption on."""
    curve_keys: AbsolutePath | None = None
    """Its own CURVE key pair (*.key_secret); without it a pair is made at each start."""
    tls_certificate: AbsolutePath | None = None
    """Certificate chain (PEM) for HTTPS; without it HTTP is spoken."""
    tls_key: AbsolutePath | None = None
    """Private key (PEM) of the certificate."""
    plain: bool = False
    """Whether to listen beyond loopback without TLS: only behind a proxy that has it."""
    until_eof: bool = False
    """Stop when standard input ends: with the program that started it, however that ends."""
    connections: int = Field(default=10_000, ge=1)
    """Connections that speak HTTP, WebSockets not counted."""
    connections_of_address: int = Field(default=1_000, ge=1)
    """Such connections of one address: of a client, or of a proxy."""

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

    def keys(self) -> ClientKeys:
        """Read the CURVE keys; InvalidSettings."""
        if self.server_key is None:
            if self.curve_keys is not None:
                raise InvalidSettings("curve_keys needs server_key, the server's public key")
            return ClientKeys()
        try:
            own = read_pair(self.curve_keys) if self.curve_keys else None
            return ClientKeys(read_public(self.server_key), own)
        except InvalidKeys as error:
            raise InvalidSettings(str(error)) from None


Kind = TypeVar("Kind", bound=ListeningSettings)


def read(kind: type[Kind], arguments: list[str]) -> Kind:
    """Return the settings; exits on --help and unknown flags. InvalidSettings."""
    prefix = str(kind.model_config.get("env_prefix", ""))
    try:
        return CliApp.run(kind, cli_args=arguments)
    except ValidationError as error:
        words = (_words(prefix, one["loc"], one["msg"]) for one in error.errors())
        raise InvalidSettings("; ".join(words)) from None
    except Unparsable as error:
        raise InvalidSettings(f"{error}: in the environment a list is JSON") from None


def _words(prefix: str, place: tuple[int | str, ...], text: str) -> str:
    if not place:
        return text.removeprefix("Value error, ")
    name = str(place[0])
    return f"{prefix}{name.upper()} (--{name.replace('_', '-')}): {text}"
