"""A channel: turns the frames of one ROUTER socket into requests and sends replies back.

Its mailbox is its socket. Here is what both channels share: parse a request, authenticate its caller, answer
the `system.` actions, refuse. Subclasses handle all other requests.
"""

from __future__ import annotations

import threading
import time
from abc import abstractmethod
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import structlog

from actors.edge.allowance import Pace
from actors.edge.authentication import Authenticator
from actors.edge.builtin_actions import Pages, is_system
from actors.edge.intent_watch import IntentWatch
from actors.errors import ActionError, InvalidArgument, Unavailable
from actors.host.clocks import MonotonicWallClock
from actors.intent.suspicions import LogStep, Slowdowns, SuspicionClient
from actors.messages import (
    ANYONE,
    DirectoryChanged,
    Peer,
    Principal,
    PublishAll,
    Replies,
    TenantRequest,
    TokensUsed,
)
from actors.profiles import DEFAULT_PROFILE, Profile, Profiles
from actors.registry.shared import Shared
from actors.registry.snapshot import RoutingSnapshot
from actors.replies import (
    INTERNAL_REFUSAL,
    encode_packed_result,
    encode_refusal,
    new_trace_id,
    refusal_bytes,
)
from actors.runtime.actor import Actor
from actors.runtime.mailbox import Incarnation, Mailbox
from transport.frames import Frame
from transport.message import UNAUTHENTICATED, Refusal
from transport.request import parser
from transport.request.model import Request
from transport.router_socket import RouterSocket
from transport.validation import Limits

log = structlog.get_logger()

LINGER_MS = 2000
"""Milliseconds that a stopping server waits for peers to read their replies."""


TURN_SECONDS = 0.05
"""Seconds of one turn at most. Of messages that are passed on, a batch takes a few milliseconds."""

FLUSH_SECONDS = 60.0
"""Seconds between two reports of used tokens to the Directory."""


class Draining:
    """From System: refuse new requests. Accepted requests are still answered."""


class FlushUses:
    """From the Clock: send the used tokens to the Directory."""


class ChannelMailbox(Mailbox):
    """The socket as a mailbox, with a thread of its own that no other actor uses."""

    __slots__ = ("draining", "socket")

    def __init__(self, name: str, socket: RouterSocket, supervisor: Mailbox | None) -> None:
        super().__init__(name, lambda _: None, supervisor=supervisor)
        self.socket = socket
        self.draining = False
        """True while new requests are refused. Kept here because it outlives an incarnation."""

    def tell(self, message: Any) -> None:
        """Append a message from another actor and wake this one if it sleeps."""
        self.socket.append(message)

    put = tell

    def take_up_to(self, most: int) -> list[Any]:
        """What was put back, or else wait for mail of either kind."""
        return super().take_up_to(most) or self.socket.receive_batch()

    def requeue(self, messages: Iterable[Any]) -> None:
        """Put messages back, in their order: frames into the socket, behind those from inside."""
        left = list(messages)
        if left:
            self.socket.put_back([each for each in left if type(each) is Frame])
        super().requeue(each for each in left if type(each) is not Frame)

    def attach(self, incarnation: Incarnation) -> None:
        """Each incarnation gets a thread; the one before it has ended."""
        self.incarnation = incarnation
        threading.Thread(target=self._live, args=[incarnation], name=self.name, daemon=True).start()

    def release(self) -> None:
        """Nothing to hand back: the thread goes on with the next turn."""

    def _live(self, incarnation: Incarnation) -> None:
        while self.incarnation is incarnation:
            incarnation.turn()


class ChannelInputs(NamedTuple):
    """What a channel reads, and where it asks for all that the Directory publishes."""

    directory: Mailbox
    snapshot: RoutingSnapshot
    profiles: Profiles
    limits: Limits
    """Of the messages of peers."""
    read_directory: Callable[[], object]
    """Asks the Directory to send the channel all its data."""
    epoch: MonotonicWallClock
    """By which tokens end."""
    slowdowns: Slowdowns
    """Published by the IntentMonitor."""
    monitor: Mailbox | None = None
    """The IntentMonitor; None for no suspicions."""

    @classmethod
    def of(cls, shared: Shared, mailbox: Mailbox) -> ChannelInputs:
        """Return those of one incarnation in this mailbox."""
        directory = shared.actors.directory
        return cls(
            directory,
            shared.snapshot,
            shared.profiles,
            shared.limits,
            lambda: directory.tell(PublishAll(mailbox)),
            shared.epoch(),
            shared.slowdowns,
            shared.actors.intent_monitor,
        )


class Channel(Actor):
    """Owns one ROUTER socket; never blocks on another actor. Subclasses implement `_admit`."""

    mailbox: ChannelMailbox

    def __init__(
        self,
        mailbox: ChannelMailbox,
        given: ChannelInputs,
    ) -> None:
        super().__init__(mailbox)
        self._profiles = given.profiles
        self._authenticator = Authenticator(given.epoch)
        self._directory = given.directory
        self._snapshot = given.snapshot
        self._limits = given.limits
        self._pages = Pages()
        self._ends = 0.0
        """time.monotonic() at which the turn ends."""
        self._read_directory = given.read_directory
        self._pace = Pace(given.slowdowns)
        self._watch = IntentWatch(
            mailbox,
            mailbox.socket,
            self._authenticator,
            given.snapshot,
            self._pace,
            SuspicionClient(given.monitor, lambda: given.snapshot.current.described.intent),
        )
        self._add_handlers(
            {
                Frame: self._frame,
                Replies: self._send,
                DirectoryChanged: self._directory_changed,
                FlushUses: self._flush,
                Draining: self._drain,
                LogStep: self._watch.log_step,
            }
        )

    def on_start(self) -> None:
        """Ask the Directory for all its data; until it has come, no token is known."""
        self._read_directory()

    def on_stop(self) -> None:
        """Give peers LINGER_MS to read their replies, then close the socket."""
        self.mailbox.socket.drain(LINGER_MS)
        self.mailbox.socket.close()

    def handle(self, mail: deque[Any]) -> None:
        """Handle mail for as long as a turn may take, all that is from inside; then send the suspicions.

        Frames that are left are put back: other connections' messages may be there by now.
        """
        self.at = 0
        self._ends = time.monotonic() + TURN_SECONDS
        try:
            while mail and not self.actor_stopped.is_set():
                message = mail[0]
                if type(message) is Frame:  # as most are, and the common way to a handler is long
                    self._frame(message)
                else:
                    self._handle(message)
                mail.popleft()
                if time.monotonic() > self._ends and mail and type(mail[0]) is Frame:
                    break
        finally:
            self._watch.flush()

    # For subclasses

    @abstractmethod
    def _admit(self, work: TenantRequest) -> None:
        """Handle a request that is no system action, from an authenticated caller or ANYONE.

        An ActionError goes back as the refusal; any other exception is logged and goes back as `internal`.
        """

    def _count(self, caller: Principal, connection: bytes, now: float) -> None:
        """Count a request before it is handled, whatever its outcome; an ActionError refuses it."""

    def _refuse(self, work: TenantRequest, refusal: Refusal) -> None:
        """Send a refusal back. All refusals of readable requests pass here.

        The caller is ANYONE if there was no token, or if it was unknown or not checked.
        """
        self._reply(work.peer, encode_refusal(work, refusal))

    def _on_unauthenticated(self, request: Request, trace_id: str) -> None:
        """Called before a request is refused as unauthenticated, here or by `_admit`."""

    def _profile_of(self, name: str | None) -> Profile:
        """Return the profile of the tenant of this name; that of one without any record if there is none."""
        tenant = self._authenticator.tenant(name)
        return DEFAULT_PROFILE if tenant is None else self._profiles.of(tenant.id)

    def _require_open(self) -> None:
        """Raise Unavailable while the server stops."""
        if self.mailbox.draining:
            raise stopping()

    # From the network

    def _frame(self, frame: Frame) -> None:
        self._read(frame, time.monotonic())

    def _read(self, frame: Frame, received: float) -> None:
        """Handle one message of a peer: [routing id, body] or [routing id, empty, body]."""
        parts, body = frame.parts, frame.parts[-1]
        delimited = len(parts) > 2 and parts[1] == b""
        try:
            request, encoding = parser.parse_request(body, self._limits)
        except parser.BadRequest as bad:
            self._reject_malformed(parts[0], delimited, bad)
            return
        peer = Peer(parts[0], delimited, encoding)
        trace_id = request.traceparent[3:35] if request.traceparent else new_trace_id()
        caller = ANYONE
        try:
            if len(parts) != 2 + delimited:
                raise malformed()
            self._require_open()
            if self.mailbox.socket.is_full(parts[0]):
                raise unread()
            caller = self._authenticator.authenticate(request.token)
            if frame.is_deferred and caller is not ANYONE:
                self.mailbox.socket.trust(parts[0])
            if self._pace.is_used:
                self._pace.require(caller.id, received)
            self._count(caller, parts[0], received)
            work = TenantRequest(request, caller, peer, self.mailbox, received, trace_id, len(body))
            if self.mailbox.socket.has_keys:
                self._watch.check_key(work)
            if is_system(request.action):
                self._answer_system(work)
            else:
                self._admit(work)
        except ActionError as error:
            if error.code == UNAUTHENTICATED:
                self._on_unauthenticated(request, trace_id)
            work = TenantRequest(request, caller, peer, self.mailbox, received, trace_id)
            self._refuse(work, self._watch.after_refusal(work, error).refusal)
        except Exception as error:  # noqa: BLE001 - one client's message must not cost the others theirs
            work = TenantRequest(request, caller, peer, self.mailbox, received, trace_id)
            _log_failure(self.mailbox.name, work, error)
            self._refuse(work, INTERNAL_REFUSAL)

    def _reject_malformed(self, routing_id: bytes, delimited: bool, bad: parser.BadRequest) -> None:
        if bad.id is None:
            self.mailbox.socket.counters.undecodable += 1
            return
        body = refusal_bytes(bad.id, bad.refusal, new_trace_id(), bad.encoding)
        self._reply(Peer(routing_id, delimited, bad.encoding), body)

    def _answer_system(self, work: TenantRequest) -> None:
        tests = self._profile_of(work.principal.tenant).tests
        origins = self._profile_of(work.request.tenant).config.origins
        route, result = self._pages.answer(self._snapshot.current, work, tests, origins)
        self._reply(work.peer, encode_packed_result(work, route, result))

    # To the network

    def _send(self, message: Replies) -> None:
        send = self.mailbox.socket.send
        for peer, body in message.frames:
            send(peer.routing_id, [b"", body] if peer.delimited else [body])

    def _reply(self, peer: Peer, body: bytes) -> None:
        self.mailbox.socket.send(peer.routing_id, [b"", body] if peer.delimited else [body])

    # From inside

    def _directory_changed(self, change: DirectoryChanged) -> None:
        self._authenticator.change(change)

    def _flush(self, _: FlushUses | Draining) -> None:
        uses = self._authenticator.drain_token_uses()
        if uses:
            self._directory.tell(TokensUsed(uses))

    def _drain(self, message: Draining) -> None:
        self.mailbox.draining = True
        self._flush(message)


def _log_failure(channel: str, work: TenantRequest, error: Exception) -> None:
    log.error(
        f"{channel} failed",
        actor=channel,
        trace_id=work.trace_id,
        action=work.request.action,
        exc_info=error,
    )


def malformed() -> InvalidArgument:
    """Return the refusal of a message whose frames are not an envelope."""
    return InvalidArgument(
        "one message is one body frame, after an empty delimiter frame or none; this one had others"
    )


def unread() -> Unavailable:
    """Return the refusal of a request on a connection that does not read its replies."""
    return Unavailable(
        "this connection has more than 16 MiB of replies to read: read them before asking for more; "
        "nothing was done",
        retry_after_ms=1000,
    )


def stopping() -> Unavailable:
    """Return the refusal of new requests while the server stops."""
    return Unavailable("the server is stopping; nothing was done", retry_after_ms=1000)
