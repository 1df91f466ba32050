"""A Router alone with its socket, for tests, which are in the place of everybody else."""

from __future__ import annotations

import time
from functools import partial
from hashlib import sha256
from itertools import count
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import zmq

from actors.edge.channel import ChannelInputs
from actors.edge.router import Router, RouterLogs, RouterMailbox, RouterPeers
from actors.host.clocks import MonotonicWallClock
from actors.index.parser import read_index
from actors.intent.suspicions import Slowdowns
from actors.log.lines import RequestLogClient
from actors.messages import (
    DirectoryChanged,
    FindTenant,
    Principal,
    Replies,
    TenantAddress,
    TenantRecord,
    TenantRequest,
    Token,
)
from actors.profiles import Profile, Profiles, TenantLimits
from actors.registry.snapshot import RoutingSnapshot
from actors.routing.table import RoutingTable
from actors.runtime.actor import Actor, Ping, ask, stop
from actors.runtime.mailbox import Mailbox
from actors.settings import UNLIMITED, Rates
from tests.actors.mailbox_harness import WAIT, MailboxHarness, Watch
from tests.raw_client import RawClient, new_id, packed
from transport import codec
from transport.bind import Security, bind_router, endpoint_of
from transport.frames import Frame
from transport.router_socket import RouterSocket
from transport.validation import LIMITS

INDEX = Path(__file__).parent.parent / "faulty" / "registry.toml"
SNAPSHOT = RoutingSnapshot(RoutingTable.build(read_index(INDEX), "local-dev"))

ACME = TenantRecord("acme", "a" * 32)
GLOBEX = TenantRecord("globex", "b" * 32)


class Wall:
    """A wall clock that stands until it is set."""

    def __init__(self) -> None:
        self.time = 1_800_000_000.0

    def __call__(self) -> float:
        return self.time


def slow_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let next to no time go by for the Router, 100 ns at each look, so that its turns do not end."""
    look = partial(next, count(time.monotonic(), 1e-7))
    for module in ("channel", "router", "allowance"):
        name = f"actors.edge.{module}.time"
        monkeypatch.setattr(name, SimpleNamespace(monotonic=look, thread_time=look))


def token(text: str, role: str = "member", tenant: str | None = "acme", **more: Any) -> Token:
    """The token of that text, whose id says the text as well."""
    return Token(digest(text), Principal(f"t_{text}", tenant, role, person=f"p_{text}", **more))


def digest(text: str) -> bytes:
    """As the Directory keeps it."""
    return sha256(text.encode()).digest()


class Guest(Actor):
    """Lives where a tenant would, and answers `ok` with the action's name."""

    def on_receive(self, work: TenantRequest) -> None:
        """Answer."""
        reply = {"v": 1, "id": work.request.id, "ok": True, "result": {}, "meta": {}}
        body = codec.encode({**reply, "message": work.request.action}, work.peer.encoding)
        work.outlet.tell(Replies([(work.peer, body)]))


class Reception:
    """The Router, and the test in the place of all other actors. `close` ends every thread."""

    def __init__(
        self, *, started: bool = True, mailbox: int = 1000, rates: Rates = UNLIMITED
    ) -> None:
        self.harness = MailboxHarness()
        self.supervisor, self.directory, self.audit = Watch(), Watch(), Watch()
        self.log, self.stats, self.console = Watch(), Watch(), Watch()
        self.monitor, self.slowdowns = Watch(), Slowdowns()
        self.profiles = Profiles()
        self.wall = Wall()
        self.asked_for_everything = 0
        self._mailbox_limit = mailbox
        self._rates = rates
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        socket = bind_router(self._context, "tcp://127.0.0.1:*", Security(), LIMITS)
        self.endpoint = endpoint_of(socket)
        self.mailbox = RouterMailbox("router", RouterSocket(socket), self.supervisor)
        self.router = self.incarnation() if not started else None
        if started:
            self.start()

    def given(self) -> tuple[ChannelInputs, RouterPeers, RouterLogs, Rates]:
        """What the wiring gives to the Router."""
        inputs = ChannelInputs(
            directory=self.directory,
            snapshot=SNAPSHOT,
            profiles=self.profiles,
            limits=LIMITS,
            read_directory=self._read_directory,
            epoch=MonotonicWallClock(self.wall),
            slowdowns=self.slowdowns,
            monitor=self.monitor,
        )
        logs = RouterLogs(self.audit, RequestLogClient(self.log), self.stats)
        return inputs, RouterPeers(self.supervisor, self.console), logs, self._rates

    def incarnation(self) -> Router:
        """One that no thread runs: the test does."""
        return Router(self.mailbox, *self.given())

    def start(self) -> None:
        """A Router that runs."""
        Router.start(self.mailbox, *self.given())

    def told(self, message: Any) -> None:
        """Tell the Router, and wait until it has taken it in."""
        if self.router is not None:
            self.router.on_receive(message)
            return
        self.mailbox.tell(message)
        self.settled()

    def settled(self) -> None:
        """Wait until the Router has dealt with all it was told by now."""
        ask(self.mailbox, Ping(), WAIT)

    def knows(self, *tokens: Token, tenants: tuple[TenantRecord, ...] = (ACME, GLOBEX)) -> None:
        """The Directory has spoken."""
        self.told(DirectoryChanged(tenants=tenants, tokens=tokens))

    def limit(self, tenant: TenantRecord, **limits: Any) -> None:
        """The Directory has published these limits."""
        self.profiles.publish(tenant.id, Profile(limits=TenantLimits(**limits)))

    def guest(self, tenant: TenantRecord = ACME) -> Mailbox:
        """Let somebody live where the tenant would, and tell the Router where; it must have asked."""
        mailbox = self.place(tenant)
        Guest.start(mailbox)
        return mailbox

    def place(self, tenant: TenantRecord = ACME) -> Mailbox:
        """The same, without anybody in."""
        found = self.supervisor.hear()
        assert isinstance(found, FindTenant)
        assert found.tenant.id == tenant.id
        mailbox = self.harness.mailbox(tenant.name, limit=self._mailbox_limit)
        self.told(TenantAddress(tenant, mailbox))
        return mailbox

    def raw_client(self) -> RawClient:
        """A connection; a context manager."""
        return RawClient(self.endpoint)

    def frame(self, **fields: Any) -> Frame:
        """A request as it comes from the socket, of a peer that has gone."""
        return Frame([b"peer", packed({"id": new_id(), **fields})])

    def close(self) -> None:
        """Stop everybody."""
        if self.router is None:
            stop(self.mailbox, WAIT)
        else:
            self.mailbox.socket.close()
        self.harness.empty()
        self._context.destroy(linger=0)

    def _read_directory(self) -> None:
        self.asked_for_everything += 1
