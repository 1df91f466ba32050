"""A tenant whose functions wait, for tests: connectors, Clock and Supervisor are the test itself."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path
from types import MappingProxyType
from typing import Any

import msgpack
from msgspec.structs import replace

from actors.index.parser import read_index
from actors.log.lines import RequestLogClient
from actors.log.messages import Line
from actors.messages import CallConnector, Peer, Principal, TenantRecord, TenantRequest
from actors.profiles import Profiles, TenantLimits
from actors.registry.snapshot import RoutingSnapshot
from actors.routing.table import RoutingTable
from actors.runtime.futures import ReplyFuture, resolve, resolve_with_error
from actors.runtime.mailbox import Mailbox
from actors.tenant.actor import Tenant
from actors.tenant.resources import TenantResources
from actors.tenant.storage.files import Storage
from tests.actors.mailbox_harness import MailboxHarness, Watch
from tests.actors.servers import INDEX
from tests.actors.tenant.subscriptions import subscribed_to
from tests.made import made_before
from transport.request.model import Request

ACME = TenantRecord("acme", "a" * 32)
MEMBER = Principal("t_1", "acme", "member", "p_1")
MIB = 1024 * 1024

Map = dict[str, Any]
Function = Callable[..., Any]

WITH_TEXT = ("marks.add", "marks.count", "marks.slowly")

TABLE = RoutingTable.build(read_index(INDEX), "local-dev")


class AsyncTenantHarness:
    """One tenant. `post` is where its calls arrive, `clock` where its timers do."""

    def __init__(
        self,
        data: Path,
        harness: MailboxHarness,
        clock: Mailbox | None = None,
        table: RoutingTable = TABLE,
        connectors: Mapping[str, Mailbox] | None = None,
    ) -> None:
        self.harness = harness
        self.profiles = Profiles()
        self.limit()
        self.snapshot = RoutingSnapshot(table)
        with made_before(data):
            self.storage = Storage(data, table.described.storage.migrations, 4 * MIB)
        self.storage.create(ACME.id)
        self.outlet, self.post, self.clock, self.log = Watch(), Watch(), Watch(), Watch()
        self._to_clock = self.clock if clock is None else clock
        self._connectors = {"post": self.post} if connectors is None else connectors
        self._sent = 0
        self.mailbox = harness.mailbox("tenant acme")
        self.enter()

    def enter(self) -> None:
        """Start an incarnation; no one may be in."""
        Tenant.start(
            self.mailbox,
            ACME,
            TenantResources(
                self.storage,
                self.snapshot,
                profiles=self.profiles,
                request_log=RequestLogClient(self.log),
                connectors=self._connectors,
                clock=self._to_clock,
            ),
        )

    def serve(self, function: Function, action: str = "marks.slowly", **fields: Any) -> None:
        """Have an action do this from the next message on."""
        table = self.snapshot.current
        route = replace(table.routes[action], function=function, **fields)
        routes = MappingProxyType({**table.routes, action: route})
        self.snapshot.current = table._replace(routes=routes)

    def limit(self, **limits: Any) -> None:
        """Set limits of the tenant's."""
        self.profiles.publish(ACME.id, subscribed_to("post", limits=TenantLimits(**limits)))

    def send(
        self,
        text: str = "mark",
        id_: str | None = None,
        action: str = "marks.slowly",
        seconds: float = 60.0,
        **params: Any,
    ) -> str:
        """A request with so many seconds' patience; its id."""
        self._sent += 1
        id_ = id_ or f"r{self._sent}"
        given = {"text": text, **params} if action in WITH_TEXT else params
        request = Request(
            id=id_, tenant="acme", action=action, params=given, timeout_ms=int(seconds * 1000)
        )
        peer = Peer(b"peer", delimited=False, encoding="msgpack")
        self.mailbox.tell(
            TenantRequest(
                request, MEMBER, peer, self.outlet, time.monotonic(), f"{self._sent:032x}"
            )
        )
        return id_

    def reply(self) -> Map:
        """The next reply."""
        ((_, body),) = self.outlet.hear().frames
        found: Map = msgpack.unpackb(body)
        return found

    def replies(self, count: int) -> list[Map]:
        """So many replies, however they came together."""
        bodies: list[bytes] = []
        while len(bodies) < count:
            bodies += [body for _, body in self.outlet.hear().frames]
        return [msgpack.unpackb(body) for body in bodies]

    def ask(self, text: str = "mark", id_: str | None = None, **given: Any) -> Map:
        """The next reply, which must be to this request."""
        sent = self.send(text, id_, **given)
        reply = self.reply()
        assert reply["id"] == sent
        return reply

    def called(self) -> CallConnector:
        """The next call that leaves."""
        message: CallConnector = self.post.hear()
        return message

    def answer(self, call: CallConnector, result: Map | Exception | None = None) -> None:
        """Have the connector answer."""
        answer: ReplyFuture = call.reply_to
        if isinstance(result, Exception):
            resolve_with_error(answer, result)
        else:
            resolve(answer, {"number": 7} if result is None else result)

    def lines(self) -> list[Line]:
        """What its log has been told since the last time."""
        return [line for turn in self.log.heard() for line in turn.lines]

    def count(self, text: str = "mark") -> int:
        """How many marks the tenant counts."""
        found: int = self.ask(text, action="marks.count")["result"]["count"]
        return found

    def on_disk(self, text: str = "mark") -> int:
        """How many marks somebody else finds in the file: committed ones."""
        with closing(sqlite3.connect(self.storage.path(ACME.id))) as reader:
            query = "SELECT count(*) FROM marks WHERE text = ?"
            return int(reader.execute(query, (text,)).fetchone()[0])

    def ids(self) -> dict[str, bytes]:
        """What stands in the table of ids."""
        with closing(sqlite3.connect(self.storage.path(ACME.id))) as reader:
            return dict(reader.execute("SELECT id, reply FROM tenantry_replies"))
