"""Queries and commands of the Directory, and its answers.

Every command comes in an Execute with its caller. The Directory checks again what depends on its own state: a
transfer counts only while its caller is still the admin owner. Queries come as they are.
Results are JSON maps that fit the results in registry.toml beside this file; they and the errors (subclasses
of ActionError) go to the caller as they are. Tenants are given by name, people, tokens and grants by id
(`p_…`, `t_…`, `g_…`); times are seconds since the epoch in values and RFC 3339 in results.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from actors.expectations import Expected
from actors.messages import Principal, Receipt

# How a command is given


class Execute(NamedTuple):
    """Ask the Directory to execute a command in one transaction. Answered by CommandDone.

    Aborted if the caller is no longer authorized as when the channel decided: the token revoked or expired,
    the role changed, an area or the grant withdrawn; if another tenant has the tenant's name by now; or if
    what the command is about is not as expected.
    FailedPrecondition for a tenant that is to be deleted, save where access is taken away: RevokeToken and
    WithdrawSuper always can be. Unavailable where the file cannot be used; it may have been carried out then,
    and can be given again with the same receipt.
    """

    command: Any
    """One of the commands below."""
    by: Principal
    """The caller, in the acting role."""
    receipt: Receipt | None
    """None for commands of the engine itself."""
    tenant_id: str | None = None
    """Id of the command's tenant as the channel knew it; None where it knew of none."""
    expected: Expected | None = None
    """None where the caller expects nothing."""


class CommandDone(NamedTuple):
    """The command is on disk, and its changes are published."""

    result: dict[str, Any]
    replayed: bool = False
    """True where it had been done before and nothing was done now.

    A result that held a token's text is not kept: repeating such an order is AlreadyExists, whose message
    says which token it made and that its text is shown once. So is repeating one whose result was long, or a
    revision of the config that is kept no longer.
    """


class PurgeExpired(NamedTuple):
    """From the Clock: end what has expired, delete tenants whose grace period is over, purge old receipts."""


# Tenants


class CreateTenant(NamedTuple):
    """Make a tenant with its database and its admin owner. AlreadyExists, InvalidArgument."""

    name: str
    owner: str
    """The admin owner's name."""
    email: str | None
    token: bool
    """Whether to issue the admin owner's first token; its text is in the result."""


class ListTenants(NamedTuple):
    """Ask: a page of tenants, by name."""

    after: str
    limit: int
    status: str | None


class ShowTenant(NamedTuple):
    """Ask: one tenant. NotFound."""

    tenant: str


class SuspendTenant(NamedTuple):
    """Answer its callers `unavailable` until it is resumed. FailedPrecondition where it is not active."""

    tenant: str
    reason: str


class ResumeTenant(NamedTuple):
    """Serve it again, suspended before or not; calls a deletion off until its grace is over.

    FailedPrecondition where it is active, or the grace is over.
    """

    tenant: str


class DeleteTenant(NamedTuple):
    """Stop serving it now; after the grace, back its database up a last time and remove it.

    The name is free again then. FailedPrecondition where that is under way.
    """

    tenant: str
    grace_days: float
    reason: str


# Owners and members


class ListOwners(NamedTuple):
    """Ask: the admin owner and the owners."""

    tenant: str


class Delegate(NamedTuple):
    """Make a member an owner with exactly these areas, or set an owner's areas. FailedPrecondition."""

    tenant: str
    person: str
    areas: frozenset[str]


class WithdrawOwner(NamedTuple):
    """Make an owner a member; what he made keeps working. FailedPrecondition for the admin owner."""

    tenant: str
    person: str


class TransferOwnership(NamedTuple):
    """Make another person the admin owner; the one before becomes an owner with every area.

    Aborted where the giver is no longer the admin owner (a super admin may always). FailedPrecondition for
    the admin owner himself, and for a member where there are as many owners as may be.
    """

    tenant: str
    to: str


class ListMembers(NamedTuple):
    """Ask: a page of all people of a tenant, by id."""

    tenant: str
    after: str
    limit: int


class AddMember(NamedTuple):
    """Add a person without a token. FailedPrecondition where there are as many as may be."""

    tenant: str
    name: str
    email: str | None


class ChangeMember(NamedTuple):
    """Change a name or address; None leaves it.

    PermissionDenied for an owner changing another owner or the admin owner; oneself one may change.
    """

    tenant: str
    person: str
    name: str | None
    email: str | None


class RemoveMember(NamedTuple):
    """Remove a person and revoke the tokens; FailedPrecondition for the admin owner.

    PermissionDenied for an owner removing another owner: only the admin owner and super admins may.
    """

    tenant: str
    person: str


# Tokens


class ListTokens(NamedTuple):
    """Ask: a page of tokens, by id, never their texts; of the platform where there is no tenant."""

    tenant: str | None
    person: str | None
    after: str
    limit: int


class IssueToken(NamedTuple):
    """Make a token; its text is in the result and nowhere else.

    PermissionDenied for an owner issuing one for another owner or the admin owner, and for a scope wider
    than that of the token the order was given with, or an end beyond its end. FailedPrecondition for a person
    who has as many good ones as may be. What a super admin issues on his tenant ends with his grant.
    """

    tenant: str | None
    """None for a developer's."""
    person: str
    label: str
    scope: frozenset[str] | None
    days: float | None
    """None for one that does not expire."""


class RevokeToken(NamedTuple):
    """No longer good from the next message on. NotFound; FailedPrecondition where it was before.

    PermissionDenied for an owner revoking one of another owner or of the admin owner.
    """

    tenant: str | None
    token: str


# Config


class ShowConfig(NamedTuple):
    """Ask: the config now, or as it was at a revision. NotFound, also for one that is kept no longer."""

    tenant: str
    revision: int | None


class PatchConfig(NamedTuple):
    """JSON Merge Patch (RFC 7396). Aborted where the revision moved; InvalidArgument names the field."""

    tenant: str
    patch: Mapping[str, Any]
    revision: int
    """The one the patch was made for."""


class ListConfigs(NamedTuple):
    """Ask: a page of revisions with who and when, the newest first."""

    tenant: str
    before: int | None
    limit: int


class RevertConfig(NamedTuple):
    """Make a new revision that says what an old one said. NotFound, Aborted, InvalidArgument."""

    tenant: str
    to: int
    revision: int


# Subscriptions


class ListSubscriptions(NamedTuple):
    """Ask: all of a tenant's, those that are over included."""

    tenant: str


class SetSubscription(NamedTuple):
    """Subscribe, or set the days of a subscription that is there. InvalidArgument where from >= until."""

    tenant: str
    connector: str
    since: float | None
    until: float | None


class EndSubscription(NamedTuple):
    """Over from now on. NotFound; FailedPrecondition where it is over."""

    tenant: str
    connector: str


# Limits


class ShowLimits(NamedTuple):
    """Ask: a tenant's limits; null where only the server's own hold."""

    tenant: str


class SetLimits(NamedTuple):
    """Set the limits that are named; None takes one away."""

    tenant: str
    limits: Mapping[str, float | int | None]
    """By the names of the fields of actors.profiles.TenantLimits."""


# Testers


class ListTesters(NamedTuple):
    """Ask: a page of enrolments, by the tenant's name and then by function. NotFound for the tenant."""

    tenant: str | None
    """None for those of all tenants."""
    function: str | None
    """None for those of all functions."""
    after: str
    """`next` of the page before; empty for the first."""
    limit: int


class EnrolTester(NamedTuple):
    """Serve the tenant what is under user test of this function, until that is withdrawn.

    Again is the same enrolment, with its first date. FailedPrecondition where there are as many as may be.
    """

    tenant: str
    function: str


class WithdrawTester(NamedTuple):
    """Tester no more, from the next message on. NotFound where the tenant is none."""

    tenant: str
    function: str


# Super admins


class ListSupers(NamedTuple):
    """Ask: grants on a tenant, the newest first, those that are over included."""

    tenant: str


class GrantSuper(NamedTuple):
    """Make a developer admin super admin on a tenant.

    PermissionDenied for oneself, for him who issued the token that the order was given with, and for him who
    added its giver to the platform; FailedPrecondition for a person who is no developer admin, AlreadyExists
    where a grant of his holds there.
    """

    tenant: str
    person: str
    minutes: float
    reason: str


class WithdrawSuper(NamedTuple):
    """End a grant now, and the tokens issued by it. NotFound; FailedPrecondition where it is over."""

    tenant: str
    grant: str


# Developers


class ListDevelopers(NamedTuple):
    """Ask: everyone of the platform."""


class AddDeveloper(NamedTuple):
    """Add a person of the platform, without a token."""

    name: str
    email: str | None
    role: str
    """developer or developer admin."""


class ChangeDeveloper(NamedTuple):
    """Promote or demote. FailedPrecondition for the last developer admin."""

    person: str
    role: str


class RemoveDeveloper(NamedTuple):
    """Remove, revoke the tokens, end the grants. FailedPrecondition for the last developer admin."""

    person: str
