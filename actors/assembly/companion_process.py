"""Processes beside the server, for development: a gateway, a dashboard; each ends with the server.

docs/http.md and docs/dashboard.md say how to run either by itself.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from types import TracebackType
from typing import Final, NamedTuple, Self

from actors.errors import SettingsError
from actors.settings import PREFIX, Settings

END_SECONDS: Final = 15.0
"""Seconds that one has to end: longer than it gives to requests under way."""


class Program(NamedTuple):
    """What runs in such a process."""

    module: str
    name: str
    """What it serves, as people read it."""
    setting: str
    """The setting of the server that names its port."""
    script: str
    variables: str
    """Begins the names of its own settings, which are those of another start, and which it does not take."""


GATEWAY: Final = Program("transport.gateway", "HTTP", "http", "scripts/gateway", "GATEWAY_")

DASHBOARD: Final = Program(
    "scripts.web", "dashboard", "dashboard", "scripts/dashboard", "DASHBOARD_"
)


class CompanionProcess:
    """Starts a program inside its `with`, if the settings name a port for it, and ends it."""

    def __init__(self, program: Program, settings: Settings, endpoint: str) -> None:
        """`endpoint` is what it connects to. SettingsError if it could not."""
        self._program = program
        self._port: int | None = getattr(settings, program.setting)
        self._arguments = ["--server", endpoint, "--port", str(self._port), "--until-eof"]
        if program is GATEWAY:
            self._arguments += ["--origins", json.dumps(settings.http_origins)]
        # The admin channel's socket file is for the server's user alone, and not encrypted.
        is_file = program is DASHBOARD and endpoint.startswith("ipc://")
        if settings.curve_keys is not None and not is_file:
            self._arguments += ["--server-key", str(settings.curve_keys)]
            if self._port is not None and settings.curve_clients is not None:
                raise SettingsError(
                    f"{self._flag} starts a process with a key that TENANTRY_CURVE_CLIENTS "
                    f"(--curve-clients) does not admit: start {program.script} with --curve-keys instead"
                )
        self._process: subprocess.Popen[str] | None = None
        self.address: str | None = None
        """Where it listens, such as http://127.0.0.1:8080; None if no port is named."""

    @property
    def _flag(self) -> str:
        name = self._program.setting
        return f"{PREFIX}{name.upper()} (--{name})"

    def __enter__(self) -> Self:
        """Wait until it listens; SettingsError if it ends instead, after it has said why."""
        if self._port is not None:
            self._process = self._start()
            assert self._process.stdout is not None
            ready = self._process.stdout.readline()
            if not ready.startswith("ready "):
                self._end(self._process)
                raise SettingsError(
                    f"no {self._program.name} at port {self._port}, as it says above; "
                    f"{self._flag} takes another"
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
        others = f"{PREFIX}{self._program.variables}"
        environment = {name: value for name, value in os.environ.items() if others not in name}
        return subprocess.Popen(  # noqa: S603 - our own program
            [sys.executable, "-m", self._program.module, *self._arguments],
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
