"""The command line of scripts/new."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from actors.access import LEVELS
from actors.host.program import ENGINE, IS_CHECKOUT, as_typed, command, default_index
from scripts.scaffold.entry import FORMS

if TYPE_CHECKING:
    from scripts.scaffold.plan import ScaffoldPlan

REFUSED, INTERRUPTED = 1, 130

Ask = Callable[[str], str]

EXAMPLES = f"""\
examples:
  scripts/new contacts.archive --summary='Put a contact aside.' --access=member --effect=write \\
      --param=id:integer! --result=archived_at:date-time! --request=R-31
  scripts/new contacts.merge          # described already: its next version
  scripts/new orders.place --registry shop/registry.toml

fields:
{FORMS}
Nothing takes effect before functions.reload; exit status: 0 written, 1 nothing was written, 2 wrong usage
"""


def main(arguments: Sequence[str] | None = None, ask: Ask | None = None) -> int:
    """Plan, write, and print the next steps; return the exit status. `ask` puts a question to a person."""
    given = make_parser().parse_args(arguments)
    if ask is None and sys.stdin.isatty():
        ask = input
    # The arguments are read by now: this imports the engine.
    from actors.errors import ActionError, IndexProblem
    from scripts.codegen.client import NotOurs
    from scripts.scaffold.entry import InvalidEntry

    registry = given.registry or default_index()
    try:
        plan = written(given, registry, ask)
    except (IndexProblem, InvalidEntry, NotOurs) as problem:
        return _refused(str(problem))
    except ActionError as error:
        return _refused(error.refusal.message)
    except OSError as error:
        from actors.host.disk import os_error_text

        return _refused(os_error_text(error))
    except (KeyboardInterrupt, EOFError):
        _refused("interrupted")
        return INTERRUPTED
    print_next_steps(plan, registry)
    return 0


def written(given: argparse.Namespace, registry: Path, ask: Ask | None) -> ScaffoldPlan:
    """Plan and write, in an index that is begun where there is none; a failure leaves nothing behind."""
    from scripts.scaffold.plan import begin_index, planned, write

    is_new = not registry.exists()
    if is_new:
        begin_index(registry)
    try:
        plan = planned(given, registry, ask)
        write(plan)
    except BaseException:
        if is_new:
            registry.unlink()
        raise
    return plan


def print_next_steps(plan: ScaffoldPlan, registry: Path) -> None:
    """Print the files written, and the next steps."""
    name, number = plan.draft.name, plan.draft.version
    function, test = map(_format_path, (plan.files.function, plan.files.test))
    print(f"{_format_path(registry)}: {name} version {number} is under dev")
    print(f"wrote {function}\nwrote {test}\n")
    steps = {
        "write the function": function,
        "say what has to come out": f"scripts/test {_for_test(plan.files.test)}",
        "see how the index differs": "scripts/call --admin - functions.diff",
        "take it in, while it serves": "scripts/call --admin - functions.reload digest=…",
        "call it": f"scripts/call TENANT {name} …",
    }
    for step, (what, how) in enumerate(steps.items(), 1):
        print(f"{step}. {what:<29}{as_typed(how)}")
    how = as_typed("scripts/call --admin - functions.instructions")
    print(f"all about it: {how} function={name}")


def make_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog=command("new"),
        description="Begin one function: its entry in the index, its file, its test. "
        "Where there is no index, begin that, too.",
        epilog=as_typed(EXAMPLES),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("name", metavar="ACTION", help="such as contacts.merge")
    add("--registry", type=Path, help="another index")
    add("--summary", help="one sentence for callers")
    add("--access", help=f"who may call it: {', '.join(LEVELS)}")
    add("--effect", help="read or write")
    add("--param", action="append", default=[], metavar="FIELD", help="what goes in; repeat it")
    add("--result", action="append", default=[], metavar="FIELD", help="what comes out; repeat it")
    add("--instructions", help="for the author of the function")
    add(
        "--request",
        action="append",
        default=[],
        metavar="R-12",
        help="a request it serves; repeat it",
    )
    add(
        "--package",
        help="package of its code, such as shop.functions (default: that of its group)",
    )
    return parser


def _format_path(path: Path) -> str:
    """Return the path as the caller would write it."""
    here = Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)


def _for_test(path: Path) -> str:
    """Return the path as scripts/test takes it, relative to the repository."""
    if not IS_CHECKOUT:
        return _format_path(path)
    path = path.resolve()
    return str(path.relative_to(ENGINE) if path.is_relative_to(ENGINE) else path)


def _refused(why: str) -> int:
    name = command("new")
    print(f"{name}: {why}\n{name}: nothing was written", file=sys.stderr)
    return REFUSED


if __name__ == "__main__":
    sys.exit(main())
