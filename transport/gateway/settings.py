"""Every setting of the gateway, with its unit and default: from the environment, or a flag."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Final

from pydantic import AfterValidator, Field, field_validator
from pydantic_settings import SettingsConfigDict

from transport.gateway.process.settings import InvalidSettings, ListeningSettings, read
from transport.gateway.proxies import networks_of
from transport.socket_file import absolute_endpoint

__all__ = ["GatewaySettings", "InvalidSettings", "read_settings"]

_IS_CHECKOUT: Final = (Path(__file__).parents[2] / "scripts" / "environment").is_file()

PROGRAM: Final = "scripts/gateway" if _IS_CHECKOUT else "tenantry gateway"
"""The command, as it is typed."""

_ORIGIN: Final = re.compile(r"https?://([a-z0-9._-]+|\[[0-9a-f:.]+\])(:[0-9]{1,5})?")
"""An origin as browsers send it: in lower case, without a path."""


class GatewaySettings(ListeningSettings):
    """TENANTRY_GATEWAY_<NAME> in the environment, or --<name> on the command line, which wins."""

    model_config = SettingsConfigDict(
        env_prefix="TENANTRY_GATEWAY_",
        extra="forbid",
        frozen=True,
        cli_prog_name=PROGRAM,
        cli_kebab_case=True,
        cli_implicit_flags=True,
        cli_hide_none_type=True,
        use_attribute_docstrings=True,
        validate_default=True,
    )

    server: Annotated[str, AfterValidator(absolute_endpoint)] = "tcp://127.0.0.1:5570"
    """The server's data channel."""
    trusted_proxies: list[str] = Field(default=[])
    """Addresses and networks of proxies whose X-Forwarded-For is believed."""
    origins: list[str] = Field(default=[])
    """Origins whose pages may call every tenant, such as http://localhost:3000, besides each tenant's own."""
    address_rate: float = Field(default=50.0, ge=0)
    """Requests a second of one address without a valid token, four seconds' worth at once; 0 for any."""
    sockets: int = Field(default=10_000, ge=1)
    """WebSockets that may be open."""
    sockets_of_address: int = Field(default=200, ge=1)
    """WebSockets that one address may have open."""
    metrics_networks: list[str] = Field(default=["127.0.0.0/8", "::1/128"])
    """Addresses and networks that may read /metrics, without a proxy in between."""
    body_bytes: int = Field(default=255 * 1024, ge=1024, le=16 * 1024 * 1024 - 1024)
    """Largest body, in bytes: 1 KiB less than the server's, which also holds the envelope."""

    @field_validator("trusted_proxies", "metrics_networks")
    @classmethod
    def _check_networks(cls, value: list[str]) -> list[str]:
        networks_of(value)
        return value

    @field_validator("origins")
    @classmethod
    def _check_origins(cls, value: list[str]) -> list[str]:
        for each in value:
            if _ORIGIN.fullmatch(each) is None:
                raise ValueError(
                    f"{each!r} is no origin: write scheme and host as a browser sends them, "
                    "such as https://desk.example or http://localhost:3000, without a path"
                )
        return value


def read_settings(arguments: list[str]) -> GatewaySettings:
    """Return the settings; exits on --help and unknown flags. InvalidSettings."""
    return read(GatewaySettings, arguments)
