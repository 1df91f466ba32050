"""A trial: a real server of an index, for the tests of authors of functions.

with Trial(Path("registry.toml"), tmp_path) as trial:
assert trial.call("contacts.add", {"name": "Ada"}) == {"id": 1}
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import structlog

from actors.assembly.system import System
from actors.connectors.actor import ConnectorPolicy
from actors.connectors.contract import Delivery, Outer
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

Answer = Callable[[str, Mapping[str, Any]], Mapping[str, Any]]
"""What a service answers: takes the operation (`send`, of `mail.send`) and its params, returns the result.

It raises actors.connectors.contract.Transient or Permanent where the service fails.
"""

NO_ANSWERS: Final[Mapping[str, Answer]] = {}


class Caller:
    """A person of one tenant, with a connection and a token of their own."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def call(self, action: str, params: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Return the result of one call; raises its refusal (transport.errors)."""
        return dict(self._client.call(action, params))

    def request(self, action: str, params: Mapping[str, Any] | None = None) -> Reply:
        """Return the whole reply, which may be a refusal."""
        return self._client.request(action, params)

    def close(self) -> None:
        """Leave; the trial does so for all at its end."""
        self._client.close()


class Trial:
    """A server in a directory of its own, which runs inside `with`. Its first tenant is called `trial`."""

    def __init__(
        self,
        index: Path,
        directory: Path,
        environment: str = "local-dev",
        role: str = "admin owner",
        versions: Mapping[str, int] | None = None,
        *,
        now: datetime | None = None,
        answers: Mapping[str, Answer] = NO_ANSWERS,
    ) -> None:
        """`role` is the caller's: member, owner or admin owner; the caller has every area.

        `versions` has for some actions the version that is served, whatever its state; else it is the newest.
        From `now` on, time stands still but for `advance`. `answers` stand in for the services of connectors,
        by their names, which each tenant is subscribed to. SettingsError if the index does not have it.
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
        self._clock = _Clock(now)
        self._answers = answers
        self._callers: list[Caller] = []
        if versions:
            _serve(versions, self._settings)

    def __enter__(self) -> Self:
        if (
            not structlog.is_configured()
        ):  # the default shows whole frames, with the caller's token in them
            log_to_standard_error().hide(self._settings.log_hide)
        stand_ins = {name: partial(StandIn, answer) for name, answer in self._answers.items()}
        policy = ConnectorPolicy(sleep=_no_wait, stand_ins=stand_ins)
        self.system = System(self._settings, self._clock, connector_policy=policy)
        """The server, to be asked from inside: `system.local.ask(action, tenant, **params)`."""
        self.system.start()
        try:
            self._first = self.caller(TENANT, self._role)
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
        for caller in self._callers:
            caller.close()
        self.system.stop()

    def call(self, action: str, params: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Return the result of one call; raises its refusal (transport.errors)."""
        return self._first.call(action, params)

    def request(self, action: str, params: Mapping[str, Any] | None = None) -> Reply:
        """Return the whole reply, which may be a refusal."""
        return self._first.request(action, params)

    def caller(self, tenant: str = TENANT, role: str = "member") -> Caller:
        """Return a further caller, of a tenant that is made if it is not there yet."""
        local = self.system.local
        if local.find_tenant(tenant) is None:
            local.create_tenant(tenant)
            for name in self._answers:
                settings = self._example_settings(name)
                local.ask("subscriptions.set", tenant, connector=name)
                local.ask("connectors.configure", tenant, connector=name, settings=settings)
        token = local.issue_token(tenant, role, "trial").text
        caller = Caller(Client(self.system.endpoint, tenant=tenant, token=token))
        self._callers.append(caller)
        return caller

    def advance(self, by: timedelta) -> None:
        """Move the time of requests, of tokens' ends and of the logs; what is waited for takes as long."""
        self._clock.seconds += by.total_seconds()

    def _example_settings(self, connector: str) -> dict[str, Any]:
        described = self.system.snapshot.current.connectors.get(connector)
        if described is None:
            raise SettingsError(f"{self._settings.registry} has no connector {connector}")
        return described.settings.example()


class StandIn:
    """A connector whose service is a function of the test's; the engine treats it as any other."""

    def __init__(self, answer: Answer, egress: object) -> None:  # noqa: ARG002 - as every connector
        self._answer = answer

    def outer(self, delivery: Delivery, params: Mapping[str, Any], settings: object) -> Outer:  # noqa: ARG002 - the protocol
        """Return the params, as they are asked for."""
        return dict(params)

    async def exchange(self, delivery: Delivery, outer: Outer, settings: object) -> Outer:  # noqa: ARG002 - the protocol
        """Return what the test's function answers."""
        return self._answer(delivery.operation, outer)

    def inner(self, delivery: Delivery, response: Outer) -> dict[str, Any]:  # noqa: ARG002 - the protocol
        """Return the answer, which has to be as the index describes it."""
        return dict(response)

    async def close(self) -> None:
        """Do nothing: nothing is open."""


class _Clock:
    """Seconds since the epoch: those of the machine, or those of a time that stands still."""

    def __init__(self, now: datetime | None) -> None:
        self.seconds = 0.0 if now is None else now.timestamp()
        self._is_still = now is not None

    def __call__(self) -> float:
        return self.seconds if self._is_still else time.time() + self.seconds


async def _no_wait(seconds: float) -> None:  # noqa: ARG001 - in place of asyncio.sleep
    await asyncio.sleep(0)


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
