"""The wiring, read top-down: start in order, ping each, stop in reverse."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Final

import structlog

from actors.admin import children as admin
from actors.admin.console.actor import ConsoleMailbox, FinishCalls
from actors.assembly.provisioning import LocalAdmin
from actors.assembly.resources import Resources
from actors.connectors import timer
from actors.connectors.actor import DEFAULT_POLICY, ConnectorPolicy, with_settings
from actors.connectors.switchboard import Connectors, SwitchboardSettings
from actors.edge import router
from actors.edge.channel import Draining
from actors.edge.router import RouterMailbox
from actors.intent.suspicions import MOST_BATCHES, Slowdowns
from actors.log.children import Logs
from actors.log.events import Events
from actors.log.metrics.prometheus import MetricsServer
from actors.registry import actor as registry
from actors.registry.crash_report import Deaths
from actors.registry.shared import Actors, Shared
from actors.runtime import clock as clocks
from actors.runtime.actor import Ping, ask
from actors.runtime.clock import ClockMailbox, Every
from actors.runtime.futures import ReplyFuture
from actors.runtime.lifecycle import STOP_SECONDS, StartChild, try_ask, try_drain, try_stop
from actors.runtime.mailbox import Mailbox
from actors.settings import Settings
from actors.supervision.backoff import timers
from actors.supervision.messages import Drain, RefuseUnfinished, TenantPool
from actors.supervision.supervisor import Supervisor
from actors.tenant import children as tenant
from transport.router_socket import RouterSocket

log = structlog.get_logger()

NO_CONNECTORS: Final[Mapping[str, Mailbox]] = {}

ASK_SECONDS = 30.0
"""Seconds that an actor may take to reply while the server starts."""


class System:
    """A running server. `start` returns once every actor answers; `stop` once all have stopped."""

    def __init__(
        self,
        settings: Settings,
        clock: Callable[[], float] = time.time,
        steady: Callable[[], float] = time.monotonic,
        events: Events | None = None,
        connector_policy: ConnectorPolicy = DEFAULT_POLICY,
        connectors: Mapping[str, Mailbox] = NO_CONNECTORS,
    ) -> None:
        """`clock` returns seconds since the epoch, `steady` seconds that cannot be set.

        `events` are the process's own: the error log gets them while the system runs. `connectors` are called
        in place of the index's of their names.
        """
        self.settings = settings
        self._now = clock
        self._events = events
        self._built_in = connectors
        self._connector_policy = with_settings(connector_policy, settings)
        self._metrics: MetricsServer | None = None
        self._children: list[StartChild] = []
        self.failure: BaseException | None = None
        """Why the supervisor gave up, if it did."""
        self._resources = Resources(settings, clock, steady)
        self.snapshot = self._resources.snapshot

    def start(self, on_failure: Callable[[], None] = lambda: None) -> None:
        """Start in order, ping each. Raises SocketProblem if the endpoint cannot be bound."""
        self._on_failure = on_failure
        try:
            self._make_mailboxes(*self._resources.open())
        except BaseException:
            self._resources.close()
            raise
        self.endpoint = self._resources.endpoint
        """Where clients connect: the setting, with the port that was free in place of 0."""
        self.admin_endpoint = self._resources.admin_endpoint
        """Endpoint of the admin channel."""
        deaths = Deaths(self.settings.data, self.settings.threads_most)
        self.snapshot.running_calls = self.running_calls = deaths.running_calls
        try:
            self._start_actors()
            deaths.tell(self.snapshot)
        except BaseException:
            self.stop()
            raise
        log.info("started", endpoint=self.endpoint, environment=self.settings.environment)

    def _make_mailboxes(self, data: RouterSocket, admin: RouterSocket) -> None:
        settings, held = self.settings, self._resources
        make = held.mailbox
        self.supervisor = supervisor = make("supervisor", None)
        self.logs = Logs(settings, self._now, supervisor, make, held.token, held.age.now)
        self._timer = make("timer", supervisor)
        self.connectors = Connectors(
            SwitchboardSettings(settings.data / "connectors", self._connector_policy, held.age.now),
            self.snapshot,
            held.profiles,
            supervisor,
            {"timer": self._timer, **self._built_in},
        )
        """Connectors that functions call, by name."""
        self.router = RouterMailbox("router", data, supervisor)
        self.actors = Actors(
            supervisor=supervisor,
            clock=ClockMailbox(supervisor),
            migrator=make("migrator", supervisor),
            rollout=make("rollout", supervisor),
            registry=make("registry", supervisor),
            directory=make("directory", supervisor),
            waker=make("waker", supervisor),
            router=self.router,
            console=ConsoleMailbox("console", admin, supervisor),
            audit_log=self.logs.audit,
            audit_reader=self.logs.audit_reader,
            log_reader=self.logs.reader,
            stats=self.logs.stats,
            intent_monitor=make("intent monitor", supervisor, held.token, limit=MOST_BATCHES),
            connectors=self.connectors,
        )
        self.snapshot.registry = self.actors.registry
        self.local = LocalAdmin(self.actors.console)
        """Administration without a token for the person who runs the process, recorded like any other."""

    def _start_actors(self) -> None:
        """Start the children of every package, ping those that the system cannot do without, set timers."""
        shared, actors = self._shared(), self.actors
        self._start_supervisor(shared)
        self._children = self._children_of_packages(shared)
        for child in self._children:
            self.supervisor.tell(child)
        if self._events is not None:
            self._events.connect(self.logs.errors)
        needed = [child.mailbox for child in self._children if child.spec.essential]
        for mailbox in (self.supervisor, *needed):
            ask(mailbox, Ping(), ASK_SECONDS)
        own = [
            (self.supervisor, timers()),
            *((each.mailbox, each.timers) for each in self._children),
        ]
        for mailbox, timers_of_child in own:
            for seconds, message in timers_of_child:
                actors.clock.tell(Every(seconds, mailbox, message))
        self.connectors.open_journals()
        if self.settings.metrics_port is not None:
            self._metrics = MetricsServer(self.settings.metrics_port, self.logs.stats)

    def _shared(self) -> Shared:
        return Shared(
            self.settings,
            self.actors,
            self.snapshot,
            self._resources.profiles,
            self._resources.limits,
            Slowdowns(),
            self.logs.request_log,
            self._now,
        )

    def _children_of_packages(self, shared: Shared) -> list[StartChild]:
        """Return each child after those that it cannot do without; they are stopped in reverse order."""
        clock, held = self.actors.clock, self._resources
        others = [
            *clocks.children(clock),
            *timer.children(self._timer, clock),
            *registry.children(shared, held.read_text),
            *tenant.children(shared, held.storage),
            *admin.children(shared, held.keyring, held.age),
            *router.children(shared),
        ]
        return [*self.logs.children(clock, others), *others]

    def _start_supervisor(self, shared: Shared) -> None:
        settings, held = self.settings, self._resources
        tenants = TenantPool(
            start=tenant.starter(shared, held.storage, held.token),
            schedule=held.tenants.schedule,
            grow=held.tenants.grow_if_blocked,
            mail=settings.mailbox,
            resident_cap=settings.resident,
            idle_seconds=settings.idle_seconds,
            request_log=self.logs.request_log,
        )
        actors = self.actors
        Supervisor.start(self.supervisor, actors.clock, actors.migrator, tenants, self._fail)

    def stop(self) -> None:
        """Answer what was accepted, refuse the rest, close everything; in reverse order of starting."""
        drained = True
        closing = time.monotonic() + self.settings.drain_seconds
        if self._metrics is not None:
            self._metrics.close()
        try_ask(self.actors.console, Draining())
        self.logs.release()
        done = ReplyFuture()
        try_drain(self.actors.console, FinishCalls(done), done)
        try_ask(self.router, Draining())
        # Tenants that are being looked for are found, and then their mail is in their mailboxes.
        if try_ask(self.supervisor, Ping()):
            try_ask(self.router, Ping())
            drained = self._drain()
        self.connectors.close(closing)
        for child in reversed(self._children):
            mailbox = child.mailbox
            if mailbox is self.logs.errors and self._events is not None:
                self._events.disconnect()
            try_stop(mailbox)
        try_stop(self.supervisor)
        self._resources.close(STOP_SECONDS if drained else 0.0)
        log.info("stopped")

    def _fail(self, name: str, error: BaseException) -> None:
        log.critical("the system stops: an actor it cannot do without keeps failing", actor=name)
        self.failure = error
        self._on_failure()

    def _drain(self) -> bool:
        """Return False if a function still runs: its thread ends with the process."""
        done, seconds = ReplyFuture(), self.settings.drain_seconds
        drain = Drain(done, time.monotonic() + seconds)
        if try_drain(self.supervisor, drain, done, seconds + 2.0):
            return True
        try_ask(self.supervisor, RefuseUnfinished())
        return False
