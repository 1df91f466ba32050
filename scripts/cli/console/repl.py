"""The console at a terminal: prompt, history, completion on Tab, Ctrl-C."""

from __future__ import annotations

import argparse
import asyncio
import importlib
import os
import re
import signal
import sys
from collections.abc import Coroutine
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from prompt_toolkit import PromptSession
from prompt_toolkit.application import run_in_terminal
from prompt_toolkit.completion import Completer, DynamicCompleter
from prompt_toolkit.formatted_text import FormattedText
from prompt_toolkit.history import DummyHistory, FileHistory, History, InMemoryHistory
from prompt_toolkit.utils import is_dumb_terminal

from scripts.cli.call import REFUSED
from scripts.cli.console.statuses import DONE, INTERRUPTED, Exit
from scripts.cli.target import ServerTarget

if TYPE_CHECKING:
    from scripts.cli.console.shell import Shell

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
    """Reads lines and runs them until the person leaves.

    The prompt is there at once; what talks to the server is imported while the person reads it.
    """

    def __init__(self, given: argparse.Namespace, target: ServerTarget) -> None:
        self._given = given
        self._target = target
        self._shell: Shell | None = None
        self._words: Completer | None = None
        self._session: PromptSession[str] = PromptSession(
            history=history(),
            completer=DynamicCompleter(lambda: self._words),
            complete_while_typing=False,
            complete_in_thread=False,
            enable_history_search=True,
        )
        self._question: PromptSession[str] = PromptSession(history=DummyHistory())

    async def run(self) -> int:
        """Return the status of the last line. Raises ValueError for keys that cannot be read."""
        opening = asyncio.create_task(self._open())
        opening.add_done_callback(self._end_if_failed)
        status = DONE
        try:
            if is_dumb_terminal():  # it cannot draw a prompt again that is there already
                await self._interruptible(self._opened(opening))
            while True:
                try:
                    line = await self._session.prompt_async(self._prompt)
                except KeyboardInterrupt:
                    continue
                status = await self._interruptible(self._run(opening, line))
        except (EOFError, Exit):
            if opening.done():
                opening.result()
            return status
        finally:
            await self._close(opening)

    async def _opened(self, opening: asyncio.Task[None]) -> int:
        await asyncio.shield(opening)
        return DONE

    async def _run(self, opening: asyncio.Task[None], line: str) -> int:
        await self._opened(opening)
        assert self._shell is not None
        try:
            return await self._shell.run(line)
        except Exit:
            raise
        except Exception as error:  # noqa: BLE001 - a defect must not take the console with it
            self._shell.output.problem(f"the console failed: {type(error).__name__}: {error}")
            return REFUSED

    async def _open(self) -> None:
        """Connect, and say where this is and as whom; what is wrong is said, and the prompt stays."""
        await asyncio.to_thread(importlib.import_module, "scripts.cli.console.batch")
        from scripts.cli.console.batch import open_shell
        from scripts.cli.console.completion import Words

        shell = open_shell(self._given, self._target, self._say, self._ask_person)
        self._shell, self._words = shell, Words(shell)
        for line in await shell.greeting():
            self._say(line)
        self._session.app.invalidate()

    def _end_if_failed(self, opening: asyncio.Task[None]) -> None:
        if not opening.cancelled() and opening.exception() and self._session.app.is_running:
            self._session.app.exit(exception=EOFError())

    async def _close(self, opening: asyncio.Task[None]) -> None:
        opening.cancel()
        if self._shell is not None:
            await self._shell.connection.close()

    def _say(self, words: str) -> None:
        """Print a line that is no result, above the prompt if one is there."""
        assert self._shell is not None
        run_in_terminal(partial(self._shell.output.say, words))

    async def _interruptible(self, work: Coroutine[object, object, int]) -> int:
        """Run a command; Ctrl-C cancels it and nothing else."""
        task = asyncio.ensure_future(work)
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGINT, task.cancel)
        try:
            return await task
        except (asyncio.CancelledError, KeyboardInterrupt):
            is_changing = self._shell is not None and self._shell.is_changing
            more = ": what was to be changed may have been" if is_changing else ""
            print(f"interrupted{more}", file=sys.stderr)
            return INTERRUPTED
        finally:
            loop.remove_signal_handler(signal.SIGINT)

    async def _ask_person(self, question: str, *, hidden: bool = False) -> str:
        try:
            return await self._question.prompt_async(question, is_password=hidden)
        except EOFError:
            return ""

    def _prompt(self) -> FormattedText:
        """Environment, tenant and as whom."""
        shell = self._shell
        environment = (shell and shell.catalog.environment) or "not connected"
        colour = "ansired bold" if LIVE.search(environment) else "ansigreen"
        parts = [(colour, environment)]
        if shell is not None and shell.tenant is not None:
            parts.append(("bold", f" {shell.tenant}"))
        if shell is not None and shell.identity is not None:
            parts.append(("", f" as {shell.identity}"))
        if shell is not None and shell.is_super:
            parts.append(("ansired", " (super admin)"))
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
