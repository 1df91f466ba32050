"""A tenant whose turns the test takes, a peer that it plays, and crashes where it likes, on one real file."""

from __future__ import annotations

import secrets
import sqlite3
import time
from collections import deque
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pykka
import pytest

from actors.index.parser import read_index
from actors.messages import (
    CallConnector,
    OutboxDue,
    Passivate,
    Peer,
    Principal,
    Replies,
    TenantRecord,
    TenantRequest,
)
from actors.profiles import Profiles
from actors.registry.snapshot import RoutingSnapshot
from actors.routing.table import RoutingTable
from actors.runtime.futures import resolve, resolve_with_error
from actors.runtime.mailbox import Crashed, Mailbox
from actors.tenant.actor import Tenant
from actors.tenant.database.database import TenantDatabase
from actors.tenant.resources import TenantResources
from actors.tenant.storage.files import Storage
from tests.actors.mailbox_harness import Watch
from tests.actors.tenant.subscriptions import subscribed_to
from tests.made import made_before
from transport import codec
from transport.message import Reply
from transport.request.model import Request

ROOT = Path(__file__).parents[3]
INDEX = ROOT / "scripts" / "endurance" / "fixtures" / "parcels" / "registry.toml"
ACME = TenantRecord("acme", "a" * 32)
ADA = Principal("t_ada", "acme", "member", person="p_ada")
TABLE = RoutingTable.build(read_index(INDEX), "local-dev")


class Crash(BaseException):
    """The process ends here."""


class OutboxHarness:
    """Everybody but the tenant is the test itself."""

    def __init__(self, data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        with made_before(data):
            self.storage = Storage(data, ROOT / INDEX.parent / "migrations", 2**28)
        self.storage.create(ACME.id)
        self.marker = data / "outbox" / ACME.id
        self.profiles = Profiles()
        self.resume()
        self.replies: dict[str, Reply] = {}
        self.clock = Watch()
        self.commits: deque[Callable[[], None]] = deque()
        """What happens before the next commits; a Crash ends the incarnation."""
        self.after_commits: deque[Callable[[], None]] = deque()
        self._scheduled: deque[Mailbox] = deque()
        commit = TenantDatabase.commit

        def committed(database: TenantDatabase) -> None:
            if self.commits:
                self.commits.popleft()()
            commit(database)
            if self.after_commits:
                self.after_commits.popleft()()

        monkeypatch.setattr(TenantDatabase, "commit", committed)
        self.start()

    def start(self) -> None:
        """A new process: whatever was in memory is gone."""
        self.watch, self.post, self.timer = Watch(), Watch(), Watch()
        self.news: list[Any] = []
        """What the supervisor has received."""
        self.mailbox = Mailbox("acme", self._scheduled.append, supervisor=self.watch)
        self.incarnate()

    def incarnate(self) -> None:
        """Somebody lives in the mailbox from now on."""
        Tenant.start(
            self.mailbox,
            ACME,
            TenantResources(
                self.storage,
                RoutingSnapshot(TABLE),
                profiles=self.profiles,
                connectors={"post": self.post, "timer": self.timer},
                clock=self.clock,
            ),
        )
        self.run()

    def run(self) -> None:
        """Have all mail dealt with. A crash on the way is followed by a start."""
        while self._scheduled:
            self._scheduled.popleft().run()
            for sleep in self.timer.heard():
                resolve(sleep.reply_to, {"seconds": 0.0})
        self.news += self.watch.heard()
        if any(isinstance(news, Crashed) for news in self.news):
            self.commits.clear()
            self.after_commits.clear()
            self.start()

    def crash(self) -> None:
        """As kill -9: nothing is said or written any more."""
        incarnation = self.mailbox.incarnation
        assert isinstance(incarnation, Tenant)
        incarnation._unit_of_work.database.close()
        incarnation._relay.abandon()
        pykka.ActorRegistry.unregister(incarnation.actor_ref)
        self.start()

    def close(self) -> None:
        """The end of the test."""
        incarnation = self.mailbox.incarnation
        if isinstance(incarnation, Tenant):
            incarnation._unit_of_work.close()
            pykka.ActorRegistry.unregister(incarnation.actor_ref)

    # Callers

    def call(self, action: str, by: Principal = ADA, id_: str | None = None, **params: Any) -> str:
        """Ask; the request's id, under which the reply will be."""
        id_ = id_ or secrets.token_hex(8)
        request = Request(id=id_, tenant="acme", action=action, params=params)
        peer = Peer(b"", delimited=False, encoding="msgpack")
        self.mailbox.tell(
            TenantRequest(request, by, peer, self, time.monotonic(), secrets.token_hex(16))
        )
        self.run()
        return id_

    def tell(self, message: Replies) -> None:
        """In a socket's place."""
        for _, body in message.frames:
            reply = codec.parse_reply(body)
            self.replies[reply.id] = reply

    def sent(self, name: str = "parcel", **params: Any) -> str:
        """Send a parcel; its key."""
        reply = self.replies[self.call("parcels.send", name=name, **params)]
        assert reply.result is not None, reply
        return str(reply.result["key"])

    def rang(self) -> None:
        """The Clock says that something is due."""
        self.mailbox.tell(OutboxDue())
        self.run()

    def asked_to_leave(self, *, insist: bool = False) -> list[Any]:
        """What the supervisor receives about it."""
        before = len(self.news)
        self.mailbox.tell(Passivate(insist))
        self.run()
        return self.news[before:]

    def ask(self, message: Any) -> Any:
        """Of the tenant."""
        incarnation = self.mailbox.incarnation
        assert isinstance(incarnation, Tenant)
        found = incarnation.on_receive(message)
        self.run()
        return found

    def suspend(self) -> None:
        """As the Directory publishes it."""
        self.profiles.publish(ACME.id, subscribed_to("post", is_active=False))

    def resume(self) -> None:
        """Likewise."""
        self.profiles.publish(ACME.id, subscribed_to("post"))

    # The peer

    def operates(self) -> list[CallConnector]:
        """What the connector has been told since this was asked last."""
        return self.post.heard()

    def operate(self) -> CallConnector:
        """The one thing it has been told."""
        (message,) = self.operates()
        return message

    def accept(self, message: CallConnector, receipt: str = "thanks") -> None:
        """Answer well."""
        resolve(message.reply_to, {"receipt": receipt})
        self.run()

    def refuse(self, message: CallConnector, error: BaseException) -> None:
        """Answer with an error."""
        resolve_with_error(message.reply_to, error)
        self.run()

    # The file

    def rows(self, query: str) -> list[Any]:
        """From the tenant's file, as another process sees it."""
        with closing(sqlite3.connect(self.storage.path(ACME.id))) as file:
            return file.execute(query).fetchall()

    def states(self) -> list[str]:
        """Of what is in the outbox, in the order of sending."""
        return [state for (state,) in self.rows("SELECT state FROM tenantry_outbox ORDER BY id")]

    def heard(self) -> list[tuple[str, bool]]:
        """What the application was told: keys, and whether it went well."""
        found = self.rows("SELECT key, ok FROM heard ORDER BY id")
        return [(key, bool(ok)) for key, ok in found]
