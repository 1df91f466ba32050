"""Functions that misbehave, each in the way that `kind` names."""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import structlog
from sqlalchemy import Column, Integer, MetaData, Table, Text, bindparam, func, insert, select, text

from actors.errors import FailedPrecondition
from actors.tenant.context import Context
from transport.message import Problem

marks = Table("marks", MetaData(), Column("id", Integer, primary_key=True), Column("text", Text))

ADD = insert(marks).values(text=bindparam("text")).returning(marks.c.id)
COUNT = select(func.count()).select_from(marks)
COUNT_OF = COUNT.where(marks.c.text == bindparam("text"))
HIDDEN = text(
    "WITH one(text) AS (SELECT 'by a read' WHERE :text != '') INSERT INTO marks(text) SELECT text FROM one"
)
SLOW = text(
    "INSERT INTO marks(text) WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) "
    "SELECT i FROM n WHERE i < 0"
)


def add(ctx: Context, params: Any) -> dict[str, Any]:
    """Behaves."""
    return {"id": ctx.db.scalar(ADD, {"text": params.text})}


def count(ctx: Context, params: Any) -> dict[str, Any]:
    """Behaves."""
    if params.text is None:
        return {"count": ctx.db.scalar(COUNT)}
    return {"count": ctx.db.scalar(COUNT_OF, {"text": params.text})}


async def add_slowly(ctx: Context, params: Any) -> dict[str, Any]:
    """Behaves: one transaction for each mark."""
    ids = [ctx.db.scalar(ADD, {"text": params.text})]
    for _ in range(params.times):
        await ctx.call("timer.sleep", seconds=params.seconds)
        ids.append(ctx.db.scalar(ADD, {"text": params.text}))
    return {"ids": ids}


async def watch(ctx: Context, params: Any) -> dict[str, Any]:
    """Behaves."""
    before = ctx.db.scalar(COUNT)
    await ctx.call("timer.sleep", seconds=params.seconds)
    return {"before": before, "after": ctx.db.scalar(COUNT)}


def nothing(ctx: Context, params: Any) -> dict[str, Any]:
    """Behaves."""
    return {}


def read_that_writes(ctx: Context, params: Any) -> dict[str, Any]:
    """Its action says `read`."""
    return {"id": ctx.db.scalar(ADD, {"text": "written by a read"})}


def make_trouble(ctx: Context, params: Any) -> Any:
    """Write a mark, then do what `kind` says."""
    mark = ctx.db.scalar(ADD, {"text": params.kind})
    return TROUBLES[params.kind](ctx, params) or {"id": mark}


def fail(ctx: Context, params: Any) -> None:
    """A defect."""
    raise RuntimeError("secret detail of the defect")


def leave(ctx: Context, params: Any) -> None:
    """Tries to end the process."""
    sys.exit(3)


def interrupt(ctx: Context, params: Any) -> None:
    """Raises what Ctrl-C raises."""
    raise KeyboardInterrupt


def misshape(ctx: Context, params: Any) -> dict[str, Any]:
    """A result that does not fit the schema."""
    return {"id": "seven"}


def return_list(ctx: Context, params: Any) -> list[int]:
    """A result that is no map at all."""
    return [1]


def refuse(ctx: Context, params: Any) -> None:
    """An expected refusal."""
    raise FailedPrecondition("the mark is not in the mood", user_message="Please try tomorrow.")


def block(ctx: Context | None, params: Any) -> None:
    """Waits until the test opens the other end of a pipe."""
    Path(params.path).read_bytes()


def recurse(ctx: Context, params: Any) -> None:
    """Never comes back."""
    recurse(ctx, params)


def commit(ctx: Context, params: Any) -> None:
    """Tries to end the transaction it runs in."""
    ctx.db.run(text("COMMIT"))


def run_long(ctx: Context, params: Any) -> None:
    """A statement that never ends."""
    ctx.db.run(SLOW)


def fill(ctx: Context, params: Any) -> None:
    """Writes until the quota ends it."""
    for _ in range(100_000):
        ctx.db.run(ADD, {"text": "x" * 100_000})


def swallow(ctx: Context, params: Any) -> None:
    """Hides that the quota has ended the transaction."""
    with suppress(Exception):
        fill(ctx, params)


def fork(ctx: Context, params: Any) -> dict[str, Any]:
    """Leaves a process behind that goes on in Python, until the test opens the other end of a pipe."""
    child = multiprocessing.get_context("fork").Process(target=block, args=(None, params))
    child.start()
    return {"id": child.pid}


def end_another(ctx: Context, params: Any) -> dict[str, Any]:
    """Starts another program and asks it to end; its status."""
    other = subprocess.Popen(["sleep", "60"])
    other.terminate()
    return {"id": other.wait(10)}


def refuse_unsendably(ctx: Context, params: Any) -> None:
    """A refusal that quotes the name of a file that is no text."""
    name = b"caf\xe9\0".decode(errors="surrogateescape")
    raise FailedPrecondition(f"there is no file {name}")


def refuse_endlessly(ctx: Context, params: Any) -> None:
    """A refusal longer than any reply."""
    raise FailedPrecondition("x" * (17 * 1024 * 1024))


def refuse_with_a_number(ctx: Context, params: Any) -> None:
    """A refusal whose text is none."""
    raise FailedPrecondition(404, user_message=405)  # type: ignore[arg-type]  # as authors do


def refuse_without_words(ctx: Context, params: Any) -> None:
    """A refusal that does not say anything."""
    raise Wordless


def fail_with_a_nul(ctx: Context, params: Any) -> None:
    """A defect that quotes what it met."""
    raise ValueError("bad header: a\0b \udce9")


def quote(ctx: Context, params: Any) -> dict[str, Any]:
    """Says what no message can bring: any text at all, spelt in UTF-16 and hexadecimal."""
    said = bytes.fromhex(params.text).decode("utf-16-be", "surrogatepass")
    match params.how:
        case "refuse":
            raise FailedPrecondition(said, user_message=said, details=(Problem(said, said),))
        case "fail":
            raise ValueError(said)
        case "log":
            structlog.get_logger().error(
                said, action=said, thing={said: [said, 2**70, float("nan")]}
            )
    return {"said": said}


class Wordless(FailedPrecondition):
    """Forgets what every refusal has."""

    def __init__(self) -> None:
        pass


def end_process(ctx: Context, params: Any) -> None:
    """Takes the server with it."""
    os._exit(7)


def hold(ctx: Context, params: Any) -> None:
    """Keeps the interpreter to itself for two seconds, as a regular expression may."""
    ctypes.PyDLL(None).sleep(2)


def talk(ctx: Context, params: Any) -> None:
    """Prints, and starts a program that does; the path is a secret of the request here."""
    print("two\nlines, and \x1b[31mred", "token=tnt_" + "a" * 43, params.path)  # noqa: T201 - what is tested
    print("in vain", file=sys.stderr)  # noqa: T201 - what is tested
    subprocess.run(["echo", "a program says"], check=True)


TROUBLES = {
    function.__name__: function
    for function in (
        fail,
        leave,
        interrupt,
        misshape,
        return_list,
        refuse,
        refuse_unsendably,
        refuse_endlessly,
        refuse_with_a_number,
        refuse_without_words,
        fail_with_a_nul,
        block,
        recurse,
        commit,
        run_long,
        fill,
        swallow,
        fork,
        end_another,
        end_process,
        hold,
        talk,
    )
}
