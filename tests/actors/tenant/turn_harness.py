"""A tenant whose turns the test runs itself, each with exactly the messages that it was given."""

from __future__ import annotations

import sqlite3
import time
from collections import deque
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pykka
from msgspec.structs import replace

from actors.index.parser import read_index
from actors.log.lines import RequestLogClient
from actors.log.messages import Line
from actors.messages import Peer, Principal, Replies, TenantRecord, TenantRequest
from actors.profiles import Profiles, TenantLimits
from actors.registry.snapshot import RoutingSnapshot
from actors.routing.health import FailureDetector
from actors.routing.route import Route
from actors.routing.table import RoutingTable
from actors.runtime.mailbox import Mailbox
from actors.tenant.actor import Tenant
from actors.tenant.database.database import TenantDatabase
from actors.tenant.resources import TenantResources
from actors.tenant.storage.files import Storage
from tests.actors.mailbox_harness import Watch
from tests.actors.servers import INDEX
from tests.actors.tenant.subscriptions import subscribed_to
from tests.made import made_before
from transport import codec
from transport.message import Reply
from transport.request.model import Request

ACME = TenantRecord("acme", "a" * 32)
MEMBER = Principal("t_1", "acme", "member", "p_1")
MIB = 1024 * 1024
FAULTY = RoutingTable.build(read_index(INDEX), "local-dev")


class TurnHarness:
    """One tenant, in the thread of the test."""

    def __init__(
        self, data: Path, table: RoutingTable = FAULTY, database_bytes: int = 64 * MIB
    ) -> None:
        self.snapshot = RoutingSnapshot(table)
        self.profiles = Profiles()
        self.limit()
        with made_before(data):
            self.storage = Storage(data, table.described.storage.migrations, database_bytes)
        self.storage.create(ACME.id)
        self.frames: list[Reply] = []
        """Every reply, in the order of sending."""
        self.log, self.supervisor, self.post = Watch(), Watch(), Watch()
        self._sent = 0
        self._scheduled: deque[Mailbox] = deque()
        self.mailbox = Mailbox("acme", self._scheduled.append, supervisor=self.supervisor)
        self.start()

    def start(self) -> None:
        """Start an incarnation."""
        Tenant.start(
            self.mailbox,
            ACME,
            TenantResources(
                self.storage,
                self.snapshot,
                profiles=self.profiles,
                request_log=RequestLogClient(self.log),
                connectors={"post": self.post},
            ),
        )
        self.run()

    def close(self) -> None:
        """Close its file."""
        self.incarnation._unit_of_work.close()
        pykka.ActorRegistry.unregister(self.incarnation.actor_ref)

    @property
    def incarnation(self) -> Tenant:
        """The tenant's actor."""
        found = self.mailbox.incarnation
        assert isinstance(found, Tenant)
        return found

    @property
    def database(self) -> TenantDatabase:
        """Its open database."""
        return self.incarnation._unit_of_work.database

    def limit(self, **limits: Any) -> None:
        """Set the tenant's limits."""
        self.profiles.publish(ACME.id, subscribed_to("post", limits=TenantLimits(**limits)))

    def serve(self, action: str, function: Callable[..., Any], **fields: Any) -> None:
        """Have an action call this function from the next message on; nothing of it was counted before."""
        table = self.snapshot.current
        given = {"function": function, "detector": FailureDetector(None), **fields}
        route = replace(table.routes[action], **given)
        self.snapshot.current = table._replace(
            routes=MappingProxyType({**table.routes, action: route})
        )

    def route(self, action: str) -> Route:
        """The route of an action."""
        return self.snapshot.current.routes[action]

    def request(
        self,
        action: str,
        id_: str | None = None,
        timeout_ms: int = 60_000,
        by: Principal = MEMBER,
        **params: Any,
    ) -> TenantRequest:
        """A request with an id of its own."""
        self._sent += 1
        request = Request(
            id=id_ or f"r{self._sent}",
            tenant="acme",
            action=action,
            params=params,
            timeout_ms=timeout_ms,
        )
        peer = Peer(b"peer", delimited=False, encoding="msgpack")
        trace_id = f"{self._sent:032x}"
        return TenantRequest(request, by, peer, self, time.monotonic(), trace_id)

    def turn(self, *messages: Any) -> list[Reply]:
        """Have these messages served in one turn; the replies to the requests, in the order of sending."""
        before = len(self.frames)
        for message in messages:
            self.mailbox.tell(message)
        self.run()
        return self.frames[before:]

    def call(self, action: str, id_: str | None = None, **params: Any) -> Reply:
        """The reply to a request in a turn of its own."""
        (reply,) = self.turn(self.request(action, id_, **params))
        return reply

    def run(self) -> None:
        """Run the turns that are due."""
        while self._scheduled:
            self._scheduled.popleft().run()

    def tell(self, message: Replies) -> None:
        """Take replies, in the place of a socket."""
        self.frames += [codec.parse_reply(body) for _, body in message.frames]

    def lines(self) -> list[Line]:
        """The lines of the tenant's log since the last time."""
        return [line for turn in self.log.heard() for line in turn.lines]

    def rows(self, query: str, *values: Any) -> list[Any]:
        """From the tenant's file, as another process sees it: what is committed."""
        with closing(sqlite3.connect(self.storage.path(ACME.id))) as file:
            return file.execute(query, values).fetchall()

    def marks(self) -> list[str]:
        """The texts of all marks on disk."""
        return [text for (text,) in self.rows("SELECT text FROM marks ORDER BY id")]
