"""What actors say to each other: frozen values, one screen for each conversation."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from transport.message import Encoding, Refusal, Request

TENANT_ID: Final = re.compile(r"[0-9a-f]{32}")


class Principal(NamedTuple):
    """Who is calling, as the token says."""

    id: str
    """Stable name of the caller, such as `t_4f1c…`: the same for every message under one token."""
    tenant: str | None
    """The tenant the token belongs to; None for a platform token."""
    role: str
    """The role acted in: one of actors.access.ROLES; a token itself never says super admin."""
    person: str = ""
    """Id of the person that the token was issued to, such as `p_91ab…`; empty for nobody."""
    areas: frozenset[str] = frozenset()
    """What is delegated to an owner: of actors.access.AREAS."""
    scope: frozenset[str] | None = None
    """Names of the only actions that the token is good for; None for all that the role may call."""
    expires: float | None = None
    """Seconds since the epoch from which on the token is no longer good; None for never."""

    @property
    def caller(self) -> str:
        """Whose ids are remembered: the person's, under any token; the token's where it has no person."""
        return self.person or self.id


ANYONE = Principal(id="", tenant=None, role="public")
"""A caller without a token: may call public actions and nothing else."""


class Peer(NamedTuple):
    """Where a reply goes: a connection of one socket, never a proof of who is calling."""

    routing_id: bytes
    """ZeroMQ's name for the connection, given by the ROUTER socket."""
    delimited: bool
    """True where the request came with an empty delimiter frame (REQ), which then goes back first."""
    encoding: Encoding
    """The encoding of the request, and so of its reply."""


class TenantRequest(NamedTuple):
    """One authenticated request on its way to the tenant that will serve it."""

    request: Request
    principal: Principal
    peer: Peer
    outlet: Any
    """The mailbox of the actor that owns the peer's socket: `outlet.put(Replies(...))`."""
    received: float
    """time.monotonic() when the frame was read, in seconds."""
    trace_id: str
    """32 hexadecimal digits, from `traceparent` or made on arrival."""

    @property
    def whose(self) -> tuple[str, str, str]:
        """Under which its reply is remembered: caller and id; and the token's id, as it was before."""
        principal = self.principal
        return principal.caller, self.request.id, principal.id


class Replies(NamedTuple):
    """Packed replies whose commit is on disk, ready for the socket, in the order they were made."""

    frames: list[tuple[Peer, bytes]]


class DeadLetter(NamedTuple):
    """To a tenant: set this request aside, it has taken two incarnations with it; answer `internal`."""

    work: TenantRequest
    reason: str
    """The error that ended the last incarnation, for the table and the log."""


class CallConnector(NamedTuple):
    """To a connector: do this for a function that waits. Answered once, also after the deadline.

    The answer is a map that fits the operation's result schema, or an error that the function gets to see:
    an ActionError where it was to be expected.
    """

    operation: str
    """With the connector's name, such as `mail.send`: the same whichever version of it answers."""
    params: Mapping[str, Any]
    """They fit the operation's schema."""
    tenant: TenantRecord
    trace_id: str
    """Of the request that the function serves."""
    key: str
    """Idempotency key: the same for every try of one call, and another for every other call."""
    at: float
    """When it was asked for, in seconds since the epoch: the same for every try, too."""
    deadline: float
    """time.monotonic() in seconds; nobody waits for the answer after it."""
    reply_to: Any
    """An actors.runtime.futures.ReplyFuture."""


class OutboxDue(NamedTuple):
    """To a tenant: see to your outbox. Wakes it where something waits there and nobody is in."""


class Delivered(NamedTuple):
    """To a tenant: connectors have answered to what it had sent."""


class FindCalls(NamedTuple):
    """To a connector: what does its journal know of these calls? The newest first; maps, or the error."""

    tenant_id: str | None
    """None for every tenant's."""
    limit: int
    reply_to: Any
    """An actors.runtime.futures.ReplyFuture."""
    trace_id: str | None = None
    key: str | None = None
    id: str | None = None
    outcome: str | None = None


class ReplayCall(NamedTuple):
    """To a connector: transform a recorded call on the version that is served now, and call nobody.

    Answered by a map; NotFound, FailedPrecondition where there is nothing to transform.
    """

    tenant_id: str
    id: str
    reply_to: Any


class CheckSettings(NamedTuple):
    """To a connector: whether a tenant's settings, which fit their schema, can ever work; no call is made.

    Answered by True; InvalidArgument says what cannot. Shows nothing of itself.
    """

    tenant_id: str
    settings: Mapping[str, Any]
    reply_to: Any

    def __repr__(self) -> str:
        return f"CheckSettings({self.tenant_id!r})"


class Quiesce(NamedTuple):
    """To a connector: answer True once no call is at work on a version that is served no longer."""

    reply_to: Any


class Passivate(NamedTuple):
    """To a tenant: close the database and stop; answered by Stopped, or by PassivationDeclined.

    A tenant declines while mail waits, or functions wait for connectors.
    """

    insist: bool = False
    """Leave also where mail waits, which then wakes the tenant again: others wait for its place."""
    patient: bool = False
    """Leave once the last function has its answer, and let none in that might wait: there is nobody else."""
    cancel: bool = False
    """Also cancel the functions that wait: the tenant is deleted."""


class PassivationDeclined(NamedTuple):
    """To the supervisor: mail came, or functions wait for connectors, so the tenant did not leave."""

    mailbox: Any


class FindTenant(NamedTuple):
    """To the supervisor: which mailbox is this tenant's? Answered by TenantAddress."""

    tenant: TenantRecord
    reply_to: Any


class TenantAddress(NamedTuple):
    """A tenant's mailbox; valid as long as the process lives, whether or not the tenant is resident."""

    tenant: TenantRecord
    mailbox: Any


class TenantRecord(NamedTuple):
    """What the directory knows of a tenant."""

    name: str
    """What clients call it."""
    id: str
    """32 hexadecimal digits, made once; names the database file and is stamped into it."""
    status: str = "active"
    """ACTIVE, SUSPENDED or DELETING: only an active tenant is served on the data channel."""


ACTIVE = "active"
SUSPENDED = "suspended"
DELETING = "deleting"
"""Its last day is set; until then it can be resumed."""


class Token(NamedTuple):
    """A bearer token as the router needs it: its hash, and whom it stands for."""

    digest: bytes
    """SHA-256 of the token's text; the text itself is nowhere kept."""
    principal: Principal


class Grant(NamedTuple):
    """A developer admin is super admin on one tenant until then, or until the grant is withdrawn."""

    id: str
    """Such as `g_07d2…`."""
    person: str
    tenant: str
    """The tenant's name."""
    until: float
    """Seconds since the epoch."""


class Receipt(NamedTuple):
    """Makes an order safe to repeat: same caller, id and digest get the first result again for 24 h."""

    caller: str
    """`Principal.caller`: the person's id."""
    id: str
    """The request's id."""
    digest: bytes
    """SHA-256 of action, tenant's id and params: the same id for something else is InvalidArgument."""
    token: str = ""
    """`Principal.id`, under which receipts were kept before; empty where there are none of these."""


class DirectoryChanged(NamedTuple):
    """To the router and the console: what came and went since the last one."""

    tenants: tuple[TenantRecord, ...] = ()
    tokens: tuple[Token, ...] = ()
    revoked: tuple[bytes, ...] = ()
    """Digests of tokens that are no longer good."""
    grants: tuple[Grant, ...] = ()
    ended: tuple[str, ...] = ()
    """Ids of grants that hold no longer."""
    forgotten: tuple[TenantRecord, ...] = ()
    """Tenants that are deleted, for good."""
    complete: bool = False
    """True where this is all there is: what else the router knows has gone."""


class TokensUsed(NamedTuple):
    """To the Directory: when tokens were last used, by their ids; told every minute and at the end."""

    at: Mapping[str, float]
    """Seconds since the epoch, by `Principal.id`."""


class Retire(NamedTuple):
    """To the supervisor: this tenant is deleted; have it leave and never come back. Answered by Retired.

    Its mail is refused `unavailable` from now on. Known or not, resident or not, the answer comes once its
    file is closed.
    """

    tenant: TenantRecord
    reply_to: Any


class Retired(NamedTuple):
    """From the supervisor: the tenant's file is open nowhere."""

    tenant: TenantRecord


class ListResidents(NamedTuple):
    """Ask the supervisor: the mailboxes of all tenants that hold an open database, as a frozenset."""


class Unserved(NamedTuple):
    """A tenant that cannot be served for now: its mail is refused until it is tried again."""

    tenant: TenantRecord
    refusal: Refusal
    """What its callers are told."""
    cause: str
    """Why, for the operator."""
    ends: float
    """time.monotonic() at which it is tried again, with the next message for it."""


class ListUnserved(NamedTuple):
    """Ask the supervisor: the tenants that cannot be served for now, as a tuple of Unserved, by name."""


class DryRun(NamedTuple):
    """Ask a tenant: run these versions on one message, and take back all they do.

    Answered by a list of maps, one for each: {"version", "ok", "result" or "error", "statements", "rows",
    "ms"}.
    """

    routes: tuple[Any, ...]
    """Of actors.routing.table.Route."""
    params: Mapping[str, Any]
    principal: Principal
    trace_id: str


class ListDeliveries(NamedTuple):
    """Ask a tenant: what is in its outbox, in the order of sending: the dead letters, or all that waits.

    Answered by a list of at most `limit` maps, as `[shapes.delivery]` says.
    """

    dead: bool
    connector: str | None
    """Of this one alone."""
    after: int
    """Id of the last one of the page before."""
    limit: int


class Redeliver(NamedTuple):
    """Ask a tenant: bring dead letters back, by id or all of a connector; answered by how many it were."""

    id: int | None
    connector: str | None


class Migrate(NamedTuple):
    """To the Migrator: bring this tenant's file, open nowhere, to head; answered by Migrated."""

    tenant: TenantRecord
    mailbox: Any
    """The tenant's, so that the answer tells whose it is."""
    reply_to: Any


class Migrated(NamedTuple):
    """From the Migrator."""

    mailbox: Any
    error: Exception | None
    """Why the file is as it was; None where it is at head."""
