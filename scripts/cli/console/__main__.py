"""The command line of scripts/console: a REPL, or one command (`-c`), or commands on standard input."""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
from collections.abc import Iterable, Sequence
from getpass import getpass
from pathlib import Path

from scripts.cli.call import SILENT, target_of
from scripts.cli.console.connection import Connection, keyring_token
from scripts.cli.console.output import Output
from scripts.cli.console.shell import DONE, Exit, Shell
from scripts.cli.target import Target, Unreachable, require_listener
from transport.curve import read_pair, read_public

INTERRUPTED = 130

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
    output = Output(sys.stdout, sys.stderr, wide=given.wide, json=given.json)
    is_interactive = given.command is None and sys.stdin.isatty()
    try:
        target = with_token(target_of(given), is_interactive=is_interactive)
        if not is_interactive:
            require_listener(target.endpoint)
        return asyncio.run(_main(given, target, output, is_interactive=is_interactive))
    except ValueError as error:
        parser.error(str(error))
    except Unreachable as error:
        output.problem(str(error))
        return SILENT
    except KeyboardInterrupt:
        return INTERRUPTED


async def _main(
    given: argparse.Namespace, target: Target, output: Output, *, is_interactive: bool
) -> int:
    connection = Connection(
        target,
        server_key=given.server_key and read_public(given.server_key),
        keys=given.key and read_pair(given.key),
        waits=is_interactive,
        say=output.say,
    )
    try:
        if is_interactive:
            from scripts.cli.console.repl import Repl

            return await Repl(connection, output, given.tenant).run()
        shell = Shell(connection, output)
        shell.tenant = given.tenant
        return await run_all(shell, given.command or sys.stdin)
    finally:
        await connection.close()


async def run_all(shell: Shell, lines: Iterable[str]) -> int:
    """Run lines up to the first that fails; return its status. Ctrl-C ends them."""
    for line in lines:
        task = asyncio.ensure_future(shell.run(line))
        asyncio.get_running_loop().add_signal_handler(signal.SIGINT, task.cancel)
        try:
            status = await task
        except Exit:
            return DONE
        except asyncio.CancelledError:
            return INTERRUPTED
        if status != DONE:
            return status
    return DONE


def with_token(target: Target, *, is_interactive: bool) -> Target:
    """Return the target with a token of the keyring, or one that the person types, if it has none."""
    if target.token is not None:
        return target
    token = keyring_token(target.endpoint)
    if token is None and is_interactive:
        token = getpass("token: ", stream=sys.stderr).strip() or None
    return target if token is None else target._replace(token=token, hint="")


def make_parser() -> argparse.ArgumentParser:
    """Describe the command line."""
    parser = argparse.ArgumentParser(
        prog="scripts/console",
        description="Administer a running server.",
        epilog=EXAMPLES,
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
