"""What actors say to each other: frozen values, one screen for each conversation."""

from __future__ import annotations

from typing import Any, NamedTuple

from transport.message import Encoding, Request


class Principal(NamedTuple):
    """Who is calling, as the token says."""

    id: str
    """Stable name of the caller, such as `t_4f1c…`: the same for every message under one token."""
    tenant: str | None
    """The tenant the token belongs to; None for a platform token."""
    role: str
    """member, owner, admin owner, developer or developer admin (docs/message-api.md)."""


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


class Work(NamedTuple):
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


class Replies(NamedTuple):
    """Packed replies whose commit is on disk, ready for the socket, in the order they were made."""

    frames: list[tuple[Peer, bytes]]


class DeadLetter(NamedTuple):
    """To a tenant: set this request aside, it has taken two incarnations with it; answer `internal`."""

    work: Work
    reason: str
    """The error that ended the last incarnation, for the table and the log."""


class Passivate(NamedTuple):
    """To a tenant: close the database and leave; answered by Left, or Stayed where mail waits."""

    insist: bool = False
    """Leave also where mail waits, which then wakes the tenant again: others wait for its place."""


class Stayed(NamedTuple):
    """To the supervisor: mail came, so the tenant did not leave."""

    mailbox: Any


class FindTenant(NamedTuple):
    """To the supervisor: which mailbox is this tenant's? Answered by Address."""

    tenant: TenantRecord
    reply_to: Any


class Address(NamedTuple):
    """A tenant's mailbox; valid as long as the process lives, whether or not the tenant is resident."""

    tenant: TenantRecord
    mailbox: Any


class TenantRecord(NamedTuple):
    """What the directory knows of a tenant."""

    name: str
    """What clients call it."""
    id: str
    """32 hexadecimal digits, made once; names the database file and is stamped into it."""


class Token(NamedTuple):
    """A bearer token as the router needs it: its hash, and whom it stands for."""

    digest: bytes
    """SHA-256 of the token's text; the text itself is nowhere kept."""
    principal: Principal


class DirectoryChanged(NamedTuple):
    """To the router: what came and went since the last one."""

    tenants: tuple[TenantRecord, ...] = ()
    tokens: tuple[Token, ...] = ()
    revoked: tuple[bytes, ...] = ()
    """Digests of tokens that are no longer good."""
    complete: bool = False
    """True where this is all there is: what else the router knows has gone."""


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
