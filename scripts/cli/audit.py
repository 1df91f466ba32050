"""The command line of scripts/audit: checks the files of the audit log, or prints its head."""

from __future__ import annotations

import argparse
import os
import re
import sys
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from actors.host.program import as_typed, command

SOUND = 0
BROKEN = 1
UNREADABLE = 2
"""Exit status; argparse uses it for wrong usage too."""

LOOK_SECONDS = 0.01
"""Seconds until a line that has no end yet is read again."""

EXAMPLES = """\
examples:
  scripts/audit verify                    every record, from the first one on
  scripts/audit verify --head 3f0c…       and the record with this hash must be among them
  scripts/audit head                      the newest record's number and hash, to be kept elsewhere

Both read only, and may be run while the server is running. docs/audit.md says what they show.

exit status: 0 sound, 1 broken, 2 wrong usage or the log cannot be read
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit status."""
    given = make_parser().parse_args(arguments)
    # The arguments are read by now: what follows takes a while to import.
    from actors.log.append_file import DIRECTORY, os_error_text

    directory = given.data / DIRECTORY
    try:
        status: int = given.does(directory, given)
    except OSError as error:
        print(
            f"{command('audit')}: the log cannot be read: {os_error_text(error, directory)}; run this as the "
            "server's user, with its data directory in TENANTRY_DATA or --data",
            file=sys.stderr,
        )
        return UNREADABLE
    return status


def verify(directory: Path, given: argparse.Namespace) -> int:
    """Print in one line whether the chain holds; raises OSError."""
    from actors.log.audit.verification import Verification
    from transport.fit import inert

    verdict = Verification(directory, given.head).run(partial(time.sleep, LOOK_SECONDS))
    if verdict.broken is None:
        print(f"sound: {verdict.records} records, head {verdict.head}")
        return SOUND
    seq, file, line, problem = verdict.broken
    print(inert(f"broken: record {seq} ({file} line {line}) {problem}"))
    return BROKEN


def show_head(directory: Path, _: argparse.Namespace) -> int:
    """Print the newest record's number and hash; raises OSError."""
    from actors.log.append_file import month_files
    from actors.log.audit.chain import find_head
    from transport.fit import inert

    (seq, digest), problem = find_head(month_files(directory))
    print(inert(f"{seq} {digest}"))
    if problem is None:
        return SOUND
    print(f"{command('audit')}: the log does not hold at its end: {problem}", file=sys.stderr)
    return BROKEN


def make_parser() -> argparse.ArgumentParser:
    """Describe the command line."""
    parser = argparse.ArgumentParser(
        prog=command("audit"),
        description="Check the log of everything administrative, or show its head.",
        epilog=as_typed(EXAMPLES),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    check = commands.add_parser("verify", help="follow the chain, name the first broken record")
    check.set_defaults(does=verify)
    check.add_argument(
        "--head", type=_digest, metavar="HASH", help="of a record that has to be there"
    )
    head = commands.add_parser("head", help="show the newest record's number and hash")
    head.set_defaults(does=show_head)
    data = Path(os.environ.get("TENANTRY_DATA") or "var")
    for each in (check, head):
        each.add_argument(
            "--data", type=Path, metavar="DIR", default=data, help=f"the server's (default {data})"
        )
    return parser


def _digest(text: str) -> str:
    digest = text.strip().lower()
    if not re.fullmatch("[0-9a-f]{64}", digest):
        raise argparse.ArgumentTypeError("a hash has 64 hexadecimal digits")
    return digest


if __name__ == "__main__":
    sys.exit(main())
