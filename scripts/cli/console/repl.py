"""The console at a terminal: prompt, history, completion on Tab, Ctrl-C."""

from __future__ import annotations

import asyncio
import os
import re
import signal
from collections.abc import Awaitable
from pathlib import Path

from prompt_toolkit import PromptSession
from prompt_toolkit.formatted_text import FormattedText
from prompt_toolkit.history import FileHistory, History, InMemoryHistory

from scripts.cli.call import REFUSED
from scripts.cli.console.completion import Words
from scripts.cli.console.connection import Connection
from scripts.cli.console.output import Output
from scripts.cli.console.shell import DONE, Exit, Shell
from transport.errors import CallError

SECRET = re.compile(r"tnt_|secret|passw|token=|key=|settings", re.IGNORECASE)
"""Lines with this in them are not written to the history's file."""

LIVE = re.compile("live|prod", re.IGNORECASE)
"""Environments whose prompt is red."""


class CarefulHistory(FileHistory):
    """A history file without what looks secret; such lines are there until the console ends."""

    def store_string(self, string: str) -> None:
        """Append a line to the file."""
        if not (SECRET.search(string) or string.startswith(" ")):
            super().store_string(string)


class Repl:
    """Reads lines and runs them until the person leaves."""

    def __init__(self, connection: Connection, output: Output, tenant: str | None) -> None:
        self._shell = Shell(connection, output, self._ask_person)
        self._shell.tenant = tenant
        self._output = output
        self._session: PromptSession[str] = PromptSession(
            history=history(),
            completer=Words(self._shell),
            complete_while_typing=False,
            complete_in_thread=False,
            enable_history_search=True,
        )
        self._question: PromptSession[str] = PromptSession(history=InMemoryHistory())

    async def run(self) -> int:
        """Return the status of the last line."""
        await self._interruptible(self._greet())
        status = DONE
        while True:
            try:
                line = await self._session.prompt_async(self._prompt)
            except KeyboardInterrupt:
                continue
            except EOFError:
                return status
            try:
                status = await self._interruptible(self._shell.run(line)) or DONE
            except Exit:
                return DONE
            except Exception as error:  # noqa: BLE001 - a defect must not take the console with it
                status = REFUSED
                self._output.problem(f"the console failed: {type(error).__name__}: {error}")

    async def _greet(self) -> int:
        """Say where this is and as whom; what is wrong is said, and the prompt comes all the same."""
        shell = self._shell
        try:
            shell.identity = who = await shell.connection.identity()
            shell.tenant = shell.tenant or who.tenant
            await shell.catalog.find("system.describe")
        except CallError as error:
            self._output.refusal(error, shell.connection.hint)
            return DONE
        self._output.say(
            f"{shell.connection.endpoint} · {shell.catalog.environment} · {who} ({who.role}) · "
            "help lists the commands, Tab completes, Ctrl-D leaves"
        )
        return DONE

    async def _interruptible(self, work: Awaitable[int]) -> int | None:
        """Run a command; Ctrl-C cancels it and nothing else. None if it was cancelled."""
        task = asyncio.ensure_future(work)
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGINT, task.cancel)
        try:
            return await task
        except (asyncio.CancelledError, KeyboardInterrupt):
            self._output.say("interrupted: a change that was on its way may have been made")
            return None
        finally:
            loop.remove_signal_handler(signal.SIGINT)

    async def _ask_person(self, question: str) -> str:
        try:
            return await self._question.prompt_async(question)
        except EOFError:
            return ""

    def _prompt(self) -> FormattedText:
        """Environment, tenant and as whom."""
        shell = self._shell
        environment = shell.catalog.environment or "not connected"
        colour = "ansired bold" if LIVE.search(environment) else "ansigreen"
        parts = [(colour, environment)]
        if shell.tenant is not None:
            parts.append(("bold", f" {shell.tenant}"))
        if shell.identity is not None:
            parts.append(("", f" as {shell.identity}"))
        return FormattedText([*parts, ("bold", "> ")])


def history() -> History:
    """Return the history of this user, kept over sessions; in memory where it cannot be written."""
    state = os.environ.get("XDG_STATE_HOME") or "~/.local/state"
    path = Path(state).expanduser() / "tenantry" / "console_history"
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        path.touch(mode=0o600)
    except OSError:
        return InMemoryHistory()
    return CarefulHistory(path)
