"""The messages between actors: frozen values, one screen for each conversation."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final, NamedTuple, final

from msgspec import Struct

from actors.expectations import Expected
from transport.message import Encoding, Refusal
from transport.request.model import Request

TENANT_ID: Final = re.compile(r"[0-9a-f]{32}")


@final
class Principal(Struct, frozen=True):
    """The caller of a request, as its token states."""

    id: str
    """Stable id of the token, such as `t_4f1c…`: the same for every message under it."""
    tenant: str | None
    """The tenant the token belongs to; None for a platform token."""
    role: str
    """The acting role: one of actors.access.ROLES. A token itself never states super admin."""
    person: str = ""
    """Id of the person that the token was issued to, such as `p_91ab…`; empty if it has no person."""
    areas: frozenset[str] = frozenset()
    """Areas delegated to an owner: of actors.access.AREAS."""
    scope: frozenset[str] | None = None
    """Names of the only actions that the token may call; None for all that the role may call."""
    expires: float | None = None
    """Seconds since the epoch at which the token expires; None for never. A suspended one has expired."""
    is_suspended: bool = False
    """Whether the token was suspended for bad intent, until an owner lifts that."""

    @property
    def caller(self) -> str:
        """The caller for idempotency: the person, under any token; the token if it has no person."""
        return self.person or self.id


ANYONE = Principal(id="", tenant=None, role="public")
"""A caller without a token, who may call public actions and nothing else."""


@final
class Peer(Struct, frozen=True, gc=False):
    """The connection that a reply goes to. Never a proof of who is calling."""

    routing_id: bytes
    """ZeroMQ's id of the connection, given by the ROUTER socket."""
    delimited: bool
    """True if the request came with an empty delimiter frame (REQ), which the reply then starts with."""
    encoding: Encoding
    """The encoding of the request and of its reply."""


@final
class TenantRequest(Struct, frozen=True):
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
    size: int = 0
    """Bytes of the body; 0 if no client has sent it."""

    @property
    def whose(self) -> tuple[str, str, str]:
        """The key of the stored reply: caller and request id; and the token's id, for older ones."""
        principal = self.principal
        return principal.caller, self.request.id, principal.id


class Replies(NamedTuple):
    """Encoded replies whose commit is on disk, ready for the socket, in the order they were made."""

    frames: list[tuple[Peer, bytes]]


class DeadLetter(NamedTuple):
    """To a tenant: answer this request `internal` without running it; it has crashed its actor twice."""

    work: TenantRequest
    reason: str
    """The error of the last crash, for the table and the log."""


class CallConnector(NamedTuple):
    """To a connector: run an operation for a function that waits. Answered once, also after the deadline.

    The answer is a map that fits the operation's result schema, or an error that is raised in the function:
    an ActionError if it was to be expected.
    """

    operation: str
    """Connector and operation, such as `mail.send`: the same for every version of the connector."""
    params: Mapping[str, Any]
    """They are valid by the operation's schema."""
    tenant: TenantRecord
    trace_id: str
    """Of the request that the function serves: 32 hexadecimal digits."""
    key: str
    """Idempotency key: the same for every attempt of one call, and different for every other call."""
    at: float
    """When the call was made, in seconds since the epoch: the same for every attempt."""
    deadline: float
    """time.monotonic() in seconds, after which no function waits for the answer."""
    reply_to: Any
    """An actors.runtime.futures.ReplyFuture."""


class OutboxDue(NamedTuple):
    """To a tenant: deliver the messages in the outbox that are due. Starts a tenant that is not resident."""


class Delivered(NamedTuple):
    """To a tenant: connectors have answered deliveries of its outbox."""


class FindCalls(NamedTuple):
    """To a connector: find calls in its journal. Answered by maps, the newest first, or by the error."""

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
    """To a connector: transform a recorded call with the version that is served now; no service is called.

    Answered by a map, or by NotFound or FailedPrecondition if there is nothing to transform.
    """

    tenant_id: str
    id: str
    reply_to: Any


class CheckSettings(NamedTuple):
    """To a connector: check whether a tenant's settings, valid by their schema, can work. No call is made.

    Answered by True, or by InvalidArgument with the setting that cannot work. Its repr shows no setting.
    """

    tenant_id: str
    settings: Mapping[str, Any]
    reply_to: Any

    def __repr__(self) -> str:
        return f"CheckSettings({self.tenant_id!r})"


class Quiesce(NamedTuple):
    """To a connector: answer True once no call runs on a version that is no longer served."""

    reply_to: Any


class Passivate(NamedTuple):
    """To a tenant: close the database and stop. Answered by Stopped, or by PassivationDeclined.

    A tenant declines while mail waits, or functions wait for connectors.
    """

    insist: bool = False
    """Stop even if mail waits, which then starts the tenant again: other tenants wait to be resident."""
    patient: bool = False
    """Stop once the last waiting function has its answer, and start none that might wait: no other tenant can
    be evicted."""
    cancel: bool = False
    """Also cancel the functions that wait: the tenant is deleted."""


class PassivationDeclined(NamedTuple):
    """To the supervisor: the tenant did not stop, since mail came or functions wait for connectors."""

    mailbox: Any


class FindTenant(NamedTuple):
    """To the supervisor: find the tenant's mailbox. Answered by TenantAddress."""

    tenant: TenantRecord
    reply_to: Any


class TenantAddress(NamedTuple):
    """A tenant's mailbox. Valid as long as the process lives, whether or not the tenant is resident."""

    tenant: TenantRecord
    mailbox: Any


@final
class TenantRecord(Struct, frozen=True):
    """A tenant as the Directory records it."""

    name: str
    """The name that clients use."""
    id: str
    """32 hexadecimal digits, made once. The database file is named by it and contains it."""
    status: str = "active"
    """ACTIVE, SUSPENDED or DELETING. Only an active tenant is served on the data channel."""


ACTIVE = "active"
SUSPENDED = "suspended"
DELETING = "deleting"
"""The day of its deletion is set; until then it can be resumed."""


class Token(NamedTuple):
    """A bearer token as the router needs it: its hash and its principal."""

    digest: bytes
    """SHA-256 of the token's text. The text itself is stored nowhere."""
    principal: Principal


class Grant(NamedTuple):
    """Makes a developer admin super admin on one tenant, until it ends or is revoked."""

    id: str
    """Such as `g_07d2…`."""
    person: str
    tenant: str
    """The tenant's name."""
    until: float
    """Seconds since the epoch."""


class Receipt(NamedTuple):
    """Makes a command safe to repeat: the same caller, id and digest get the first result again for 24 h."""

    caller: str
    """`Principal.caller`: the person's id."""
    id: str
    """The request's id."""
    digest: bytes
    """SHA-256 of action, tenant's id and params. The same id with another digest is InvalidArgument."""
    token: str = ""
    """`Principal.id`, under which older receipts are stored; empty if there are none."""


class DirectoryChanged(NamedTuple):
    """To the router and the console: what was added and removed since the last such message."""

    tenants: tuple[TenantRecord, ...] = ()
    tokens: tuple[Token, ...] = ()
    revoked: tuple[bytes, ...] = ()
    """Digests of tokens that are no longer valid."""
    grants: tuple[Grant, ...] = ()
    ended: tuple[str, ...] = ()
    """Ids of grants that have ended."""
    forgotten: tuple[TenantRecord, ...] = ()
    """Tenants that are deleted for good."""
    complete: bool = False
    """True if the message is a full snapshot: anything else that the receiver has is gone."""


class IndexPublished(NamedTuple):
    """From the Registry to the Directory: another routing table is in force; requests follow its versions."""

    table: Any
    """An actors.routing.table.RoutingTable."""
    release: str | None = None
    """Id of the release that brought it; None if it came without one."""


class PublishAll(NamedTuple):
    """To the Directory: send this subscriber, which has just started, a snapshot as DirectoryChanged."""

    mailbox: Any


class TokensUsed(NamedTuple):
    """To the Directory: when tokens were last used. Sent every minute and at the end."""

    at: Mapping[str, float]
    """Seconds since the epoch, by `Principal.id`."""


class Retire(NamedTuple):
    """To the supervisor: stop a deleted tenant for good. Answered by Retired once its file is closed.

    Its requests are rejected `unavailable` from now on. The tenant need not be resident, nor known.
    """

    tenant: TenantRecord
    reply_to: Any


class Retired(NamedTuple):
    """From the supervisor: the retired tenant's file is closed."""

    tenant: TenantRecord


class ListResidents(NamedTuple):
    """Ask the supervisor for the mailboxes of all tenants with an open database, as a frozenset."""


class Unserved(NamedTuple):
    """A tenant that cannot be served now: its requests are rejected until it is started again."""

    tenant: TenantRecord
    refusal: Refusal
    """The refusal of its requests."""
    cause: str
    """Why it cannot be served, for operators."""
    ends: float
    """time.monotonic() from which on the next message for it starts it again."""


class ListUnserved(NamedTuple):
    """Ask the supervisor for the tenants that cannot be served now, as a tuple of Unserved, by name."""


class DryRun(NamedTuple):
    """Ask a tenant to run these versions on one message, and to roll back all that they write.

    Answered by a list of maps, one for each version: {"version", "ok", "result" or "error", "statements",
    "rows", "ms"}.
    """

    routes: tuple[Any, ...]
    """Of actors.routing.table.Route."""
    params: Mapping[str, Any]
    principal: Principal
    trace_id: str


class ListDeliveries(NamedTuple):
    """Ask a tenant for messages of its outbox, in the order of sending: the dead letters, or all that wait.

    Answered by a list of at most `limit` maps of the shape `[shapes.delivery]`.
    """

    dead: bool
    connector: str | None
    """Only messages to this connector; None for all."""
    after: int
    """Id of the last message of the page before."""
    limit: int


class Redeliver(NamedTuple):
    """Ask a tenant to retry dead letters: one by id, or all of a connector.

    Answered by their number; by Aborted if they are not as expected.
    """

    id: int | None
    connector: str | None
    expected: Expected | None = None


class Migrate(NamedTuple):
    """To the Migrator: migrate this tenant's file, which is closed, to the newest revision.

    Answered by Migrated.
    """

    tenant: TenantRecord
    mailbox: Any
    """The tenant's mailbox, repeated in the answer."""
    reply_to: Any


class Migrated(NamedTuple):
    """From the Migrator: the tenant's file was migrated, or an error prevented that."""

    mailbox: Any
    error: Exception | None
    """Why the file is as it was; None if it is at the newest revision."""
