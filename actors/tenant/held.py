"""What serving one message gives: a packed reply that is held, or word that it has to be served apart."""

from __future__ import annotations

from typing import Any, NamedTuple

from actors.errors import Unavailable
from actors.messages import DeadLetter, Work
from actors.routing.route import Route
from actors.runtime.mailbox import Killer
from transport.message import Refusal


class Held(NamedTuple):
    """A packed reply that waits for the commit it depends on."""

    work: Work
    body: bytes
    wrote: bool
    """True where the reply stands in the table of ids, so that the disk knows whether it holds."""
    route: Route | None
    """The version that was chosen; None where there is no such action."""
    refusal: Refusal | None
    """What the body says; None for a success."""
    began: float
    """time.monotonic() in seconds, as the next; where a run is served again, of the last time."""
    ended: float
    """When the reply was packed."""
    replayed: bool = False
    """True where the reply was made by an earlier message with the same id."""


class Apart(Exception):
    """No failure: this request needs a run of its own, because its function may wait (stretch.py)."""

    def __init__(self, work: Work, route: Route, params: Any) -> None:
        super().__init__(route.name)
        self.work = work
        self.route = route
        self.params = params


def is_request(message: Any) -> bool:
    """Work, a dead letter, or work that has killed before: what needs a transaction."""
    kind = type(message)
    return kind is Work or kind is DeadLetter or (kind is Killer and is_request(message.message))


def taken_out(route: Route) -> Unavailable:
    """The refusal where nothing is left to fall back on."""
    return Unavailable(
        f"{route.name}: version {route.version} keeps failing and was taken out, and no other is served "
        "until its developers move one"
    )
