"""Opens a shell, and runs commands that no person types: of -c, or of standard input."""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
from collections.abc import Iterable

from scripts.cli.console.confirmation import AskPerson
from scripts.cli.console.connection import ConsoleConnection, Say
from scripts.cli.console.output import Output
from scripts.cli.console.shell import Shell
from scripts.cli.console.statuses import DONE, INTERRUPTED, Exit
from scripts.cli.target import ServerTarget
from transport.curve import read_pair, read_public


def open_shell(
    given: argparse.Namespace,
    target: ServerTarget,
    say: Say | None = None,
    ask_person: AskPerson | None = None,
) -> Shell:
    """Return a shell for the command line; with a person, it waits for a server that is away.

    Call it on the event loop. Raises ValueError for keys that cannot be read.
    """
    output = Output(sys.stdout, sys.stderr, wide=given.wide, json=given.json)
    connection = ConsoleConnection(
        target,
        server_key=given.server_key and read_public(given.server_key),
        keys=given.key and read_pair(given.key),
        waits=ask_person is not None,
        say=say or output.say,
    )
    shell = Shell(connection, output, ask_person)
    shell.tenant = given.tenant
    return shell


async def run_commands(
    given: argparse.Namespace, target: ServerTarget, lines: Iterable[str]
) -> int:
    """Run lines up to the first that fails; return its status. Ctrl-C ends them."""
    shell = open_shell(given, target)
    try:
        return await _run_all(shell, lines)
    finally:
        await shell.connection.close()


async def _run_all(shell: Shell, lines: Iterable[str]) -> int:
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
