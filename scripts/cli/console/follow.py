"""Follows a log of the server line by line, over restarts of the server too."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.text import Text

from scripts.cli.console.connection import ConsoleConnection
from scripts.cli.console.grammar import ParsedCall
from scripts.cli.console.output import LOGS, Output
from scripts.cli.log_lines import line_of, story_of
from scripts.cli.params import UsageError
from transport.errors import NoAnswer, Unavailable

WAIT_MS = 20_000
"""Milliseconds for which the server waits for a new line before the next request."""

PAGE = 100
"""Lines requested at a time."""

RETRY_SECONDS = 1.0
"""Seconds until a stopping server is asked again, if it names no time."""

MESSAGES = 20
"""Messages that `trace on` shows if no number is given."""

USAGE = "trace on TENANT [ACTION] [NUMBER], such as trace on acme contacts.add 20"


class Follower:
    """Prints new lines of one log as they come."""

    def __init__(
        self, connection: ConsoleConnection, output: Output, call: ParsedCall, *, whole: bool
    ) -> None:
        """`call` is of an action that reads a log; `whole` shows params and whatever else a line has."""
        self._connection = connection
        self._output = output
        self._call = call
        self._whole = whole

    async def run(self, most: int | None = None) -> None:
        """Print so many new lines, or all until it is cancelled; raises CallError."""
        page = await self._ask({"limit": 1})
        what = "new lines" if most is None else f"the next {most} messages"
        self._output.say(f"{what} of {self._call.tenant or 'all tenants'}; Ctrl-C ends it")
        shown = 0
        while most is None or shown < most:
            limit = PAGE if most is None else min(PAGE, most - shown)
            page = await self._ask({"after": page["newest"], "wait_ms": WAIT_MS, "limit": limit})
            self._print(page["lines"])
            shown += len(page["lines"])

    async def _ask(self, wanted: Mapping[str, Any]) -> Mapping[str, Any]:
        call = self._call
        while True:
            try:
                return await self._connection.call(
                    call.entry.name, {**call.params, **wanted}, call.tenant
                )
            except Unavailable as error:
                await asyncio.sleep((error.retry_after_ms or RETRY_SECONDS * 1000) / 1000)
            except NoAnswer:
                continue

    def _print(self, lines: Sequence[Mapping[str, Any]]) -> None:
        for line in lines:
            if self._output.json or self._call.flags.json:
                self._output.value(line)
                continue
            for text in self._texts(line):
                self._output.text(text)

    def _texts(self, line: Mapping[str, Any]) -> Iterator[Text]:
        log = LOGS[self._call.entry.name]
        if self._whole:
            yield from story_of(log, line)
        else:
            yield line_of(log, line)


def read_trace_on(words: Sequence[str]) -> tuple[str, dict[str, Any], int]:
    """Return tenant, params and number of `trace on` from the words after it; raises UsageError."""
    rest = list(words)
    count = int(rest.pop()) if rest and rest[-1].isdecimal() else MESSAGES
    if not 1 <= len(rest) <= 2 or not 0 < count <= 10_000:
        raise UsageError(USAGE)
    return rest[0], {"action": rest[1]} if len(rest) == 2 else {}, count
