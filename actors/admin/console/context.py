"""What a function of the admin channel is given besides its params: who gives the order, on which tenant.

What a token that is to be issued may be good for: names of actions that there are.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from hashlib import sha256
from typing import Any, NamedTuple, Protocol

from actors.admin.messages import CommandDone, Execute
from actors.edge.builtin_actions import built_in
from actors.errors import InvalidArgument
from actors.messages import Principal, Receipt, TenantRecord
from actors.routing.table import RoutingTable
from actors.runtime.futures import PendingReply, ask_async
from actors.runtime.mailbox import Mailbox
from actors.schema.source import did_you_mean
from transport.message import Problem


class Connectors(Protocol):
    """Whom functions call, by the names of the index."""

    @property
    def awake(self) -> tuple[Mailbox, ...]:
        """Those that have been asked for anything yet."""
        ...

    def get(self, name: str, /) -> Mailbox | None:
        """None where there is no such connector."""
        ...

    def __iter__(self) -> Iterator[str]: ...


class Actors(NamedTuple):
    """Whom the console and its functions talk to."""

    directory: Mailbox
    supervisor: Mailbox
    registry: Mailbox
    audit_log: Mailbox
    audit_reader: Mailbox
    log_reader: Mailbox
    stats: Mailbox
    clock: Mailbox
    router: Mailbox
    connectors: Connectors


class AdminContext:
    """Given to every function as its first argument, for one call."""

    def __init__(
        self,
        *,
        tenant: TenantRecord | None,
        caller: Principal,
        action: str,
        now: datetime,
        trace_id: str,
        table: RoutingTable,
        actors: Actors,
        receipt: Receipt | None,
    ) -> None:
        self.tenant = tenant
        """Whom the call is about; None where the caller named nobody, which only the platform's may."""
        self.caller = caller
        """In the role acted in: a super admin's is `super admin`."""
        self.action = action
        self.now = now
        """When this call was begun, in UTC."""
        self.trace_id = trace_id
        self.table = table
        self.actors = actors
        self.replayed = False
        """True once an order turned out to have been done before."""
        self.receipt = receipt
        """Makes a change safe to ask for again; None for what the process itself asks."""

    @property
    def tenant_name(self) -> str:
        """Whom the call is about; InvalidArgument where the caller did not say."""
        if self.tenant is None:
            raise tenant_missing(self.action)
        return self.tenant.name

    async def execute(self, command: Any) -> dict[str, Any]:
        """Have the Directory change something; its result, and whatever ActionError it refuses with.

        Once in a call: the request's id makes one order safe to repeat, not two.
        """
        tenant_id = self.tenant and self.tenant.id
        message = Execute(command, self.caller, self.receipt, tenant_id)
        done: CommandDone = await self.ask(self.actors.directory, message)
        self.replayed = done.replayed
        return done.result

    def ask(self, mailbox: Mailbox, message: Any) -> PendingReply:
        """Ask an actor now; await the answer, or ask another one before."""
        return ask_async(mailbox, message)


def command_fingerprint(action: str, tenant: str | None, params: Mapping[str, Any]) -> bytes:
    """SHA-256 that is equal for equal content, whatever the order of keys: what a Receipt holds.

    `tenant` is its id.
    """
    content = json.dumps([action, tenant, params], sort_keys=True, separators=(",", ":"))
    return sha256(content.encode(errors="surrogatepass")).digest()


def tenant_missing(action: str) -> InvalidArgument:
    """The refusal of a call that has to say which tenant it is about."""
    problem = Problem("tenant", f"missing; {action} is about one tenant")
    return InvalidArgument(f"{problem.field}: {problem.problem}", details=(problem,))


def scope_of(names: Sequence[str] | None, table: RoutingTable) -> frozenset[str] | None:
    """The scope as Principal has it; None for all. InvalidArgument for names of no action."""
    if names is None:
        return None
    known = {*table.routes, *built_in()}
    unknown = [(at, name) for at, name in enumerate(names) if name not in known]
    if unknown:
        raise InvalidArgument(
            f"scope names no action: {', '.join(name for _, name in unknown)}; "
            "system.describe lists what there is",
            details=tuple(
                Problem(f"params.scope.{at}", f"no such action{did_you_mean(name, known)}")
                for at, name in unknown
            ),
        )
    return frozenset(names)
