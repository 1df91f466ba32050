"""The command line: scripts/endure --help."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import tempfile
from pathlib import Path
from types import FrameType, ModuleType
from typing import Any

from scripts.benchmark.child import ChildFailed
from scripts.benchmark.peers import HERE
from scripts.endurance.connection import NoReply
from scripts.endurance.faults import NoCompiler
from scripts.endurance.trials import (
    blocked,
    browsers,
    failing_version,
    fuzz,
    hanging_connector,
    intent,
    kill,
    memory,
    migrate,
    openapi,
    outbox_kill,
    pages,
    passivation,
    siege,
    swap,
    syncs,
    watched,
)
from scripts.endurance.verdict import Report

TRIALS: dict[str, ModuleType] = {
    "kill": kill,
    "crowd": passivation,
    "blocked": blocked,
    "memory": memory,
    "swap": swap,
    "migrate": migrate,
    "failing": failing_version,
    "send": outbox_kill,
    "hanging": hanging_connector,
    "syncs": syncs,
    "fuzz": fuzz,
    "openapi": openapi,
    "siege": siege,
    "browsers": browsers,
    "intent": intent,
    "pages": pages,
    "watched": watched,
}
"""Trials by their command names."""
INTERRUPTED = 130
"""Exit status after Ctrl-C, as shells have it."""


def parser() -> argparse.ArgumentParser:
    """A command for each trial, an option for each field of its plan."""
    made = argparse.ArgumentParser(
        prog="scripts/endure",
        description="Tries the promises of docs/message-api.md on a real server for longer than the "
        "tests do. Exit status 0: all kept; 1: one was broken, or the server hung or did not start.",
    )
    commands = made.add_subparsers(dest="trial", required=True)
    for name, module in TRIALS.items():
        add_options(
            commands.add_parser(name, help=module.__doc__, description=module.__doc__), module
        )
    return made


def add_options(command: argparse.ArgumentParser, module: ModuleType) -> None:
    """--quick, and each field with its meaning and its two defaults."""
    command.add_argument("--quick", action="store_true", help="a short run")
    command.add_argument("--folder", type=Path, help="directory of data (TENANTRY_DATA, or var)")
    for field, full in module.FULL._asdict().items():
        quick = getattr(module.QUICK, field)
        defaults = f"{full}" if full == quick else f"{full}; quick: {quick}"
        command.add_argument(
            f"--{field.replace('_', '-')}",
            type=type(full),
            metavar="N",
            help=f"{module.MEANINGS[field]} ({defaults})",
        )


def plan_of(module: ModuleType, options: argparse.Namespace) -> Any:
    """Return the full plan or the quick one, with the options given."""
    plan = module.QUICK if options.quick else module.FULL
    chosen = {
        field: value for field in plan._fields if (value := getattr(options, field)) is not None
    }
    return plan._replace(**chosen)


def run(options: argparse.Namespace) -> Report:
    """Run a trial in a folder of its own, which is removed afterwards."""
    module = TRIALS[options.trial]
    parent = options.folder or Path(os.environ.get("TENANTRY_DATA", HERE / "var"))
    parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="endure-", dir=parent.resolve()) as folder:
        report: Report = module.run(plan_of(module, options), Path(folder), progress)
    return report


def progress(line: str) -> None:
    """Print progress on standard error."""
    print(line, file=sys.stderr, flush=True)


def interrupt(_signal: int, _frame: FrameType | None) -> None:
    """End as after Ctrl-C, so that children and data go."""
    raise KeyboardInterrupt


def main() -> int:
    """Run a trial and print its report; return the exit status."""
    options = parser().parse_args()
    for ending in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(ending, interrupt)
    try:
        report = run(options)
    except (ChildFailed, NoReply, NoCompiler) as problem:
        print(f"scripts/endure {options.trial}: {problem}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("scripts/endure: interrupted", file=sys.stderr)
        return INTERRUPTED
    print("\n".join(report.lines()))
    return int(report.broken)


if __name__ == "__main__":
    sys.exit(main())
