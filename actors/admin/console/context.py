"""The context of functions of the admin channel: caller, tenant and actors; and the scope of new tokens."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any

from actors.admin.messages import CommandDone, Execute
from actors.edge.builtin_actions import built_in
from actors.errors import InvalidArgument
from actors.expectations import Expected
from actors.messages import Principal, Receipt, TenantRecord
from actors.registry.shared import Actors
from actors.routing.table import RoutingTable
from actors.runtime.futures import PendingReply, ask_async
from actors.runtime.mailbox import Mailbox
from actors.schema.source import did_you_mean
from transport.message import Problem


@dataclass(slots=True, eq=False, kw_only=True)
class AdminContext:
    """First argument of every admin function, for one call."""

    tenant: TenantRecord | None
    """The tenant of the call; None if the caller named none, which only the platform's people may."""
    caller: Principal
    """The caller in the acting role: a super admin's role is `super admin`."""
    action: str
    now: datetime
    """Start of this call, in UTC."""
    trace_id: str
    table: RoutingTable
    actors: Actors
    receipt: Receipt | None
    """Makes a command safe to repeat; None for calls of the process itself."""
    expected: Expected | None = None
    """What the caller was shown before, if the action takes a digest of that and one was sent."""
    replayed: bool = False
    """True after a command turned out to have been executed before."""

    @property
    def tenant_name(self) -> str:
        """Return the name of the call's tenant. Raise InvalidArgument if the caller named none."""
        return self.require_tenant().name

    def require_tenant(self) -> TenantRecord:
        """Return the call's tenant. Raise InvalidArgument if the caller named none."""
        if self.tenant is None:
            raise tenant_missing(self.action)
        return self.tenant

    async def execute(self, command: Any) -> dict[str, Any]:
        """Let the Directory execute a command. Return its result, or raise its ActionError.

        Call it once per request: the request's id makes one command safe to repeat, not two.
        """
        tenant_id = self.tenant and self.tenant.id
        message = Execute(command, self.caller, self.receipt, tenant_id, self.expected)
        done: CommandDone = await self.ask(self.actors.directory, message)
        self.replayed = done.replayed
        return done.result

    def ask(self, mailbox: Mailbox, message: Any) -> PendingReply:
        """Send a message to an actor now, and return its reply to be awaited now or later."""
        return ask_async(mailbox, message)


def command_fingerprint(action: str, tenant: str | None, params: Mapping[str, Any]) -> bytes:
    """Return the SHA-256 for a Receipt: equal for equal content, in whatever order the keys are.

    `tenant` is the tenant's id.
    """
    content = json.dumps([action, tenant, params], sort_keys=True, separators=(",", ":"))
    return sha256(content.encode(errors="surrogatepass")).digest()


def tenant_missing(action: str) -> InvalidArgument:
    """Return the refusal of a call that has to name a tenant and names none."""
    problem = Problem("tenant", f"missing; {action} is about one tenant")
    return InvalidArgument(f"{problem.field}: {problem.problem}", details=(problem,))


def scope_of(names: Sequence[str] | None, table: RoutingTable) -> frozenset[str] | None:
    """Return a scope for a Principal; None means all actions. Raise InvalidArgument for unknown names."""
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
