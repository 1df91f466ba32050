"""Looking into the running server: its actors, their threads, the functions that take long."""

from __future__ import annotations

import sys
import threading
import time
import traceback
from types import FrameType
from typing import Any

from actors.admin.console.context import AdminContext
from actors.registry.messages import AskRunning
from actors.runtime.actor import Inspect
from actors.runtime.clock import Once
from actors.runtime.futures import OneShotMailbox
from actors.runtime.mailbox import Mailbox
from actors.supervision.inspection import (
    FindActor,
    FoundActor,
    ListActors,
    PassivateActor,
    RestartActor,
)

ANSWER_SECONDS = 2.0
"""Seconds after which an actor that does not answer is shown without what it gives of itself."""

MOST_THREADS, MOST_FRAMES = 200, 30
"""Of an answer of stacks: threads, and of each the innermost frames."""


async def list_(ctx: AdminContext, params: Any) -> dict[str, Any]:
    """One page, what matters first."""
    wanted = ListActors(params.sort, params.kind, params.prefix, params.limit)
    found: dict[str, Any] = await ctx.ask(ctx.actors.supervisor, wanted)
    return found


async def show(ctx: AdminContext, params: Any) -> dict[str, Any]:
    """One, with the snapshot that it gives of itself; null if it does not answer, or none is there."""
    found: FoundActor = await ctx.ask(ctx.actors.supervisor, FindActor(params.actor))
    snapshot = await _snapshot(ctx, found.mailbox) if found.has_incarnation else None
    return {"actor": found.row, "snapshot": snapshot}


async def restart(ctx: AdminContext, params: Any) -> dict[str, Any]:
    """End an incarnation and start another one."""
    wanted = RestartActor(
        params.actor, ctx.caller.person or ctx.caller.id, params.why, ctx.expected
    )
    done: dict[str, Any] = await ctx.ask(ctx.actors.supervisor, wanted)
    return done


async def passivate(ctx: AdminContext, params: Any) -> dict[str, Any]:
    """Passivate a tenant's actor; the next message starts it again."""
    wanted = PassivateActor(params.actor, ctx.expected)
    done: dict[str, Any] = await ctx.ask(ctx.actors.supervisor, wanted)
    return done


async def stacks(ctx: AdminContext, params: Any) -> dict[str, Any]:  # noqa: ARG001 - every function takes params
    """Where each thread is now: files, lines and functions, no values."""
    names = {thread.ident: thread.name for thread in threading.enumerate()}
    frames = list(sys._current_frames().items())
    listed = [
        {"thread": names.get(ident) or str(ident), "stack": _stack(frame)}
        for ident, frame in frames[:MOST_THREADS]
    ]
    return {"threads": sorted(listed, key=lambda each: str(each["thread"]))}


async def slow(ctx: AdminContext, params: Any) -> dict[str, Any]:
    """Functions that run now and have for so long, the longest first."""
    calls = await ctx.ask(ctx.actors.registry, AskRunning())
    now = time.monotonic()
    listed = [
        {
            "tenant": call.tenant,
            "action": call.action,
            "version": call.version,
            "ms": round((now - call.began) * 1000, 1),
            "trace_id": call.trace_id,
        }
        for call in sorted(calls)
        if (now - call.began) * 1000 >= params.ms
    ]
    return {"running": listed[: params.limit], "total": len(listed)}


async def _snapshot(ctx: AdminContext, mailbox: Mailbox) -> dict[str, Any] | None:
    """Ask the actor; what comes first counts, its answer or the end of the time."""
    answer, first = ctx.ask(mailbox, Inspect()).future, OneShotMailbox()
    answer.add_callback(lambda: first.tell(answer))
    ctx.actors.clock.tell(Once(ANSWER_SECONDS, first, None))
    if await first.message() is None:
        return None
    snapshot: dict[str, Any] | None = answer.get(timeout=0)
    return snapshot


def _stack(frame: FrameType) -> list[str]:
    """The innermost frame first."""
    found = list(traceback.walk_stack(frame))[:MOST_FRAMES]
    return [f"{_place(each)}:{line} {each.f_code.co_qualname}" for each, line in found]


def _place(frame: FrameType) -> str:
    """The module rather than the file: a path says more about the machine than about the code."""
    name: str = frame.f_globals.get("__name__", "?")
    return name
