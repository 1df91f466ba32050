"""Instances of one connector: one for each version, closed when no call uses it.

Also a tenant's settings for a connector, such as its relay and its password.
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
"""Longest time for `close()` of a connector."""

Make = Callable[[EgressPolicy], Connector]
"""The class of a version."""


class Instance:
    """An instance, and the number of calls that use it."""

    def __init__(self, connector: Connector) -> None:
        self.connector = connector
        self.running_calls = 0
        self.is_retired = False


class InstancePool:
    """The instances of one actor, on its loop. The newest serves; older ones complete their running calls."""

    def __init__(self, name: str, egress: EgressPolicy, stand_in: Make | None = None) -> None:
        """`stand_in` is made instead of the class of each version."""
        self._name = name
        self._egress = egress
        self._stand_in = stand_in
        self._instances: dict[Make, Instance] = {}
        self._closing: set[asyncio.Task[None]] = set()
        self._waiting: list[ReplyFuture] = []

    @contextmanager
    def borrow(self, make: Make) -> Iterator[Connector]:
        """Lend the instance of `make` to one call. Raises what `make` raises."""
        make = self._stand_in or make
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
        """Close every instance but this one, each as soon as no call uses it."""
        served = served and (self._stand_in or served)
        for make, each in list(self._instances.items()):
            each.is_retired = make is not served
            if each.is_retired and not each.running_calls:
                self._close(make)

    def wait_closed(self, answer: ReplyFuture) -> None:
        """Resolve the answer once every retired instance is closed."""
        self._waiting.append(answer)
        self._check_closed()

    async def close(self) -> None:
        """Close all instances, also those in use."""
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
    """Return the tenant's newest settings, secrets included; revision 0 if it has none. Unavailable."""
    stated = profiles.of(tenant_id).connectors.get(connector)
    if stated is None:
        return ConnectorSettings(connector, 0)
    if stated.problem is not None:
        raise Unavailable(f"the settings of {connector} cannot be read: {stated.problem}")
    return stated


def parse_settings(settings: Mapping[str, Any], schema: Schema) -> Settings:
    """Return the settings as attributes. Permanent if they do not fit; it names fields, and no values."""
    try:
        return schema.parse(unfreeze(settings))
    except InvalidArgument as problem:
        raise Permanent(f"{problem}: owners see to that with connectors.configure") from None
