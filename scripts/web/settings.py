"""Every setting of the dashboard, with its unit and default: from the environment, or a flag."""

from __future__ import annotations

import os

from pydantic import Field, field_validator
from pydantic_settings import SettingsConfigDict

from actors.host.program import command
from scripts.cli.target import ServerTarget, data_directory
from transport.gateway.process.settings import ListeningSettings, read
from transport.gateway.proxies import networks_of
from transport.socket_file import absolute_endpoint


class DashboardSettings(ListeningSettings):
    """TENANTRY_DASHBOARD_<NAME> in the environment, or --<name> on the command line, which wins."""

    model_config = SettingsConfigDict(
        env_prefix="TENANTRY_DASHBOARD_",
        extra="forbid",
        frozen=True,
        cli_prog_name=command("dashboard"),
        cli_kebab_case=True,
        cli_implicit_flags=True,
        cli_hide_none_type=True,
        use_attribute_docstrings=True,
        validate_default=True,
    )

    port: int = Field(default=8090, ge=0, le=65535)
    """Port to listen at; 0 takes a free one, which the line `ready` names."""
    server: str | None = None
    """The server's admin channel: by default TENANTRY_ADMIN_ENDPOINT, or admin.sock in TENANTRY_DATA."""
    trusted_proxies: list[str] = Field(default=[])
    """Addresses and networks of proxies whose X-Forwarded-For is believed."""
    login_rate: float = Field(default=1.0, ge=0)
    """Logins a second of one address whose token is not valid, four seconds' worth at once; 0 for any."""
    idle_minutes: float = Field(default=60.0, gt=0)
    """Minutes without a request after which a session ends."""
    session_hours: float = Field(default=12.0, gt=0)
    """Hours after which every session ends."""
    sessions: int = Field(default=200, ge=1, le=500)
    """Sessions that may be open."""

    @field_validator("trusted_proxies")
    @classmethod
    def _check_networks(cls, value: list[str]) -> list[str]:
        networks_of(value)
        return value

    @property
    def is_secure(self) -> bool:
        """Whether browsers reach it over HTTPS, its own or a proxy's."""
        return self.tls_certificate is not None or self.plain

    def target(self) -> ServerTarget:
        """Return the admin channel, without a token: each session has its own."""
        endpoint = self.server or os.environ.get("TENANTRY_ADMIN_ENDPOINT")
        return ServerTarget(
            absolute_endpoint(endpoint or f"ipc://{data_directory()}/admin.sock"), None, ""
        )


def read_settings(arguments: list[str]) -> DashboardSettings:
    """Return the settings; exits on --help and unknown flags. InvalidSettings."""
    return read(DashboardSettings, arguments)
