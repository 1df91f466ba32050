"""Prints results of the console: tables that fit, log lines, values by name, or JSON.

Text from a server is data: it is never taken for markup, and no control sequence in it reaches the terminal.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import IO, Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from scripts.cli.call import as_json_text, reply_map
from scripts.cli.display import console_on, show_error
from scripts.cli.log_lines import line_of, story_of
from scripts.cli.tables import cell_of, fit, flatten, has_value, safe_text, table_of
from transport.errors import CallError
from transport.fit import inert
from transport.message import Reply

LOGS = {"logs.tenant": "tenant", "logs.errors": "errors", "logs.audit": "audit"}
"""Actions whose lines have a form of their own."""

LONGEST_WORD = 32
"""Columns that words in help take at most, where what they mean has to be cut."""

PAGING = frozenset({"next", "newest", "complete"})
"""Members that say where a page goes on: `more` needs them, people do not."""


class Output:
    """Two streams: results on one, everything else on the other."""

    def __init__(
        self, out: IO[str], err: IO[str], *, wide: bool = False, json: bool = False
    ) -> None:
        self._out = console_on(out)
        self._err = console_on(err)
        self.wide = wide
        self.json = json

    def say(self, words: str, style: str = "dim") -> None:
        """Print a line that is no result."""
        self._err.print(safe_text(words, style))

    def problem(self, words: str) -> None:
        """Print what is wrong with what was typed, or why it was not sent."""
        self.say(words, "red")

    def refusal(self, error: CallError, hint: str = "") -> None:
        """Print why the server refused, and what to do."""
        show_error(error, hint)

    def text(self, text: Text) -> None:
        """Print a line of a result."""
        self._out.print(text, soft_wrap=True)

    def prose(self, words: str) -> None:
        """Print a sentence, on a terminal in lines that end between words."""
        self._out.print(safe_text(words), soft_wrap=not self.is_terminal)

    def value(self, value: Any) -> None:
        """Print JSON on one line."""
        self._out.print(Text(inert(json.dumps(value, ensure_ascii=False))), soft_wrap=True)

    def reply(
        self, action: str, reply: Reply, *, wide: bool = False, as_json: bool = False
    ) -> None:
        """Print a reply that is no refusal."""
        if as_json or self.json:
            self._out.print(Text(as_json_text(reply_map(reply))), soft_wrap=True)
            return
        if reply.message is not None:
            self.say(reply.message, "bold yellow")
        self.result(action, reply.result or {}, wide=wide)

    def result(self, action: str, result: Mapping[str, Any], *, wide: bool = False) -> None:
        """Print a result in the form that suits it."""
        if action in LOGS:
            self._lines(LOGS[action], result["lines"][::-1])
        elif action == "logs.trace":
            self._story(result)
        else:
            self._members(result, wide=wide or self.wide)

    def pairs(self, lines: Iterable[tuple[str, str]], *, cut: bool = False) -> None:
        """Print words with what they mean beside them; `cut` to one line each."""
        listed = list(lines)
        least = min(max((len(word) for word, _ in listed), default=0), LONGEST_WORD)
        room = max(self._out.width - least - 2, 1) if cut else None
        grid = Table.grid(padding=(0, 2, 0, 0), pad_edge=False)
        grid.add_column(no_wrap=True, overflow="ellipsis", min_width=least)
        grid.add_column(no_wrap=cut, overflow="ellipsis" if cut else "fold", max_width=room)
        for word, meaning in listed:
            grid.add_row(safe_text(word, "cyan"), safe_text(meaning))
        if grid.row_count:
            self._out.print(grid)

    def clear(self) -> None:
        """Begin a new screen; nothing if there is none."""
        self._out.clear()

    @property
    def is_terminal(self) -> bool:
        """Whether results go to a screen that can be cleared."""
        return self._out.is_terminal and not self._out.is_dumb_terminal

    def _lines(self, log: str, lines: Sequence[Mapping[str, Any]]) -> None:
        for line in lines:
            self.text(line_of(log, line))
        if not lines:
            self.say("no lines")

    def _story(self, result: Mapping[str, Any]) -> None:
        for each in result["lines"]:
            for text in story_of(each["log"], each["line"]):
                self.text(text)
        if not result["lines"]:
            self.say("no log that you may read has a line with this trace id")
        if not result["complete"]:
            self.say("there are more lines: since=… and until=… take a part of them")

    def _members(self, result: Mapping[str, Any], *, wide: bool) -> None:
        """Plain values by name first, then texts as they are, then each list of maps as a table."""
        tables = {name: value for name, value in result.items() if _is_rows(value)}
        plain = {name: each for name, each in result.items() if name not in tables}
        flat = [pair for pair in flatten(plain) if pair[0] not in PAGING or not tables]
        texts = {name: value for name, value in flat if isinstance(value, str) and "\n" in value}
        shown = [(name, value) for name, value in flat if name not in texts and has_value(value)]
        if shown:
            self._out.print(_fields(shown))
        for text in texts.values():
            self.text(safe_text(text.rstrip("\n")))
        for name, rows in tables.items():
            if len(result) > 1 and (shown or len(tables) > 1):
                self.text(Text(f"{name} ({len(rows)})", "cyan"))
            self.rows(rows, wide=wide)
        if not (shown or texts or tables):
            self.say("nothing")

    def rows(self, rows: Sequence[Mapping[str, Any]], *, wide: bool = False) -> None:
        """Print a table as wide as the terminal at most; in a pipe, and if `wide`, as wide as it is."""
        width = None if wide or not self._out.is_terminal else self._out.width
        fitted = fit(rows, width)
        if fitted.left_out and len(rows) == 1:
            self._out.print(_fields([each for each in flatten(rows[0]) if has_value(each[1])]))
            return
        width = max(fitted.width, 1)
        Console(file=self._out.file, width=width, highlight=False).print(table_of(fitted))
        if fitted.left_out:
            self.say(f"left out: {', '.join(fitted.left_out)} (--wide shows them)")


def _is_rows(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(row, dict) for row in value)


def _fields(fields: Sequence[tuple[str, Any]]) -> Table:
    grid = Table.grid(padding=(0, 2))
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    for name, value in fields:
        grid.add_row(safe_text(name, "cyan"), Text(cell_of(value, shorten=False)))
    return grid
