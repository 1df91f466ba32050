"""The wiring, read top-down: start in order, ping each, stop in reverse."""

from __future__ import annotations

import time
from collections.abc import Callable

import structlog
import zmq

from actors.admin.console.actor import AdminConsole, ConsoleMailbox, FinishCalls
from actors.admin.console.context import Actors
from actors.admin.directory.actor import Directory
from actors.admin.directory.store import has_encrypted_settings, prepare_directory
from actors.admin.messages import PublishAll, PurgeExpired
from actors.admin.secrets import find_keys
from actors.assembly.provisioning import LocalAdmin
from actors.connectors.actor import DEFAULT_POLICY, ConnectorPolicy, with_settings
from actors.connectors.switchboard import Connectors
from actors.connectors.timer import Timer
from actors.edge.channel import Draining, FlushUses
from actors.edge.router import Router, RouterMailbox
from actors.host.clocks import MonotonicWallClock, retention_clock
from actors.host.process import bound, connection_bounds, limit_memory, lock_data, unlock_data
from actors.index.parser import read_served_index
from actors.log.audit.actor import AdminLog
from actors.log.audit.reader import AuditReader
from actors.log.children import Logs, zone_of
from actors.log.events import Events
from actors.log.metrics.prometheus import MetricsServer
from actors.messages import TenantRecord
from actors.profiles import Profiles
from actors.registry.actor import Registry
from actors.registry.crash_report import Deaths
from actors.registry.messages import CheckHangs
from actors.registry.snapshot import RoutingSnapshot
from actors.routing.health import CHECK_SECONDS
from actors.routing.table import RoutingTable
from actors.runtime.actor import Ping, ask
from actors.runtime.clock import Clock, ClockMailbox, Every
from actors.runtime.futures import ReplyFuture, ask_async
from actors.runtime.lifecycle import STOP_SECONDS, ChildSpec, try_ask, try_drain, try_stop
from actors.runtime.mailbox import Mailbox
from actors.runtime.scheduler import ComputeToken, Dispatcher
from actors.settings import Settings
from actors.supervision.supervisor import (
    Drain,
    RefuseUnfinished,
    StartChild,
    Supervisor,
    start_timers,
)
from actors.tenant.actor import Tenant
from actors.tenant.outbox.waker import TICK_SECONDS, OutboxWaker, Tick
from actors.tenant.storage.files import Storage
from actors.tenant.storage.migrator import Archive, CreateFile, Migrator
from transport.bind import Security, bind_router, endpoint_of
from transport.router_socket import RouterSocket
from transport.validation import Limits

log = structlog.get_logger()

ASK_SECONDS = 30.0
"""Seconds that an actor may take to reply while the server starts."""

TOKEN_SWEEP_SECONDS = 60.0
"""Seconds between two sweeps of expired tokens and two reports of used ones to the Directory."""


class System:
    """A running server. `start` returns once every actor answers; `stop` once all have stopped."""

    def __init__(
        self,
        settings: Settings,
        clock: Callable[[], float] = time.time,
        steady: Callable[[], float] = time.monotonic,
        events: Events | None = None,
        connector_policy: ConnectorPolicy = DEFAULT_POLICY,
    ) -> None:
        """`clock` says seconds since the epoch, `steady` seconds that cannot be set.

        `events` are the process's own, of which the error log is to be told as long as the system runs.
        """
        self.settings = settings
        self._now = clock
        self._steady = steady
        self._events = events
        self._connector_policy = connector_policy
        self._metrics: MetricsServer | None = None
        self.failure: BaseException | None = None
        """Why the supervisor gave up, if it did."""
        self._lock = lock_data(settings.data)
        try:
            self._prepare(settings)
        except BaseException:
            unlock_data(self._lock)
            raise

    def _prepare(self, settings: Settings) -> None:
        """Check all that can be checked before a thread or a socket exists."""
        zone_of(settings.log_time_zone)
        self._connector_policy = with_settings(self._connector_policy, settings)
        limit_memory(settings.memory_bytes)
        self._bounds = connection_bounds(settings.resident, settings.memory_bytes)
        index = read_served_index(settings.registry)
        self.snapshot = RoutingSnapshot(RoutingTable.build(index, settings.environment))
        self._age = age = retention_clock(settings.data, self._now, self._steady)
        migrations, quota = index.storage.migrations, settings.database_bytes
        self._storage = Storage(settings.data, migrations, quota, age.now)
        self._read_text(self.snapshot.current)
        prepare_directory(directory := settings.data / "directory.db")
        self._keyring = find_keys(settings.secrets_file, lambda: has_encrypted_settings(directory))
        self._security = Security.from_files(settings.curve_keys, settings.curve_clients)
        self._limits = Limits(body_bytes=settings.body_bytes)
        self._profiles = Profiles()

    def start(self, on_failure: Callable[[], None] = lambda: None) -> None:
        """Start in order, ping each. Raises SocketProblem if the endpoint cannot be bound."""
        self._on_failure = on_failure
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._dispatchers: list[Dispatcher] = []
        try:
            data, admin = self._bind()
            self._make_mailboxes(data, admin)
        except BaseException:
            self._close()
            raise
        self.endpoint = endpoint_of(data)
        """Where clients connect: the setting, with the port that was free in place of 0."""
        self.admin_endpoint = endpoint_of(admin)
        """Endpoint of the admin channel."""
        bound(self._lock, self.endpoint, self.admin_endpoint, self.settings.metrics_port)
        deaths = Deaths(self.settings.data, self.settings.threads_most)
        self.snapshot.running_calls = self.running_calls = deaths.running_calls
        try:
            self._start_actors()
            deaths.tell(self.snapshot)
        except BaseException:
            self.stop()
            raise
        log.info("started", endpoint=self.endpoint, environment=self.settings.environment)

    def _bind(self) -> tuple[zmq.Socket[bytes], zmq.Socket[bytes]]:
        settings, most = self.settings, (self._security, self._limits)
        data = bind_router(self._context, settings.endpoint, *most)
        return data, bind_router(self._context, settings.admin_address, *most, admin=True)

    def _make_mailboxes(self, data: zmq.Socket[bytes], admin: zmq.Socket[bytes]) -> None:
        settings = self.settings
        self._token = ComputeToken()
        self._tenants = Dispatcher("tenants", settings.threads, settings.threads_most, self._token)
        self._dispatchers.append(self._tenants)
        self.supervisor = self._mailbox("supervisor", None)
        given = (self._token, self._age.now)
        self.logs = Logs(settings, self._now, self.supervisor, self._mailbox, *given)
        self.clock = ClockMailbox(self.supervisor)
        self.migrator = self._mailbox("migrator", self.supervisor)
        self.registry = self.snapshot.registry = self._mailbox("registry", self.supervisor)
        self.admin_log = self._mailbox("admin log", self.supervisor)
        # Verifying a long log computes: it takes turns with the tenants.
        self.audit_reader = self._mailbox("audit reader", self.supervisor, self._token)
        self.timer = self._mailbox("timer", self.supervisor)
        self.connectors = Connectors(
            settings.data / "connectors",
            self.snapshot,
            self._profiles,
            self.supervisor,
            self._adopt,
            {"timer": self.timer},
            self._connector_policy,
            self._age.now,
        )
        """Connectors that functions call, by name."""
        self.directory = self._mailbox("directory", self.supervisor)
        self.waker = self._mailbox("waker", self.supervisor)
        inbox = RouterSocket(data, self._token.release, self._token.acquire, self._bounds)
        self.router = RouterMailbox("router", inbox, self.supervisor)
        self.console = ConsoleMailbox("console", RouterSocket(admin), self.supervisor)
        self.local = LocalAdmin(self.console)
        """Administration without a token for the person who runs the process, recorded like any other."""

    def _start_actors(self) -> None:
        settings = self.settings
        Supervisor.start(
            self.supervisor,
            clock=self.clock,
            migrator=self.migrator,
            make_tenant=self._make_tenant,
            schedule_tenant=self._tenants.schedule,
            grow_pool=self._tenants.grow_if_blocked,
            tenant_mail=settings.mailbox,
            resident_cap=settings.resident,
            idle_seconds=settings.idle_seconds,
            give_up=self._fail,
            request_log=self.logs.request_log,
        )
        audit = settings.data / "audit"
        self.logs.supervise(self._adopt, self.clock, audit, self._children())
        if self._events is not None:
            self._events.connect(self.logs.errors)
        self._supervise("clock", self.clock, Clock.start)
        self._supervise("timer", self.timer, lambda box: Timer.start(box, self.clock))
        self._supervise("migrator", self.migrator, lambda box: Migrator.start(box, self._storage))
        self._supervise(
            "registry",
            self.registry,
            lambda box: Registry.start(
                box,
                settings.registry,
                settings.environment,
                self.snapshot,
                self._read_text,
                audit=self.admin_log,
                clock=self.clock,
                receipts=settings.data / "moves.json",
            ),
        )
        self._supervise(
            "admin log", self.admin_log, lambda box: AdminLog.start(box, audit, self._now)
        )
        self._supervise(
            "audit reader", self.audit_reader, lambda box: AuditReader.start(box, audit, self.clock)
        )
        self._supervise("directory", self.directory, self._start_directory)
        self._supervise("waker", self.waker, self._start_waker)
        self._supervise("router", self.router, self._start_router)
        self._supervise("console", self.console, self._start_console)
        # A log that cannot start is tried again, and no actor waits for it.
        needed = [each for each in self._children() if each not in self.logs.children()]
        for each in (self.supervisor, *needed):
            ask(each, Ping(), ASK_SECONDS)
        start_timers(self.clock, self.supervisor)
        self.clock.tell(Every(TICK_SECONDS, self.waker, Tick()))
        self.clock.tell(Every(CHECK_SECONDS, self.registry, CheckHangs()))
        self.clock.tell(Every(TOKEN_SWEEP_SECONDS, self.directory, PurgeExpired()))
        for channel in (self.router, self.console):
            self.clock.tell(Every(TOKEN_SWEEP_SECONDS, channel, FlushUses()))
        self.connectors.open_journals()
        self.logs.begin(self.clock)
        if settings.metrics_port is not None:
            self._metrics = MetricsServer(settings.metrics_port, self.logs.stats)

    def stop(self) -> None:
        """Answer what was accepted, refuse the rest, close everything; in reverse order of starting."""
        drained = True
        closing = time.monotonic() + self.settings.drain_seconds
        if self._metrics is not None:
            self._metrics.close()
        try_ask(self.console, Draining())
        self.logs.release()
        done = ReplyFuture()
        try_drain(self.console, FinishCalls(done), done)
        try_ask(self.router, Draining())
        # Tenants that are being looked for are found, and then their mail is in their mailboxes.
        if try_ask(self.supervisor, Ping()):
            try_ask(self.router, Ping())
            drained = self._drain()
        self.connectors.close(closing)
        for mailbox in reversed(self._children()):
            if mailbox is self.logs.errors and self._events is not None:
                self._events.disconnect()
            try_stop(mailbox)
        try_stop(self.supervisor)
        self._close(STOP_SECONDS if drained else 0.0)
        log.info("stopped")

    # Wiring

    def _children(self) -> list[Mailbox]:
        return [
            *self.logs.children(),
            self.clock,
            self.timer,
            self.migrator,
            self.registry,
            self.admin_log,
            self.audit_reader,
            self.directory,
            self.waker,
            self.router,
            self.console,
        ]

    def _mailbox(
        self, name: str, parent: Mailbox | None, token: ComputeToken | None = None, **options: int
    ) -> Mailbox:
        """A mailbox for an actor with a thread of its own: a blocked tenant must not hold it up."""
        dispatcher = Dispatcher(name, token=token)
        self._dispatchers.append(dispatcher)
        return Mailbox(name, dispatcher.schedule, supervisor=parent, **options)

    def _supervise(self, name: str, mailbox: Mailbox, start: Callable[[Mailbox], object]) -> None:
        self._adopt(ChildSpec(name, start), mailbox)

    def _adopt(self, spec: ChildSpec, mailbox: Mailbox) -> None:
        self.supervisor.tell(StartChild(spec, mailbox))

    def _start_directory(self, mailbox: Mailbox) -> object:
        return Directory.start(
            mailbox,
            path=self.settings.data / "directory.db",
            create_file=lambda tenant_id: ask(self.migrator, CreateFile(tenant_id), ASK_SECONDS),
            archive=lambda tenant_id: ask_async(self.migrator, Archive(tenant_id)).future,
            subscribers=[self.router, self.console, self.waker],
            supervisor=self.supervisor,
            audit=self.admin_log,
            profiles=self._profiles,
            snapshot=self.snapshot,
            keyring=self._keyring,
            epoch=MonotonicWallClock(self._now),
            age=self._age,
        )

    def _start_waker(self, mailbox: Mailbox) -> object:
        return OutboxWaker.start(
            mailbox,
            self.supervisor,
            self._storage.due_flags,
            read_directory=lambda: self.directory.tell(PublishAll(self.waker)),
        )

    def _start_router(self, mailbox: Mailbox) -> object:
        return Router.start(
            mailbox,
            supervisor=self.supervisor,
            directory=self.directory,
            audit=self.admin_log,
            snapshot=self.snapshot,
            profiles=self._profiles,
            limits=self._limits,
            read_directory=lambda: self.directory.tell(PublishAll(self.router)),
            epoch=MonotonicWallClock(self._now),
            request_log=self.logs.request_log(),
            stats=self.logs.stats,
            rates=self.settings.rates,
        )

    def _start_console(self, mailbox: Mailbox) -> object:
        return AdminConsole.start(
            mailbox,
            actors=Actors(
                directory=self.directory,
                supervisor=self.supervisor,
                registry=self.registry,
                audit_log=self.admin_log,
                audit_reader=self.audit_reader,
                clock=self.clock,
                router=self.router,
                log_reader=self.logs.reader,
                stats=self.logs.stats,
                connectors=self.connectors,
            ),
            snapshot=self.snapshot,
            profiles=self._profiles,
            limits=self._limits,
            read_directory=lambda: self.directory.tell(PublishAll(self.console)),
            epoch=MonotonicWallClock(self._now),
            hide=self.settings.log_hide,
        )

    def _make_tenant(self, record: TenantRecord, mailbox: Mailbox) -> object:
        return Tenant.start(
            mailbox,
            record,
            self._storage,
            self.snapshot,
            self._token.release,
            self._profiles,
            self.logs.request_log(),
            self.connectors,
            self.clock,
        )

    def _read_text(self, table: RoutingTable) -> None:
        """Read the code's SQL text, some 100 ms, before a message has to wait for it."""
        self._storage.allowed_sql(table.modules)

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

    def _close(self, patience: float = STOP_SECONDS) -> None:
        """What is left when every actor has gone, or none has come; `patience` is for threads, in seconds."""
        for dispatcher in self._dispatchers:
            dispatcher.stop(patience)
        self._security.close()
        self._context.destroy(linger=0)
        self.snapshot.running_calls.stopped()
        unlock_data(self._lock)
