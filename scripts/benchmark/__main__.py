"""The command line: scripts/bench --help."""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from types import FrameType
from typing import NamedTuple

from rich.console import Console

from scripts.benchmark import growth
from scripts.benchmark.child import ChildFailed
from scripts.benchmark.load import LoadFailed
from scripts.benchmark.peers import HERE, chosen
from scripts.benchmark.plan import ACTIONS, BEFORE, CHOICES, HALF, PEERS, TENANTRY, Plan
from scripts.benchmark.report import NoPlace, document, plot, remarks, table, write_into
from scripts.benchmark.result import figures
from scripts.benchmark.run import Measurement, ceiling, run


class Size(NamedTuple):
    """Defaults of the options that decide how long a run takes."""

    rounds: int
    budget: float
    seconds: float
    warm_up: float
    rows: int


FULL = Size(rounds=5, budget=24 * 3600.0, seconds=2.0, warm_up=0.5, rows=200)
QUICK = Size(rounds=2, budget=55.0, seconds=0.5, warm_up=0.15, rows=50)
PAGE = 210
"""Characters of a line if standard output is not a terminal."""
INTERRUPTED = 130
"""Exit status after Ctrl-C, as shells have it."""


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    made = argparse.ArgumentParser(
        prog="scripts/bench",
        description="Measures Tenantry between a hand-written baseline (floor) and FastAPI, in turns, on this"
        " machine. Figures of one run are comparable with each other and with nothing else.",
    )
    add = made.add_argument
    add(
        "--quick",
        action="store_true",
        help="a run under 60 s: two short rounds, or one on a slow day",
    )
    add("--growth", action="store_true", help="given first: how cost grows; --growth --help")
    add("--tenants", type=numbers, default=(1, 16, 128), help="tenant counts (1,16,128)")
    add("--actions", type=words, default=ACTIONS, help=f"actions ({','.join(ACTIONS)})")
    add("--only", type=words, default=PEERS, help=f"of {','.join(CHOICES)} ({','.join(PEERS)})")
    add(
        "--pace",
        type=paces,
        default=(),
        metavar="PACES",
        help="also open loops: requests a second, and half for half of each peer's own load (400,half)",
    )
    add("--random-ids", action="store_true", help="ids of requests by chance, not in order")
    _add_extent(add)
    _add_output(add)
    return made


def _add_extent(add: Callable[..., object]) -> None:
    """Add the arguments that say how much is measured, and on what data."""
    add("--rounds", type=int, help=f"rounds ({FULL.rounds}; quick: {QUICK.rounds})")
    add("--seconds", type=float, help="seconds of a measurement (2; quick: 0.5)")
    add("--warm-up", type=float, help="seconds of load before each measurement (0.5; quick: 0.15)")
    add("--rows", type=int, help="contacts in each tenant beforehand (200; quick: 50)")
    add("--flag", action="append", default=[], metavar="NAME=VALUE", help="passed on to the server")
    add("--against", type=Path, metavar="DIR", help="another checkout to run beside this one")
    add("--pool-size", type=int, default=1, help="connections per tenant in the FastAPI peer (1)")
    add("--ceiling", action="store_true", help="also measure the load generator against an echo")


def _add_output(add: Callable[..., object]) -> None:
    """Add the arguments that say where data and results are written."""
    add("--folder", type=Path, help="directory of temporary data (TENANTRY_DATA, or var)")
    add("--json", type=Path, metavar="FILE", help="write everything measured")
    add(
        "--into",
        type=Path,
        metavar="PAGE.md",
        help="write the table into a page, between its marks",
    )
    add("--plot", type=Path, metavar="FILE.png", help="draw the table")


def numbers(text: str) -> tuple[int, ...]:
    """Counts separated by commas."""
    found = tuple(int(part) for part in text.split(","))
    if min(found) < 1 or len(set(found)) < len(found):
        raise argparse.ArgumentTypeError(f"{text!r}: give different counts of at least 1")
    return found


def paces(text: str) -> tuple[str, ...]:
    """Requests per second, or `half`, separated by commas."""
    found = tuple(text.split(","))
    for each in found:
        if each != HALF and not (each.isdecimal() and int(each) > 0):
            raise argparse.ArgumentTypeError(f"{each!r}: give requests per second, or {HALF}")
    return found


def words(text: str) -> tuple[str, ...]:
    """Names separated by commas."""
    return tuple(text.split(","))


def plan_of(options: argparse.Namespace, folder: Path) -> Plan:
    """Return the plan; options not given are those of --quick or of the full run."""
    size = QUICK if options.quick else FULL
    for name, offered, known in (
        ("only", options.only, CHOICES),
        ("actions", options.actions, ACTIONS),
    ):
        if unknown := set(offered) - set(known):
            raise SystemExit(f"--{name}: {', '.join(unknown)}: choose from {', '.join(known)}")
    return Plan(
        peers=turns(options.only, options.against),
        actions=options.actions,
        tenants=options.tenants,
        folder=folder,
        flags=dict(flag.split("=", 1) for flag in options.flag),
        against=options.against,
        pool_size=options.pool_size,
        paces=options.pace,
        random_ids=options.random_ids,
        rounds=size.rounds if options.rounds is None else options.rounds,
        budget=size.budget,
        seconds=size.seconds if options.seconds is None else options.seconds,
        warm_up=size.warm_up if options.warm_up is None else options.warm_up,
        rows=size.rows if options.rows is None else options.rows,
    )


def turns(only: Sequence[str], against: Path | None) -> tuple[str, ...]:
    """Return the peers in their order; the other checkout takes its turn right after Tenantry."""
    order = [name for name in CHOICES if name in only]
    if against:
        order.insert(order.index(TENANTRY) + 1 if TENANTRY in order else len(order), BEFORE)
    return tuple(order)


def measure(plan: Plan, console: Console) -> list[Measurement]:
    """Run the plan, with progress on standard error: in one place on a terminal, else line by line."""
    if not console.is_terminal:
        return list(run(plan, chosen(plan), lambda line: print(line, file=sys.stderr, flush=True)))
    with console.status("") as status:
        return list(run(plan, chosen(plan), status.update))


def report(options: argparse.Namespace, plan: Plan, measured: Sequence[Measurement]) -> None:
    """Print the table and write the files asked for."""
    cells = figures(measured)
    console = Console(width=None if sys.stdout.isatty() else PAGE)
    console.print(table(cells))
    top = ceiling(plan.folder, plan.seconds) if options.ceiling else None
    if top is not None:
        console.print(f"generator: {top:,.0f} messages/s against a server that only echoes")
    for remark in remarks(cells, measured):
        console.print(remark, highlight=False, soft_wrap=True)
    if options.json:
        options.json.write_text(json.dumps(document(plan, cells, measured, top), indent=1) + "\n")
    if options.into:
        write_into(options.into, cells, measured)
    if options.plot:
        plot(cells, options.plot)


def interrupt(_signal: int, _frame: FrameType | None) -> None:
    """End as after Ctrl-C, so that children and data go."""
    raise KeyboardInterrupt


def main() -> int:
    """Measure and report; return the exit status."""
    for ending in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(ending, interrupt)
    if sys.argv[1:2] == ["--growth"]:
        return guarded(lambda: growth.main(sys.argv[2:]))
    return guarded(compare)


def compare() -> int:
    """Measure the peers in turns, and report."""
    options = parser().parse_args()
    folder = options.folder or Path(os.environ.get("TENANTRY_DATA", HERE / "var"))
    folder.mkdir(parents=True, exist_ok=True)
    plan = plan_of(options, folder.resolve())
    report(options, plan, measure(plan, Console(stderr=True)))
    return 0


def guarded(work: Callable[[], int]) -> int:
    """Return what it returns, or the exit status of how it failed."""
    try:
        return work()
    except (LoadFailed, ChildFailed, ChildProcessError, NoPlace) as problem:
        print(f"scripts/bench: {problem}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("scripts/bench: interrupted", file=sys.stderr)
        return INTERRUPTED


if __name__ == "__main__":
    sys.exit(main())
