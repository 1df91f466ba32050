"""The command line of scripts/access: writes the table of docs/access.md from the index."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from actors.host.program import command, default_index

PAGE = Path("docs", "access.md")
"""Beside the index."""

HEADING = "# Who may call what\n\n"
"""The beginning of a new page."""

OUTDATED = 1


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the page, or check that it is up to date; return the exit status."""
    given = make_parser().parse_args(arguments)
    # The arguments are read by now: this imports the engine.
    from actors.errors import IndexProblem
    from actors.index.parser import read_index
    from scripts.cli.access_table import page

    registry: Path = given.registry or default_index()
    try:
        index = read_index(registry)
    except IndexProblem as problem:
        print(problem, file=sys.stderr)
        return OUTDATED
    path: Path = given.page or registry.parent / PAGE
    text = path.read_text() if path.exists() else HEADING
    wanted = page(text, index)
    if text == wanted:
        return 0
    if given.check:
        print(f"{path} is not what the index says: run {command('access')}", file=sys.stderr)
        return OUTDATED
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(wanted)
    print(f"wrote {path}")
    return 0


def make_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog=command("access"),
        description="Write the table of docs/access.md: who may call what, from the index.",
        epilog="exit status: 0 up to date or written, 1 out of date or a broken index, 2 wrong usage",
    )
    parser.add_argument(
        "--check", action="store_true", help="write nothing; exit with 1 if the page is out of date"
    )
    parser.add_argument("--registry", type=Path, help="another index")
    parser.add_argument(
        "--page", type=Path, help="another page (default: docs/access.md beside the index)"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
