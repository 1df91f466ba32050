"""Waiting until a swap has settled: nobody is at work any more on what was served before it.

Each tenant that is awake is asked behind what it has begun; once all have answered, and the router after them
has sent what they had answered before, every reply that leaves is the new version's. What a function has
parked on its own version is not waited for. Connectors answer once their calls on an older version have
ended.
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
"""After which a swap is acknowledged although a function still runs on the version before."""


class QuiesceTimeout(NamedTuple):
    """From the Clock."""


class _Barrier(Mailbox):
    """Where the Clock says that it has been long enough."""

    __slots__ = ("_done",)

    def __init__(self, done: ReplyFuture) -> None:
        super().__init__("settling", lambda _: None)
        self._done = done

    def tell(self, message: object) -> None:
        resolve(self._done, not isinstance(message, QuiesceTimeout))


async def quiesce(ctx: AdminContext) -> bool:
    """Wait for it; False where some function took too long."""
    awake: Iterable[Mailbox] = await ctx.ask(ctx.actors.supervisor, ListResidents())
    answers = [ask_async_first(mailbox, Ping()).future for mailbox in awake]
    for mailbox in ctx.actors.connectors.awake:
        answers.append(ReplyFuture())
        mailbox.tell(Quiesce(answers[-1]))
    is_settled: bool = await _all(ctx, answers)
    await ctx.ask(ctx.actors.router, Ping())
    return is_settled


def _all(ctx: AdminContext, answers: list[ReplyFuture]) -> PendingReply:
    """True once all have answered, also where one did with an error; False once that took too long."""
    done = ReplyFuture()
    ctx.actors.clock.tell(Once(QUIESCE_SECONDS, _Barrier(done), QuiesceTimeout()))
    missing = set(range(len(answers)))
    for number, answer in enumerate(answers):
        answer.add_callback(partial(_answered, missing, number, done))
    if not answers:
        resolve(done, True)
    return PendingReply(done)


def _answered(missing: set[int], number: int, done: ReplyFuture) -> None:
    """Called by whoever answers, and for one answer perhaps twice."""
    missing.discard(number)
    if not missing:
        resolve(done, True)
