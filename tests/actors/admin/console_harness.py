"""An AdminConsole on a real socket, with a stand-in for each actor that it talks to."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import zmq
from pykka._envelope import Envelope

from actors.admin.console.actor import AdminConsole, ConsoleMailbox
from actors.admin.console.call import LocalCall
from actors.admin.messages import CommandDone, Execute
from actors.edge.channel import ChannelInputs
from actors.errors import AuditProblem
from actors.host.clocks import MonotonicWallClock
from actors.index.parser import read_index
from actors.intent.suspicions import Slowdowns
from actors.log.messages import Append, AuditEntry
from actors.messages import (
    DirectoryChanged,
    FindTenant,
    Grant,
    Principal,
    TenantAddress,
    TenantRecord,
    TenantRequest,
    Token,
)
from actors.profiles import Profiles
from actors.registry.shared import Actors
from actors.registry.snapshot import RoutingSnapshot
from actors.routing.table import RoutingTable
from actors.runtime.actor import Ping, ask, stop
from actors.runtime.clock import Once
from actors.runtime.futures import ReplyFuture, resolve, resolve_with_error
from actors.runtime.mailbox import Crashed, Mailbox
from tests.actors.mailbox_harness import WAIT, Watch
from tests.raw_client import Map, RawClient
from transport.bind import Security, bind_router, endpoint_of
from transport.router_socket import RouterSocket
from transport.validation import Limits

INDEX = """
[actions."notes.add"]
summary = "A tenant's own action."
access  = "member"
effect  = "write"
[actions."notes.add".params]
properties.text = { type = "string", maxLength = 100 }

[actions."desk.open"]
summary = "A tenant's own action on the admin channel."
access  = "owner"
channel = "admin"
effect  = "write"

[actions."desk.door"]
summary = "One that anybody may call, as its index has it."
access  = "public"
effect  = "read"
"""

ACME = TenantRecord("acme", "a" * 32)
GLOBEX = TenantRecord("globex", "b" * 32)
ASLEEP = TenantRecord("asleep", "c" * 32, "suspended")

PERSON = "p_" + "d" * 16
"""Somebody whom orders are about."""

LIMITS = {
    "limits": dict.fromkeys(
        ("requests_per_second", "burst", "database_bytes", "mailbox", "function_ms_per_second")
    )
}
"""What limits.show and limits.set answer."""

REMOVED = {"removed": PERSON, "revoked": 2}
"""What members.remove answers."""

MOST_WAITS = 6
"""How often one call waits for another actor, at most: each answer is a message of its own."""

UNTIL = time.time() + 3600
"""When the super admin's grant ends."""


def principal(role: str, number: int, tenant: str | None = "acme", **more: Any) -> Principal:
    """Somebody with a token."""
    digits = f"{number:016x}"
    return Principal(f"t_{digits}", tenant, role, person=f"p_{digits}", **more)


PEOPLE = {
    "member": principal("member", 1),
    "owner": principal("owner", 2, areas=frozenset({"tokens"})),
    "owner of members": principal("owner", 3, areas=frozenset({"members"})),
    "admin owner": principal("admin owner", 4),
    "scoped": principal("admin owner", 5, scope=frozenset({"limits.show"})),
    "other owner": principal("admin owner", 6, "globex"),
    "developer": principal("developer", 7, None),
    "developer admin": principal("developer admin", 8, None),
    "super admin": principal("developer admin", 9, None),
}
"""By the texts of their tokens. The last one is super admin on acme, and developer admin elsewhere."""


class StubActor(Mailbox):
    """In an actor's place: answers as it is told to, or leaves it to the test."""

    __slots__ = ("_log", "answer", "held", "holding")

    def __init__(self, name: str, log: deque[tuple[str, Any]]) -> None:
        super().__init__(name, lambda _: None)
        self._log = log
        self.answer: Callable[[Any], Any] = lambda _: None
        """What is answered to a message, on the asking thread; what it raises is answered, too."""
        self.holding = False
        """True to leave what is asked in `held` without an answer."""
        self.held: SimpleQueue[Envelope[Any]] = SimpleQueue()

    def tell(self, message: Any) -> None:
        """Note it, then answer it if anybody waits for that."""
        content = message.message if isinstance(message, Envelope) else message
        self._log.append((self.name, content))
        if not isinstance(message, Envelope):
            with suppress(AuditProblem):  # one who only tells receives nothing
                self.answer(content)
        elif self.holding:
            self.held.put(message)
        else:
            self.settle(message)

    put = tell

    def settle(self, envelope: Envelope[Any]) -> None:
        """Answer what was asked."""
        assert envelope.reply_to is not None
        try:
            answer = self.answer(envelope.message)
        except Exception as error:  # noqa: BLE001 - whatever a test wants raised
            resolve_with_error(envelope.reply_to, error)
        else:
            resolve(envelope.reply_to, answer)

    def asked(self) -> Envelope[Any]:
        """The next one that is held, when it comes."""
        return self.held.get(timeout=WAIT)

    def release(self) -> None:
        """Answer the next one that is held, and hold no more."""
        self.holding = False
        self.settle(self.asked())


class TenantMailbox(Mailbox):
    """A tenant's mailbox: the test does the tenant's work."""

    __slots__ = ("_works", "is_full")

    def __init__(self) -> None:
        super().__init__("tenant", lambda _: None)
        self.is_full = False
        self._works: SimpleQueue[TenantRequest] = SimpleQueue()

    def try_enqueue(self, message: Any) -> bool:
        """Keep it for the test."""
        if not self.is_full:
            self._works.put(message)
        return not self.is_full

    def work(self) -> TenantRequest:
        """What the tenant has to do, when it comes."""
        return self._works.get(timeout=WAIT)

    def is_idle(self) -> bool:
        """Whether nothing came."""
        return self._works.empty()


class NoConnectors(dict[str, Mailbox]):
    """No one to call."""

    awake: tuple[Mailbox, ...] = ()


class ConsoleHarness:
    """`log` has all that was told or asked, in order; `entries` what the admin log took of it."""

    def __init__(self, directory: Path, informed: bool = True, **instead: Mailbox) -> None:
        """`instead` of stand-ins, real actors' mailboxes."""
        self.log: deque[tuple[str, Any]] = deque()
        names = [name for name in Actors._fields if name != "connectors"]
        self.stubs = {name: StubActor(name, self.log) for name in names}
        self.entries: list[AuditEntry] = []
        self.is_full = False
        """Whether the admin log cannot be written."""
        self.supervisor = Watch()
        self.profiles = Profiles()
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self.stubs["audit_log"].answer = self._record
        self.stubs["directory"].answer = self._direct
        self.stubs["supervisor"].answer = self._find
        self.tenant = TenantMailbox()
        """The mailbox of every tenant."""
        self._actors = Actors(**{**self.stubs, **instead}, connectors=NoConnectors())
        self.table = self._table(directory)
        self._open(directory)
        if informed:
            self.inform()

    def _table(self, directory: Path) -> RoutingTable:
        path = directory / "registry.toml"
        path.write_text(INDEX)
        return RoutingTable.build(read_index(path), "local-dev")

    def _open(self, directory: Path) -> None:
        endpoint = f"ipc://{directory}/admin.sock"
        socket = bind_router(self._context, endpoint, Security(), Limits(), admin=True)
        self.mailbox = ConsoleMailbox("console", RouterSocket(socket), self.supervisor)
        self.endpoint = endpoint_of(socket)
        self.start()

    def start(self) -> None:
        """Start the console, or the one after."""
        given = ChannelInputs(
            directory=self._actors.directory,
            snapshot=RoutingSnapshot(self.table),
            profiles=self.profiles,
            limits=Limits(),
            read_directory=lambda: None,
            epoch=MonotonicWallClock(),
            slowdowns=Slowdowns(),
        )
        AdminConsole.start(self.mailbox, given, self._actors)

    def fail(self) -> None:
        """Have the console fail, and the next one, which tries the same message again; start one more."""
        self.mailbox.tell("a message of no kind")
        for _ in range(2):
            assert isinstance(self.supervisor.hear(), Crashed)
            self.start()

    def inform(self) -> None:
        """Tell the console what the Directory would tell it."""
        tokens = tuple(Token(sha256(text.encode()).digest(), each) for text, each in PEOPLE.items())
        grant = Grant("g_" + "1" * 16, PEOPLE["super admin"].person, "acme", UNTIL)
        self.mailbox.tell(
            DirectoryChanged((ACME, GLOBEX, ASLEEP), tokens, grants=(grant,), complete=True)
        )
        self.settled()

    def promote(self, person: str, tenant: str) -> None:
        """Let somebody be super admin there, too."""
        self.mailbox.tell(DirectoryChanged(grants=(Grant("g_" + "2" * 16, person, tenant, UNTIL),)))
        self.settled()

    def settled(self) -> None:
        """Wait until the console has dealt with all that it was told by now, and with what that led to."""
        for _ in range(MOST_WAITS):
            ask(self.mailbox, Ping(), WAIT)

    def close(self) -> None:
        """Stop the console, if it is there."""
        if self.mailbox.incarnation is not None:
            stop(self.mailbox, WAIT)
        self._context.destroy(linger=0)

    def raw_client(self) -> RawClient:
        """A connection."""
        return RawClient(self.endpoint)

    def locally(self, action: str, tenant: str | None = None, **params: Any) -> ReplyFuture:
        """Ask as the wiring does."""
        answer = ReplyFuture()
        self.mailbox.tell(LocalCall(action, tenant, params, answer))
        return answer

    def due(self, kind: type) -> float:
        """Let the first thing of this kind happen that the Clock was asked for; how much later that is."""
        for name, message in list(self.log):
            if name == "clock" and isinstance(message, Once) and isinstance(message.message, kind):
                self.log.remove((name, message))
                message.to.tell(message.message)
                return message.seconds
        raise AssertionError(f"nobody asked the clock for {kind.__name__}")

    def order(self) -> list[str]:
        """Who was asked to record or to change something, in order: kinds of entries, and commands."""
        found = []
        for _, message in list(self.log):
            if isinstance(message, Append):
                found.append(message.entry.kind)
            elif isinstance(message, Execute):
                found.append(type(message.command).__name__)
        return found

    def ordered(self) -> list[Execute]:
        """What the Directory was told to change."""
        return [message for _, message in list(self.log) if isinstance(message, Execute)]

    # Stand-ins

    def _record(self, message: Any) -> Any:
        if self.is_full:
            raise AuditProblem("no room")
        if isinstance(message, Append):
            self.entries.append(message.entry)
        return {"seq": len(self.entries), "head": "f" * 64}

    def _direct(self, message: Any) -> Any:
        if not isinstance(message, Execute):
            return LIMITS
        command = type(message.command).__name__
        return CommandDone(LIMITS if command == "SetLimits" else REMOVED)

    def _find(self, message: Any) -> None:
        if isinstance(message, FindTenant):
            message.reply_to.tell(TenantAddress(message.tenant, self.tenant))


def fields(who: str, action: str, tenant: str | None = "acme", /, **params: Any) -> Map:
    """A request of somebody, by the text of his token."""
    found: Map = {"token": who, "action": action, "params": params}
    return found if tenant is None else {**found, "tenant": tenant}
