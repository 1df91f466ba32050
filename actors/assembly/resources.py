"""What a server holds that is no actor: its data directory, index, keys, sockets and threads."""

from __future__ import annotations

from collections.abc import Callable

import zmq

from actors.admin.directory.store import has_encrypted_settings, prepare_directory
from actors.admin.rollout.start import read_start
from actors.admin.secrets import find_keys
from actors.host.clocks import retention_clock
from actors.host.process import (
    bound,
    connection_bounds,
    limit_memory,
    lock_data,
    return_large_blocks,
    unlock_data,
)
from actors.log.children import zone_of
from actors.profiles import Profiles
from actors.registry.snapshot import RoutingSnapshot
from actors.registry.version_states import states_of
from actors.routing.table import RoutingTable
from actors.runtime.lifecycle import STOP_SECONDS
from actors.runtime.mailbox import Mailbox
from actors.runtime.scheduler import ComputeToken, Dispatcher
from actors.screening.screener import prepare_screening
from actors.settings import Settings
from actors.tenant.database.connection import bound_caches
from actors.tenant.database.constants import allowed_sql
from actors.tenant.storage.files import Storage
from transport.bind import Security, bind_router, endpoint_of
from transport.router_socket import RouterSocket
from transport.validation import Limits


class Resources:
    """Taken before the first actor starts, and released after the last has stopped."""

    def __init__(
        self, settings: Settings, now: Callable[[], float], steady: Callable[[], float]
    ) -> None:
        """Lock the data directory, and check all that can be checked before a thread or a socket exists."""
        self._settings = settings
        self._now = now
        self._steady = steady
        self._lock = lock_data(settings.data)
        try:
            self._prepare(settings)
        except BaseException:
            unlock_data(self._lock)
            raise

    def _prepare(self, settings: Settings) -> None:
        zone_of(settings.log_time_zone)
        limit_memory(settings.memory_bytes)
        return_large_blocks()
        bound_caches(settings.cache_bytes)
        self._bounds = connection_bounds(settings.resident, settings.memory_bytes)
        index = states_of(settings).begin()
        prepare_screening(required=settings.require_libinjection)
        self.snapshot = RoutingSnapshot(RoutingTable.build(index, settings.environment))
        self.snapshot.shows_defects = settings.watch
        self.age = age = retention_clock(settings.data, self._now, self._steady)
        prepare_directory(directory := settings.data / "directory.db")
        folder, revisions = read_start(directory, index.storage.migrations)
        self.storage = Storage(settings.data, folder, settings.database_bytes, age.now, revisions)
        self.read_text(self.snapshot.current)
        self.keyring = find_keys(settings.secrets_file, lambda: has_encrypted_settings(directory))
        self._security = Security.from_files(settings.curve_keys, settings.curve_clients)
        self.limits = Limits(body_bytes=settings.body_bytes)
        self.profiles = Profiles()

    def read_text(self, table: RoutingTable) -> None:
        """Read the code's SQL text, some 100 ms, before a message has to wait for it."""
        allowed_sql(table.modules)

    def open(self) -> tuple[RouterSocket, RouterSocket]:
        """Bind the data channel and the admin channel. Raises SocketProblem; then `close`, too."""
        settings, self._dispatchers = self._settings, list[Dispatcher]()
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        given = self._security, self.limits
        data = bind_router(self._context, settings.endpoint, *given)
        admin = bind_router(self._context, settings.admin_address, *given, admin=True)
        self.token = ComputeToken()
        self.tenants = Dispatcher("tenants", settings.threads, settings.threads_most, self.token)
        """Threads of all tenants."""
        self._dispatchers.append(self.tenants)
        self.endpoint, self.admin_endpoint = endpoint_of(data), endpoint_of(admin)
        bound(self._lock, self.endpoint, self.admin_endpoint, settings.metrics_port)
        token = self.token
        inbox = RouterSocket(data, token.release, token.acquire, self._bounds, token.offer_once)
        return inbox, RouterSocket(admin)

    def mailbox(
        self, name: str, parent: Mailbox | None, token: ComputeToken | None = None, **options: int
    ) -> Mailbox:
        """A mailbox for an actor with a thread of its own: a blocked tenant must not hold it up."""
        dispatcher = Dispatcher(name, token=token)
        self._dispatchers.append(dispatcher)
        return Mailbox(name, dispatcher.schedule, supervisor=parent, **options)

    def close(self, patience: float = STOP_SECONDS) -> None:
        """Release all, once no actor is left; `patience` is for threads, in seconds."""
        for dispatcher in self._dispatchers:
            dispatcher.stop(patience)
        self._security.close()
        self._context.destroy(linger=0)
        self.snapshot.running_calls.stopped()
        unlock_data(self._lock)
