"""A gateway beside the server, for development: a process that ends with it (docs/http.md)."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from types import TracebackType
from typing import Final, Self

from actors.errors import SettingsError
from actors.settings import Settings

MODULE: Final = "transport.gateway"

END_SECONDS: Final = 15.0
"""Seconds that it has to end: longer than it gives to requests under way."""


class GatewayProcess:
    """Starts a gateway inside its `with`, if the settings name a port for HTTP, and ends it."""

    def __init__(self, settings: Settings, endpoint: str) -> None:
        """`endpoint` is the server's address. SettingsError if the gateway could not connect to it."""
        self._port = settings.http
        self._arguments = ["--server", endpoint, "--port", str(self._port), "--until-eof"]
        if settings.curve_keys is not None:
            self._arguments += ["--server-key", str(settings.curve_keys)]
        if self._port is not None and settings.curve_clients is not None:
            raise SettingsError(
                "TENANTRY_HTTP (--http) starts a gateway with a key that TENANTRY_CURVE_CLIENTS "
                "(--curve-clients) does not admit: start scripts/gateway with --curve-keys instead"
            )
        self._process: subprocess.Popen[str] | None = None
        self.address: str | None = None
        """Where it listens, such as http://127.0.0.1:8080; None if no port is named."""

    def __enter__(self) -> Self:
        """Wait until it listens; SettingsError if it ends instead, after it has said why."""
        if self._port is not None:
            self._process = self._start()
            assert self._process.stdout is not None
            ready = self._process.stdout.readline()
            if not ready.startswith("ready "):
                self._end(self._process)
                raise SettingsError(
                    f"no HTTP at port {self._port}: TENANTRY_HTTP (--http) takes another"
                )
            self.address = ready.split()[1]
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._process is not None:
            self._end(self._process)

    def _start(self) -> subprocess.Popen[str]:
        """Start it in a session of its own, away from Ctrl-C; it ends when standard input is closed."""
        environment = {
            name: value for name, value in os.environ.items() if "TENANTRY_GATEWAY_" not in name
        }
        return subprocess.Popen(  # noqa: S603 - our own program
            [sys.executable, "-m", MODULE, *self._arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment,
            text=True,
            start_new_session=True,
        )

    def _end(self, process: subprocess.Popen[str]) -> None:
        with contextlib.suppress(OSError, subprocess.TimeoutExpired):
            process.communicate(timeout=END_SECONDS)
        process.kill()
        process.wait()
