"""The actor of one connector: takes CallConnector, works on many at once on its loop, and answers each once.

An operation's answer is sent first and recorded in the journal afterwards. Only the call itself waits for
its outside service; all other calls continue.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Coroutine, Mapping
from types import MappingProxyType
from typing import Any, Final, NamedTuple

import structlog

from actors.connectors.engine.calls import CallQueue, OperationCall
from actors.connectors.engine.instances import InstancePool, Make
from actors.connectors.engine.journal import CallJournal
from actors.connectors.engine.pipeline import CallPipeline
from actors.connectors.engine.retry import ATTEMPT_SECONDS, CircuitBreakers, RetryPolicy, Sleep
from actors.connectors.outbound.boundary import EgressPolicy
from actors.errors import (
    ActionError,
    DeadlineExceeded,
    NotFound,
    NotSubscribed,
    ResourceExhausted,
    Unavailable,
)
from actors.log.redaction import NO_NAMES, normalise_names
from actors.messages import CallConnector, CheckSettings, FindCalls, Quiesce, ReplayCall
from actors.profiles import Profiles, may_use
from actors.registry.snapshot import RoutingSnapshot, select_healthy
from actors.routing.table import RoutingTable
from actors.runtime.actor import Actor
from actors.runtime.futures import resolve, resolve_with_error
from actors.runtime.mailbox import AsyncioMailbox
from actors.settings import Settings as ServerSettings

log = structlog.get_logger()


STOPPING: Final = "the connector is stopping; nothing was sent"

RETRY_STOPPING_MS: Final = 1000


class ConnectorPolicy(NamedTuple):
    """How a connector treats its services; tests may use another one."""

    breakers: Callable[[], CircuitBreakers] = CircuitBreakers
    sleep: Sleep = asyncio.sleep
    """Waits so many seconds between attempts."""
    attempt_seconds: float = ATTEMPT_SECONDS
    hide: frozenset[str] = NO_NAMES
    """Further names of secrets, as actors.log.redaction.normalise_names makes them."""
    egress: EgressPolicy = EgressPolicy()
    """What connectors may reach."""
    stand_ins: Mapping[str, Make] = MappingProxyType({})
    """Classes by names of connectors, which stand in for those of the index; for tests."""


DEFAULT_POLICY: Final = ConnectorPolicy()


def with_settings(policy: ConnectorPolicy, settings: ServerSettings) -> ConnectorPolicy:
    """These policy within the operator's settings; SettingsError names one that is none."""
    egress = EgressPolicy.from_settings(
        settings.outward_networks, plain=settings.outward_plain, ca_file=settings.outward_ca
    )
    return policy._replace(hide=normalise_names(settings.log_hide), egress=egress)


class DrainConnector(NamedTuple):
    """To a connector, before it is stopped: complete running calls and close, then resolve `reply_to`."""

    until: float
    """time.monotonic() in seconds; calls that still run then are cancelled."""
    reply_to: Any


class BackgroundTasks:
    """Work on a loop beside the calls; referenced until it ends, so that it is not collected."""

    def __init__(self, mailbox: AsyncioMailbox) -> None:
        """The mailbox has a loop once an incarnation is attached to it, after that one was made."""
        self._mailbox = mailbox
        self._tasks: set[asyncio.Task[None]] = set()

    def run(self, work: Coroutine[Any, Any, None]) -> None:
        """Begin work."""
        task = self._mailbox.loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def answer(self, reply_to: Any, work: Coroutine[Any, Any, Any]) -> None:
        """Begin work whose result, or error, is the answer to a question."""
        self.run(self._answered(reply_to, work))

    def cancel(self) -> None:
        """Cancel all of it."""
        for task in self._tasks:
            task.cancel()

    async def _answered(self, reply_to: Any, work: Coroutine[Any, Any, Any]) -> None:
        try:
            resolve(reply_to, await work)
        except Exception as error:  # noqa: BLE001 - the caller gets it
            resolve_with_error(reply_to, error)


class ConnectorActor(Actor):
    """One incarnation; its loop and its journal outlive it."""

    mailbox: AsyncioMailbox

    def __init__(
        self,
        mailbox: AsyncioMailbox,
        name: str,
        snapshot: RoutingSnapshot,
        profiles: Profiles,
        journal: CallJournal,
        policy: ConnectorPolicy = DEFAULT_POLICY,
    ) -> None:
        super().__init__(mailbox)
        self._name = name
        self._snapshot = snapshot
        self._profiles = profiles
        self._journal = journal
        self._queue = CallQueue(name)
        self._instances = InstancePool(name, policy.egress, policy.stand_ins.get(name))
        self._breakers = policy.breakers()
        retries = RetryPolicy(self._breakers, policy.sleep, policy.attempt_seconds)
        self._pipeline = CallPipeline(
            name, snapshot, profiles, self._instances, retries, policy.hide
        )
        self._table: RoutingTable | None = None
        self._is_draining = False
        self._running: dict[asyncio.Task[None], OperationCall] = {}
        self._background = BackgroundTasks(mailbox)
        self._add_handlers(
            {
                CallConnector: self._call,
                FindCalls: self._find,
                ReplayCall: self._replay,
                CheckSettings: self._check_settings,
                Quiesce: self._quiesce,
                DrainConnector: lambda message: self._background.run(self._drain(message)),
            }
        )

    # Life

    def snapshot(self) -> dict[str, Any]:
        """Return how many calls run, and of how many services the circuit breaker is open."""
        return {
            "running": len(self._running),
            "open_breakers": self._breakers.count_open(),
            "is_draining": self._is_draining,
        }

    def on_start(self) -> None:
        """Start the journal."""
        self._journal.start()

    def on_stop(self) -> None:
        """End the loop with this turn; Drain was handled before."""
        self.mailbox.stop()

    def on_failure(self, *_: Any) -> None:
        """Cancel every call: its outcome is unknown. Recorded calls are still written."""
        self._cancel_waiting()
        for task in self._running:
            task.cancel()
        self._background.cancel()
        self._background.run(self._instances.close())

    def handle(self, mail: deque[Any]) -> None:
        """Handle mail like every actor; an ended loop is a failure, but no message caused it."""
        error = self.mailbox.take_loop_error()
        if error is not None:
            self.at = len(mail)
            raise error
        super().handle(mail)

    # Calls

    def _call(self, message: CallConnector) -> None:
        self._refresh()
        call = OperationCall(message)
        self._pipeline.describe(call)
        if self._is_draining:
            self._refuse(call, stopping())
            return
        try:
            self._require_subscribed(message)
            self._queue.enqueue(call)
        except (NotSubscribed, ResourceExhausted) as error:
            self._refuse(call, error)
            return
        left = message.deadline - time.monotonic()
        call.timer = self.mailbox.loop.call_later(max(left, 0.0), self._expire, call)
        self._start_next()

    def _require_subscribed(self, message: CallConnector) -> None:
        """Awaited calls were checked before; a message of the outbox may come after the subscription."""
        if not may_use(self._profiles.of(message.tenant.id), self._name, time.time()):
            raise NotSubscribed(
                f"{message.operation} needs a subscription to {self._name}, which the tenant does not have "
                "now; nothing was sent"
            )

    def _start_next(self) -> None:
        """Start the queued calls that may start."""
        self._refresh()
        while (call := self._queue.next()) is not None:
            call.begin()
            task = self.mailbox.loop.create_task(self._pipeline.serve(call))
            self._running[task] = call
            task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        call = self._running.pop(task)
        if not call.outcome:  # cancelled before it had begun
            self._pipeline.stop(call)
        self._journal.record(call)
        self._queue.end(call)
        if not self.actor_stopped.is_set():
            self._start_next()

    def _expire(self, call: OperationCall) -> None:
        self._queue.remove(call)
        waited = f"{call.request.operation} waited until the request's timeout_ms was over"
        self._refuse(call, DeadlineExceeded(f"{waited}; nothing was sent"))

    def _refuse(self, call: OperationCall, error: ActionError) -> None:
        call.fail(error, error.code)
        self._journal.record(call)

    # Versions

    def _refresh(self) -> None:
        """Use the newest table, between two calls; older instances complete their running calls."""
        table = self._snapshot.current
        if table is self._table:
            return
        self._table = table
        route = table.connector_routes.get(self._name)
        if route is not None:
            self._queue.room = route.connector.room
        serving = select_healthy(route, "") if route is not None else None
        self._instances.retire(serving and serving.make)

    def _quiesce(self, message: Quiesce) -> None:
        self._start_next()
        self._instances.wait_closed(message.reply_to)

    # The journal

    def _find(self, message: FindCalls) -> None:
        self._background.answer(message.reply_to, self._journal.find(message))

    def _replay(self, message: ReplayCall) -> None:
        self._background.answer(message.reply_to, self._replayed(message))

    async def _replayed(self, message: ReplayCall) -> dict[str, Any]:
        wanted = FindCalls(message.tenant_id, 1, None, id=message.id)
        rows = await self._journal.find(wanted)
        if not rows:
            raise NotFound(f"there is no recorded call {message.id!r}; calls are kept for a week")
        self._refresh()
        return self._pipeline.replay(message.tenant_id, rows[0])

    def _check_settings(self, message: CheckSettings) -> None:
        """Check settings as far as possible without a call of the service."""
        self._refresh()
        try:
            self._pipeline.check(message.tenant_id, message.settings)
        except ActionError as error:
            resolve_with_error(message.reply_to, error)
        else:
            resolve(message.reply_to, True)

    # Stopping

    async def _drain(self, message: DrainConnector) -> None:
        """Refuse queued calls, wait until `until` for running ones, and write all of them to the journal."""
        self._is_draining = True
        self._cancel_waiting()
        if self._running:
            await asyncio.wait(
                list(self._running), timeout=max(message.until - time.monotonic(), 0.0)
            )
        for task in list(self._running):
            task.cancel()
        if self._running:
            await asyncio.wait(list(self._running), timeout=1.0)
        await self._instances.close()
        await self._journal.close()
        resolve(message.reply_to, True)

    def _cancel_waiting(self) -> None:
        for call in self._queue.drain():
            if call.timer is not None:
                call.timer.cancel()
            self._refuse(call, stopping())


def stopping() -> Unavailable:
    """Return the refusal of a call that has not started."""
    return Unavailable(STOPPING, retry_after_ms=RETRY_STOPPING_MS)
