"""A trial: a real server of an index, with one tenant, for the tests of authors of functions.

with Trial(Path("registry.toml"), tmp_path) as trial:
assert trial.call("contacts.add", {"name": "Ada"}) == {"id": 1}
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import structlog

from actors.assembly.system import System
from actors.log.events import log_to_standard_error
from actors.settings import Settings
from transport.client import Client
from transport.message import Reply

TENANT = "trial"


class Trial:
    """A server in a directory of its own, which runs inside `with`."""

    def __init__(
        self,
        index: Path,
        directory: Path,
        environment: str = "local-dev",
        role: str = "admin owner",
    ) -> None:
        """`role` is the caller's: member, owner or admin owner; the caller has every area."""
        self._settings = Settings(
            data=directory / "data",
            registry=index,
            environment=environment,
            endpoint="tcp://127.0.0.1:*",
            memory_bytes=0,
            token_rate=0,
            tenant_rate=0,
        )
        self._role = role

    def __enter__(self) -> Self:
        if (
            not structlog.is_configured()
        ):  # the default shows whole frames, with the caller's token in them
            log_to_standard_error().hide(self._settings.log_hide)
        self.system = System(self._settings)
        """The server, to be asked from inside: `system.local.ask(action, tenant, **params)`."""
        self.system.start()
        try:
            self.system.local.create_tenant(TENANT)
            token = self.system.local.issue_token(TENANT, self._role, "trial").text
            self._client = Client(self.system.endpoint, tenant=TENANT, token=token)
        except BaseException:
            self.system.stop()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._client.close()
        self.system.stop()

    def call(self, action: str, params: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Return the result of one call; raises its refusal (transport.errors)."""
        return dict(self._client.call(action, params))

    def request(self, action: str, params: Mapping[str, Any] | None = None) -> Reply:
        """Return the whole reply, which may be a refusal."""
        return self._client.request(action, params)
