"""Queries and commands about requests: what tenants wish for. See actors.admin.messages.

`tenant` is the name of the tenant that a caller is limited to: its own for people of a tenant, the one that
was named for people of the platform, None for all. A request that a tenant can neither own nor vote for is
NotFound to it. `number` is 12 for `R-12`.
"""

from __future__ import annotations

from typing import NamedTuple


class SubmitRequest(NamedTuple):
    """Store a request of a tenant, with the tenant's vote for it.

    ResourceExhausted if the tenant has submitted too many in a day, FailedPrecondition if too many of its
    requests are open.
    """

    tenant: str
    text: str
    function: str | None
    """Name of the action that it is about, or None."""


class ListRequests(NamedTuple):
    """Query: a page of requests."""

    tenant: str | None
    published: bool
    """True for those that every tenant may vote for, in place of the tenant's own."""
    state: str | None
    function: str | None
    """A name: those about it, and those that a version of it serves."""
    priority: str | None
    text: str | None
    """What the text or the title contains, in any case; of other tenants' requests the title."""
    sort: str
    """One of actors.admin.directory.requests.commands.SORTS."""
    after: str
    limit: int


class ShowRequest(NamedTuple):
    """Query: one request with what was said and done about it."""

    tenant: str | None
    number: int


class VoteRequest(NamedTuple):
    """Give a tenant's one vote to a request, or take it back. The same again changes nothing."""

    tenant: str
    number: int
    vote: bool


class LinkRequest(NamedTuple):
    """State that a version serves a request, or with `linked` false that it does not."""

    tenant: str | None
    number: int
    kind: str
    """function or connector."""
    name: str
    version: int
    """0 while there is none."""
    state: str | None
    """The version's state now; None for version 0."""
    environment: str
    """Where that is so."""
    linked: bool


class AnswerRequest(NamedTuple):
    """Add a text to a request: an answer of the platform, or a word of its own tenant."""

    tenant: str | None
    number: int
    text: str


class PrioritiseRequest(NamedTuple):
    """Set the priority of a request."""

    tenant: str | None
    number: int
    priority: str


class PublishRequest(NamedTuple):
    """Let every tenant read a title and vote; None as title takes that back."""

    tenant: str | None
    number: int
    title: str | None


class CloseRequest(NamedTuple):
    """End a request as declined or closed, with a reason. FailedPrecondition if it has ended."""

    tenant: str | None
    number: int
    state: str
    why: str


class ReopenRequest(NamedTuple):
    """Open a request that was declined or closed again. FailedPrecondition if it was not."""

    tenant: str | None
    number: int
    why: str
