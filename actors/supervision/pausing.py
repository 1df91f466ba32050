"""Pauses: tenants whose file is kept closed for a while, so that something else may replace or migrate it.

The Supervisor holds the token of a paused tenant's mailbox. Mail that comes waits there, in order, and is
served once the pause has ended. After MAX_PAUSE seconds what waits and what comes is rejected, with a time to
try again.

Pure bookkeeping of the Supervisor; it never starts a tenant.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import NamedTuple

from actors.messages import TenantRecord, Unserved
from actors.runtime.clock import Once
from actors.runtime.futures import ReplyFuture, resolve, resolve_with_error
from actors.runtime.mailbox import Mailbox
from actors.supervision.residency import ResidentSet
from transport.message import UNAVAILABLE, Refusal

MAX_PAUSE = 10.0
"""Seconds that mail waits for a paused tenant; after that it is rejected."""

RETRY_MS = 5_000
"""Retry interval in refusals of a tenant that is paused for longer, in milliseconds."""

PAUSED = Refusal(
    UNAVAILABLE,
    "the tenant's database is being migrated; nothing was done. Send the request again, with the same id",
    retry_after_ms=RETRY_MS,
)


class Pause(NamedTuple):
    """To the Supervisor: have this tenant close its file and keep it closed.

    `reply_to` gets True once it is closed: when the functions that run have ended. ActionError if the server
    stops or the tenant is deleted.
    """

    tenant: TenantRecord
    reply_to: ReplyFuture


class Unpause(NamedTuple):
    """To the Supervisor: serve this tenant again, whether or not it was paused by now; None for all."""

    tenant_id: str | None


class PauseOverdue(NamedTuple):
    """From the Clock: a tenant has been paused for MAX_PAUSE seconds."""

    pause: Pause


class _State:
    """One pause."""

    def __init__(self, pause: Pause, mailbox: Mailbox) -> None:
        self.pause = pause
        self.mailbox = mailbox
        self.holds_token = False
        self.is_rejecting = False


class Pauses:
    """All pauses, by the tenant's mailbox."""

    def __init__(
        self, clock: Mailbox, residents: ResidentSet, reject: Callable[[Mailbox, Unserved], None]
    ) -> None:
        """`reject` starts an actor in a mailbox that rejects its mail until it is passivated."""
        self._clock = clock
        self._residents = residents
        self._reject = reject
        self._states: dict[Mailbox, _State] = {}

    def begin(self, pause: Pause, mailbox: Mailbox) -> bool:
        """Begin a pause. Return whether the tenant has to be asked to stop, whose token then comes."""
        self.end(mailbox)
        self._states[mailbox] = _State(pause, mailbox)
        is_free = mailbox.incarnation is None and mailbox.try_take()
        if is_free or self._residents.cancel(mailbox):
            self.take(mailbox)
            return False
        return mailbox.incarnation is not None

    def take(self, mailbox: Mailbox) -> bool:
        """Keep the mailbox's token, which has come, for a pause. Return False if there is none."""
        state = self._states.get(mailbox)
        if state is None:
            return False
        state.holds_token, state.is_rejecting = True, False
        self._residents.remove(mailbox)
        if resolve(state.pause.reply_to, True):
            assert mailbox.supervisor is not None
            overdue = PauseOverdue(state.pause)
            self._clock.tell(Once(MAX_PAUSE, mailbox.supervisor, overdue))
        return True

    def overdue(self, message: PauseOverdue) -> None:
        """Reject what waits and what comes, until the pause ends."""
        for mailbox, state in self._states.items():
            if state.pause is message.pause and state.holds_token:
                state.holds_token, state.is_rejecting = False, True
                ends = time.monotonic() + RETRY_MS / 1000
                self._residents.add(mailbox)
                self._reject(mailbox, Unserved(state.pause.tenant, PAUSED, "it is migrated", ends))

    def end(self, mailbox: Mailbox) -> _State | None:
        """End the pause of this mailbox, if there is one; return what it was. Its token is still held."""
        return self._states.pop(mailbox, None)

    def holds(self, mailbox: Mailbox) -> bool:
        """Return whether the mailbox's token is held for a pause."""
        state = self._states.get(mailbox)
        return state is not None and state.holds_token

    def ids(self) -> list[str]:
        """Return the ids of all tenants that are paused or about to be."""
        return [state.pause.tenant.id for state in self._states.values()]

    @staticmethod
    def refuse(pause: Pause, error: Exception) -> None:
        """Answer a pause that cannot be."""
        resolve_with_error(pause.reply_to, error)
