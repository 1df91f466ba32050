"""The subcommands of `tenantry`: one line each, and the module of a command is imported when it is asked for.

What `scripts/NAME` does in a checkout, `tenantry NAME` does from any folder.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from difflib import get_close_matches
from importlib import import_module
from typing import NamedTuple

from scripts.cli.settings_help import print_help

USAGE = 2


class Subcommand(NamedTuple):
    """One subcommand."""

    module: str
    """Its `main(arguments)` runs it and returns the exit status."""
    summary: str


COMMANDS = {
    "serve": Subcommand("actors.__main__", "run the server"),
    "call": Subcommand("scripts.cli.call", "call one action of a running server"),
    "console": Subcommand(
        "scripts.cli.console.__main__", "administer a running server at a prompt"
    ),
    "dashboard": Subcommand("scripts.web.__main__", "administer a running server in a browser"),
    "gateway": Subcommand("transport.gateway.__main__", "serve the message API over HTTP"),
    "logs": Subcommand("scripts.cli.logs", "read the logs of a running server, and follow them"),
    "new": Subcommand("scripts.scaffold.__main__", "begin an index, or one function of it"),
    "schema": Subcommand(
        "scripts.codegen.__main__", "write types, a client and documents of the index"
    ),
    "access": Subcommand("scripts.cli.access", "write who may call what"),
    "environments": Subcommand(
        "scripts.cli.environments", "show the environments, and what runs where"
    ),
    "build": Subcommand("scripts.releasing.build.command", "build a release of chosen functions"),
    "release": Subcommand("scripts.releasing.publish.command", "publish, sign and verify releases"),
    "deploy": Subcommand("scripts.releasing.deploy.command", "deploy a release, and watch it"),
    "rollback": Subcommand("scripts.releasing.deploy.rollback", "take the latest release back"),
    "releases": Subcommand("scripts.releasing.deploy.releases", "list what was deployed"),
    "keys": Subcommand("scripts.cli.keys", "make CURVE keys and keys for releases"),
    "screen": Subcommand("scripts.cli.screen", "show what the screening makes of a text"),
    "audit": Subcommand("scripts.cli.audit", "check the log of everything administrative"),
}


def main(arguments: Sequence[str]) -> int:
    """Run one subcommand; return its exit status."""
    name, *others = arguments or ("--help",)
    if name in {"-h", "--help", "help"}:
        print(usage())
        return 0
    if name == "--version":
        print(version())
        return 0
    command = COMMANDS.get(name)
    if command is None:
        near = get_close_matches(name, COMMANDS, n=1)
        advice = f"did you mean {near[0]}?" if near else "tenantry --help lists the commands"
        print(f"tenantry: there is no command {name!r}; {advice}", file=sys.stderr)
        return USAGE
    print_help(name, others)
    status: int = import_module(command.module).main(others)
    return status


def usage() -> str:
    """Return the text of `tenantry --help`."""
    width = max(map(len, COMMANDS))
    listed = (f"  {name:{width}}  {each.summary}" for name, each in COMMANDS.items())
    return "\n".join(
        (
            "usage: tenantry COMMAND …",
            "",
            "A backend with an actor and a database for every customer.",
            "",
            "commands (tenantry COMMAND --help says more):",
            *listed,
            "",
            "The index is registry.toml in the current folder, or --registry; the data is in var,",
            "or TENANTRY_DATA.",
        )
    )


def version() -> str:
    """Return `tenantry` and the version that is installed, or that this is a checkout."""
    from importlib.metadata import PackageNotFoundError
    from importlib.metadata import version as installed

    try:
        return f"tenantry {installed('tenantry')}"
    except PackageNotFoundError:
        return "tenantry, from a checkout"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
