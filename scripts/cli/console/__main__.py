"""The command line of scripts/console: a REPL, or one command (`-c`), or commands on standard input."""

from __future__ import annotations

import argparse
import asyncio
import importlib
import sys
from collections.abc import Sequence
from getpass import getpass
from pathlib import Path

from actors.host.program import as_typed, command
from scripts.cli.call import SILENT, target_of
from scripts.cli.console.statuses import INTERRUPTED
from scripts.cli.target import ServerTarget, Unreachable, require_listener

KEYRING_SERVICE = "tenantry"
"""Under which the system's keyring has tokens, by endpoint."""

EXAMPLES = """\
examples:
  scripts/console                                     commands, one after another; `help` lists them
  scripts/console -c tenants                          one command
  scripts/console -c 'errors last 1h' --json          its whole reply as JSON
  scripts/console -c "delete acme 'they left'"        shows what it is about, and a digest
  scripts/console -c "delete acme 'they left' --confirm acme --digest 3f0c…"
                                                      does it, if it is still about the same
  scripts/console < commands                          one after another, up to the first that fails

The token is --token, or that in --token-file, or TENANTRY_ADMIN_TOKEN, or admin.token in TENANTRY_DATA
(default var), or that of the system's keyring (service tenantry, user: the endpoint), or is asked for; the
endpoint is --endpoint, or TENANTRY_ADMIN_ENDPOINT, or admin.sock in TENANTRY_DATA. See docs/console.md.

exit status: 0 done, 1 refused, 2 wrong usage, 3 no answer, 4 not confirmed, 5 changed since it was shown,
130 interrupted
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the command line says; return the exit status."""
    parser = make_parser()
    given = parser.parse_args(arguments)
    try:
        return run(given)
    except ValueError as error:
        parser.error(str(error))
    except Unreachable as error:
        print(error, file=sys.stderr)
        return SILENT
    except KeyboardInterrupt:
        return INTERRUPTED


def run(given: argparse.Namespace) -> int:
    """Talk to the person at the terminal, or run commands. Raises ValueError, Unreachable.

    What talks to the server takes a third of a second to import: a prompt is there before it, and a command
    line that is wrong is refused without it.
    """
    if given.command is None and sys.stdin.isatty():
        from scripts.cli.console.repl import Repl

        return asyncio.run(Repl(given, with_token(target_of(given), asks=True)).run())
    target = with_token(target_of(given), asks=False)
    require_listener(target.endpoint)
    from scripts.cli.console.batch import run_commands

    return asyncio.run(run_commands(given, target, given.command or sys.stdin))


def with_token(target: ServerTarget, *, asks: bool) -> ServerTarget:
    """Return the target with a token of the keyring, or one that the person types, if it has none."""
    if target.token is not None:
        return target
    token = keyring_token(target.endpoint)
    if token is None and asks:
        token = getpass("token: ", stream=sys.stderr).strip() or None
    return target if token is None else target._replace(token=token, hint="")


def keyring_token(endpoint: str) -> str | None:
    """Return the token that the system's keyring has for an endpoint; None if there is none."""
    try:
        keyring = importlib.import_module("keyring")
        found: str | None = keyring.get_password(KEYRING_SERVICE, endpoint)
    except Exception:  # noqa: BLE001 - not installed, no backend, locked: as if there were none
        return None
    return found


def make_parser() -> argparse.ArgumentParser:
    """Describe the command line."""
    parser = argparse.ArgumentParser(
        prog=command("console"),
        description="Administer a running server.",
        epilog=as_typed(EXAMPLES),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    parser.set_defaults(admin=True)
    add("-c", dest="command", action="append", metavar="COMMAND", help="run this and end")
    add("--tenant", metavar="TENANT", help="the tenant that is meant where none is named")
    add("--json", action="store_true", help="print replies as JSON")
    add("--wide", action="store_true", help="print every column, ids and times unshortened")
    add("--endpoint", help="where the admin channel listens")
    token = parser.add_mutually_exclusive_group().add_argument
    token("--token", help="bearer token; other users of this machine can see it here")
    token("--token-file", type=Path, metavar="FILE", help="file with the token, mode 0600")
    add("--server-key", type=Path, metavar="FILE", help="the server's CURVE key (*.key)")
    add("--key", type=Path, metavar="FILE", help="our own CURVE key pair (*.key_secret)")
    return parser


if __name__ == "__main__":
    sys.exit(main())
