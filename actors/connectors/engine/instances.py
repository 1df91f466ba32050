"""The implementations of one connector: made once for each version, closed when nobody is at work on them.

What a tenant states for a connector: where its relay is, and with which password.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

import structlog

from actors.connectors.contract import Connector, Permanent, Settings
from actors.connectors.outbound.boundary import EgressPolicy
from actors.errors import InvalidArgument, Unavailable
from actors.profiles import ConnectorSettings, Profiles, unfreeze
from actors.runtime.futures import ReplyFuture, resolve
from actors.schema.schema import Schema

log = structlog.get_logger()

CLOSE_SECONDS: Final = 5.0
"""Longest that `close()` of a connector may take."""

Make = Callable[[EgressPolicy], Connector]
"""A version's class."""


class Instance:
    """One of them, and how many calls are at work on it."""

    def __init__(self, connector: Connector) -> None:
        self.connector = connector
        self.running_calls = 0
        self.is_retired = False


class InstancePool:
    """For one actor, on its loop. What serves is the newest; older ones end what they have begun."""

    def __init__(self, name: str, egress: EgressPolicy) -> None:
        self._name = name
        self._egress = egress
        self._instances: dict[Make, Instance] = {}
        self._closing: set[asyncio.Task[None]] = set()
        self._waiting: list[ReplyFuture] = []

    @contextmanager
    def borrow(self, make: Make) -> Iterator[Connector]:
        """The implementation that `make` makes, for one call; whatever making it raises."""
        found = self._instances.get(make)
        if found is None:
            found = self._instances[make] = Instance(make(self._egress))
        found.running_calls += 1
        try:
            yield found.connector
        finally:
            found.running_calls -= 1
            if found.is_retired and not found.running_calls:
                self._close(make)

    def retire(self, served: Make | None) -> None:
        """Only this one is served; others are closed, each as soon as nobody is at work on it."""
        for make, each in list(self._instances.items()):
            each.is_retired = make is not served
            if each.is_retired and not each.running_calls:
                self._close(make)

    def wait_closed(self, answer: ReplyFuture) -> None:
        """Answer once every retired one is closed."""
        self._waiting.append(answer)
        self._check_closed()

    async def close(self) -> None:
        """All of them, whoever is at work."""
        for make in list(self._instances):
            self._close(make)
        if self._closing:
            await asyncio.wait(self._closing)

    def _close(self, make: Make) -> None:
        task = asyncio.get_running_loop().create_task(self._closed(self._instances.pop(make)))
        self._closing.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._closing.discard(task)
        self._check_closed()

    def _check_closed(self) -> None:
        if self._closing or any(each.is_retired for each in self._instances.values()):
            return
        for answer in self._waiting:
            resolve(answer, True)
        self._waiting.clear()

    async def _closed(self, implementation: Instance) -> None:
        try:
            async with asyncio.timeout(CLOSE_SECONDS):
                await implementation.connector.close()
        except (Exception, SystemExit) as error:
            log.error("a connector could not be closed", connector=self._name, exc_info=error)


def tenant_settings(profiles: Profiles, tenant_id: str, connector: str) -> ConnectorSettings:
    """The newest, secrets included; revision 0 where the tenant has stated nothing. Unavailable."""
    stated = profiles.of(tenant_id).connectors.get(connector)
    if stated is None:
        return ConnectorSettings(connector, 0)
    if stated.problem is not None:
        raise Unavailable(f"the settings of {connector} cannot be read: {stated.problem}")
    return stated


def parse_settings(settings: Mapping[str, Any], schema: Schema) -> Settings:
    """As the connector's code gets them; Permanent, naming fields and no value, where they do not fit."""
    try:
        return schema.parse(unfreeze(settings))
    except InvalidArgument as problem:
        raise Permanent(f"{problem}: owners see to that with connectors.configure") from None
