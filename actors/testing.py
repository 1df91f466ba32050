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
from actors.errors import SettingsError
from actors.host.files import private_directory
from actors.index.entries import REVERTED, UNDER_DEV
from actors.log.events import log_to_standard_error
from actors.registry.version_edit import with_version
from actors.registry.version_states import states_of
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
        versions: Mapping[str, int] | None = None,
    ) -> None:
        """`role` is the caller's: member, owner or admin owner; the caller has every area.

        `versions` has for some actions the version that is served, whatever its state; else it is the newest.
        SettingsError if the index does not have it.
        """
        self._settings = Settings(
            data=directory / "data",
            registry=index,
            states="data" if versions else "index",
            environment=environment,
            endpoint="tcp://127.0.0.1:*",
            memory_bytes=0,
            token_rate=0,
            tenant_rate=0,
        )
        self._role = role
        if versions:
            _serve(versions, self._settings)

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


def _serve(versions: Mapping[str, int], settings: Settings) -> None:
    """Write down states, as the environment's own, by which these versions are the newest that are served."""
    private_directory(settings.data)
    states = states_of(settings)
    index = states.read()
    served = index.environment(settings.environment).serves
    for name, number in versions.items():
        action = index.actions.get(name)
        version = action and action.version(number)
        if action is None or version is None:
            raise SettingsError(f"{index.path} has no version {number} of {name}")
        if version.state not in served:
            index = with_version(index, "actions", name, version._replace(state=UNDER_DEV))
        for each in action.versions:
            if each.number > number:
                index = with_version(index, "actions", name, each._replace(state=REVERTED))
    states.keep(index, index.digest)
