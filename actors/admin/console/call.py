"""One call on the admin channel: what was asked, what is found out about it, and what the log says of it.

In which capacity a caller acts on the admin channel, and whether that is enough for an action.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from msgspec.structs import replace

from actors.access import (
    ADMIN,
    DEVELOPER_ADMIN,
    PLATFORM_LEVELS,
    PLATFORM_ROLES,
    PUBLIC,
    SUPER_ADMIN,
    TENANT_ROLES,
)
from actors.admin.console.context import tenant_missing
from actors.edge.authentication import Authenticator, unauthenticated
from actors.errors import ActionError, DeadlineExceeded, NotFound, PermissionDenied, Unavailable
from actors.host.clocks import rfc3339
from actors.log.messages import ACTION, INTENT, OUTCOME, AuditEntry
from actors.log.redaction import NO_NAMES, NOTHING_KNOWN, Redaction
from actors.messages import Principal, TenantRecord, TenantRequest
from actors.replies import new_trace_id
from actors.routing import route as permission
from actors.routing.route import Route, levels, with_article
from actors.runtime.futures import ReplyFuture

ANONYMOUS = "no valid token"
"""The capacity of an unknown caller."""


class ActingRole(NamedTuple):
    """Who acts, as what, and on which tenant."""

    principal: Principal
    """In the role acted in."""
    tenant: TenantRecord | None
    """None if the caller named no tenant."""
    until: float | None = None
    """Of a super admin: when his grant ends, in seconds since the epoch."""

    @property
    def is_super(self) -> bool:
        """Whether what is done is recorded ahead."""
        return self.until is not None

    def __str__(self) -> str:
        """As the admin log says it."""
        return (
            role_label(self.principal)
            if self.until is None
            else f"{SUPER_ADMIN} until {rfc3339(self.until, 'seconds')}"
        )


CONSOLE = Principal(id="console", tenant=None, role="console")
"""The user who started the process: the one caller that no rule is asked about."""


def role_label(principal: Principal) -> str:
    """How the admin log names the capacity of a caller with no grant."""
    return ANONYMOUS if principal.role == PUBLIC else principal.role


def resolve_role(authenticator: Authenticator, caller: Principal, tenant: str | None) -> ActingRole:
    """As what a caller acts who names this tenant, or none.

    A tenant's people act on their own tenant and hear the same of every other, there or not. A person of
    the platform is super admin wherever a grant of his holds, and what his token says everywhere else.
    """
    if tenant is None:
        return ActingRole(caller, None)
    record = authenticator.tenant(tenant)
    if caller.role not in PLATFORM_ROLES:
        if record is None or caller.tenant != record.name:
            raise unauthenticated()
        return ActingRole(caller, record)
    if record is None:
        raise NotFound(f"there is no tenant {tenant!r}; tenants.list lists those there are")
    grant = authenticator.grant(caller.person, record.name)
    if grant is None or caller.role != DEVELOPER_ADMIN:
        return ActingRole(caller, record)
    return ActingRole(replace(caller, role=SUPER_ADMIN, tenant=record.name), record, grant.until)


def require(route: Route, acting: ActingRole) -> None:
    """Return if this capacity is enough for the action; PermissionDenied says why and what to do."""
    principal = acting.principal
    if principal.role in PLATFORM_ROLES - route.rule.allowed:
        raise not_for_platform(route, acting)
    permission.require(route, principal, ADMIN)
    if acting.tenant is None and principal.role in TENANT_ROLES:
        raise tenant_missing(route.name)


def is_of_platform(route: Route) -> bool:
    """Whether the action can be about no tenant at all."""
    return route.action.access in PLATFORM_LEVELS


def not_for_platform(route: Route, acting: ActingRole) -> PermissionDenied:
    """Why a person of the platform may not, and what would help."""
    role = with_article(acting.principal.role)
    said = f"{route.name} is for {levels(route)}, and this token is {role}'s"
    if is_of_platform(route):
        return PermissionDenied(said)
    place = "a tenant" if acting.tenant is None else acting.tenant.name
    return PermissionDenied(
        f"{said}; a developer admin can be made super admin on {place} with supers.grant"
    )


LOCAL_MS = 20_000
"""The timeout of what the process itself asks: less than its wiring waits, so that it receives the reason."""

RETRY_UNKNOWN_MS = 1000
"""What a caller is told to wait who cannot be told what came of a call, in milliseconds."""

MAX_MESSAGE = 1000
"""Characters of a refusal's message that the log keeps."""


class LocalCall(NamedTuple):
    """From the wiring: do this in capacity `console`. The answer is the result, or the ActionError raised."""

    action: str
    tenant: str | None
    params: Mapping[str, Any]
    reply_to: ReplyFuture


@dataclass(slots=True, eq=False, kw_only=True)
class AdminCall:
    """Changed by the actor that serves it, and by no other."""

    action: str
    tenant: str | None
    """The name that was given, whether or not there is such a tenant."""
    params: Mapping[str, Any]
    caller: Principal
    """As the token says."""
    trace_id: str
    timeout_ms: int = LOCAL_MS
    received: float = field(default_factory=time.monotonic)
    """time.monotonic() in seconds."""
    work: TenantRequest | None = None
    """None for what the process itself asks."""
    reply_to: ReplyFuture | None = None
    hide: frozenset[str] = NO_NAMES
    """Names of params that no log may show, as `normalise_names` makes them."""
    about: TenantRecord | None = None
    """The tenant that the log counts it to."""
    acting_role: ActingRole | None = None
    route: Route | None = None
    intent_logged: bool = False
    """Whether the log has it already."""
    started: bool = False
    """Whether it may have had an effect."""
    answered: bool = False
    """Whether the caller has received a reply."""
    outcome_entry: AuditEntry | None = None
    """The record after it, once what came of it is known."""

    @property
    def deadline(self) -> float:
        """time.monotonic() by which the caller has an answer."""
        return self.received + self.timeout_ms / 1000

    @classmethod
    def of_work(cls, work: TenantRequest, hide: frozenset[str] = NO_NAMES) -> AdminCall:
        """What came through the socket."""
        request = work.request
        return cls(
            action=request.action,
            tenant=request.tenant,
            params=request.params,
            caller=work.principal,
            trace_id=work.trace_id,
            timeout_ms=request.timeout_ms,
            received=work.received,
            work=work,
            hide=hide,
        )

    @classmethod
    def of_local_call(cls, message: LocalCall, hide: frozenset[str] = NO_NAMES) -> AdminCall:
        """What the process itself asks."""
        return cls(
            action=message.action,
            tenant=message.tenant,
            params=message.params,
            caller=CONSOLE,
            trace_id=new_trace_id(),
            reply_to=message.reply_to,
            hide=hide,
        )

    @property
    def is_watched(self) -> bool:
        """Whether a signal of bad intent counts what it does."""
        return self.route is not None and self.route.is_watched

    @property
    def request_id(self) -> str | None:
        """What its caller calls it."""
        return None if self.work is None else self.work.request.id

    @property
    def may_write(self) -> bool:
        """False where it is known that nothing can be changed by it."""
        return self.route is None or self.route.writes

    def start(self) -> None:
        """From here on it may have an effect; DeadlineExceeded where it is too late for that."""
        if self.answered or time.monotonic() >= self.deadline:
            raise self.overdue()
        self.started = True

    def overdue(self) -> ActionError:
        """The reply at the deadline; what is under way goes on, and is recorded when it ends."""
        waited = f"within {self.timeout_ms} ms"
        if not self.started:
            return DeadlineExceeded(f"not begun {waited}; nothing was done")
        if not self.may_write:
            return DeadlineExceeded(f"not answered {waited}; nothing was changed")
        return self.outcome_unknown(f"{self.action} did not end {waited}")

    def abandoned(self, cause: str) -> Unavailable:
        """The reply if no actor goes on with it."""
        if self.started and self.may_write:
            return self.outcome_unknown(cause)
        return Unavailable(f"{cause}; nothing was done", retry_after_ms=RETRY_UNKNOWN_MS)

    def outcome_unknown(self, cause: str) -> Unavailable:
        """The reply if the outcome is not known."""
        return Unavailable(
            f"{cause}, so that it is not known whether it was done: send it again with the same id",
            retry_after_ms=RETRY_UNKNOWN_MS,
        )

    def intent(self) -> AuditEntry:
        """The record ahead of it."""
        return self._entry(INTENT, None, None)

    def outcome(self, outcome: str, message: str | None) -> AuditEntry:
        """The record after it."""
        kind = OUTCOME if self.intent_logged else ACTION
        if self.about is not None and self.tenant not in (None, self.about.name):
            message = f"asked for tenant {self.tenant!r}: {message}"
        return self._entry(kind, outcome, message)

    def backlog_entry(self, error: ActionError) -> AuditEntry:
        """The record of a call that is abandoned; where its end is known, that, even if it is there."""
        if self.outcome_entry is not None:
            return self.outcome_entry
        return self.outcome(error.code, error.refusal.message)

    def _entry(self, kind: str, outcome: str | None, message: str | None) -> AuditEntry:
        acting = role_label(self.caller) if self.acting_role is None else str(self.acting_role)
        is_token = self.work is not None
        schema = NOTHING_KNOWN if self.route is None else self.route.params.source
        redaction = Redaction(schema, self.hide)
        return AuditEntry(
            kind=kind,
            action=self.action,
            capacity=acting,
            person=self.caller.person or None,
            token=self.caller.id if is_token else None,
            tenant=self.about and self.about.name,
            tenant_id=self.about and self.about.id,
            params=redaction.params(self.params),
            outcome=outcome,
            message=message and redaction.text(message)[:MAX_MESSAGE],
            request_id=self.request_id,
            trace_id=self.trace_id,
        )
