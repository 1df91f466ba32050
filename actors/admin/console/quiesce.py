"""Waits after a swap of versions until no work on the old version is left.

Each tenant that is awake gets a ping behind its current work. Once all have answered, and then the router,
which has sent their earlier replies by then, every further reply comes from the new version. Suspended
functions keep their own version and are not waited for. Connectors answer once their calls on an older
version have ended.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import NamedTuple

from actors.admin.console.context import AdminContext
from actors.messages import ListResidents, Quiesce
from actors.runtime.actor import Ping
from actors.runtime.clock import Once
from actors.runtime.futures import PendingReply, ReplyFuture, ask_async_first, resolve
from actors.runtime.mailbox import Mailbox

QUIESCE_SECONDS = 5.0
"""Seconds after which a swap is acknowledged although a function still runs on the old version."""


class QuiesceTimeout(NamedTuple):
    """From the Clock: the wait has taken too long."""


class _Barrier(Mailbox):
    """Receives the timeout from the Clock, and resolves the wait."""

    __slots__ = ("_done",)

    def __init__(self, done: ReplyFuture) -> None:
        super().__init__("settling", lambda _: None)
        self._done = done

    def tell(self, message: object) -> None:
        resolve(self._done, not isinstance(message, QuiesceTimeout))


async def quiesce(ctx: AdminContext) -> bool:
    """Wait until no work on the old version is left. Return False after QUIESCE_SECONDS."""
    awake: Iterable[Mailbox] = await ctx.ask(ctx.actors.supervisor, ListResidents())
    answers = [ask_async_first(mailbox, Ping()).future for mailbox in awake]
    for mailbox in ctx.actors.connectors.awake:
        answers.append(ReplyFuture())
        mailbox.tell(Quiesce(answers[-1]))
    is_settled: bool = await _all(ctx, answers)
    await ctx.ask(ctx.actors.router, Ping())
    return is_settled


def _all(ctx: AdminContext, answers: list[ReplyFuture]) -> PendingReply:
    """Return a future: True once all have answered, even with errors, or False after QUIESCE_SECONDS."""
    done = ReplyFuture()
    ctx.actors.clock.tell(Once(QUIESCE_SECONDS, _Barrier(done), QuiesceTimeout()))
    missing = set(range(len(answers)))
    for number, answer in enumerate(answers):
        answer.add_callback(partial(_answered, missing, number, done))
    if not answers:
        resolve(done, True)
    return PendingReply(done)


def _answered(missing: set[int], number: int, done: ReplyFuture) -> None:
    """Called on the thread that answers, possibly twice for one answer."""
    missing.discard(number)
    if not missing:
        resolve(done, True)
