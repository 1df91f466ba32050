"""Prints the help of commands whose options are settings, without pydantic, which takes a fifth of a second.

The options are read from options.json, which `python -m scripts.cli.settings_options` writes.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from actors.host.program import command

FILE: Final = Path(__file__).with_name("options.json")

HELP: Final = frozenset({"-h", "--help"})


def print_help(name: str, arguments: Sequence[str]) -> None:
    """Print a command's help and exit; exit with its usage if something before `--help` is wrong.

    Return if no argument asks for help, or if the command has no such options.
    """
    if HELP.isdisjoint(arguments):
        return
    described = json.loads(FILE.read_text(encoding="utf-8"))
    if name in described:
        make_parser(name, described[name]).parse_known_args(arguments)


def make_parser(name: str, described: Mapping[str, Any]) -> argparse.ArgumentParser:
    """Return the parser that pydantic-settings makes of the settings, as far as its help goes."""
    parser = argparse.ArgumentParser(
        prog=command(name),
        description=described["description"],
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    for flag, option in described["options"].items():
        form: dict[str, Any] = {"metavar": option.get("metavar"), "action": option.get("action")}
        if form["metavar"] is None:
            form = {"action": argparse.BooleanOptionalAction}
        parser.add_argument(flag, default=argparse.SUPPRESS, help=option["help"], **form)
    return parser
