"""Messages of the IntentMonitor and the Directory about tokens that are suspended for bad intent."""

from __future__ import annotations

from typing import Any, NamedTuple


class SuspendToken(NamedTuple):
    """To the Directory: suspend a token. Answered by TokenSuspended, to `reply_to`, once that is on disk."""

    token: str
    """Id of the token."""
    why: str
    """For the owners, at most 200 characters."""
    reply_to: Any


class TokenSuspended(NamedTuple):
    """From the Directory: the token is suspended, or no longer there."""

    token: str


class LiftSuspension(NamedTuple):
    """Serve a token again. NotFound; PermissionDenied for an owner lifting that of another owner.

    A token that is not suspended stays as it is.
    """

    tenant: str | None
    """None for a developer's token."""
    token: str


class ListSuspended(NamedTuple):
    """Ask the Directory for suspended tokens, those suspended last first: at most `limit`."""

    tenant: str | None
    """None for all, those of the platform included."""
    limit: int


class ListStandings(NamedTuple):
    """Ask the IntentMonitor for maps of the shape `[shapes.standing]`, the newest first: at most `limit`."""

    tenant_id: str | None
    """None for all."""
    limit: int


class ClearStanding(NamedTuple):
    """Ask the IntentMonitor to forget what is held against a token, a tenant or an address.

    Answered by whether there was anything.
    """

    id: str


class Sweep(NamedTuple):
    """From the Clock to the IntentMonitor: take back what has decayed, and repeat what was not confirmed."""
