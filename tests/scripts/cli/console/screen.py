"""The console in a pseudo-terminal, as a person has it before them."""

from __future__ import annotations

import codecs
import os
import re
import select
import subprocess
import sys
import termios
import time
from pathlib import Path
from types import TracebackType
from typing import Self

ROOT = Path(__file__).parents[4]

WAIT = 20.0
"""Seconds after which a test gives up on the console."""

PIECE = re.compile(r"\x1b\[([0-9;?]*)[ -/]*([@-~])|\x1b[^\[]|([\r\n\b])|([^\x1b\r\n\b]+)")
"""A control sequence, a control character, or text."""

PROMPT = r"local-dev[^>\n]*>\Z"


class Display:
    """What a terminal shows of what is written to it: as many rows as there are, none scrolled away."""

    def __init__(self, columns: int) -> None:
        self._columns = columns
        self._rows: list[list[str]] = [[]]
        self._row = self._column = 0
        self._rest = ""

    def write(self, text: str) -> None:
        """Take what a program has written; a sequence may come in two parts."""
        text = self._rest + text
        end = text.rfind("\x1b")
        is_whole = end < 0 or PIECE.match(text, end) is not None
        self._rest, text = ("", text) if is_whole else (text[end:], text[:end])
        for values, letter, control, words in PIECE.findall(text):
            if words:
                self._put(words)
            elif control:
                self._move({"\n": "B", "\r": "G", "\b": "D"}[control], 1)
            elif letter in "ABCDGJK" and letter:
                self._move(letter, int(values.partition(";")[0] or (0 if letter in "JK" else 1)))

    def text(self, first: int = 0) -> str:
        """The rows from one on, without blanks at their ends."""
        rows = ["".join(row).rstrip() for row in self._rows[first:]]
        return "\n".join(rows).rstrip("\n")

    @property
    def row(self) -> int:
        """The number of the cursor's row."""
        return self._row

    def _put(self, words: str) -> None:
        for char in words:
            if self._column == self._columns:
                self._column = 0
                self._move("B", 1)
            row = self._rows[self._row]
            row.extend(" " * (self._column + 1 - len(row)))
            row[self._column] = char
            self._column += 1

    def _move(self, letter: str, count: int) -> None:
        if letter in "AB":
            self._row = max(0, self._row + (count if letter == "B" else -count))
            self._rows.extend([] for _ in range(self._row + 1 - len(self._rows)))
        elif letter in "CD":
            self._column = max(0, self._column + (count if letter == "C" else -count))
        elif letter == "G":
            self._column = count - 1
        elif count == 0:  # erase from the cursor to the end of the line, or of the screen
            del self._rows[self._row][self._column :]
            if letter == "J":
                del self._rows[self._row + 1 :]


class Screen:
    """`python -m scripts.cli.console` on a terminal of so many columns; a context manager that ends it."""

    def __init__(self, data: Path, *arguments: str, columns: int = 80, **env: str) -> None:
        self._screen, end = os.openpty()
        termios.tcsetwinsize(end, (50, columns))
        # COLUMNS and LINES, which a parallel run of the tests sets, would win over the terminal's size.
        clean = {
            name: each
            for name, each in os.environ.items()
            if "TENANTRY_" not in name and name not in {"COLUMNS", "LINES"}
        }
        state = {"XDG_STATE_HOME": str(data / "state"), "PROMPT_TOOLKIT_NO_CPR": "1"}
        self._process = subprocess.Popen(
            ["setsid", "--ctty", sys.executable, "-m", "scripts.cli.console", *arguments],
            cwd=ROOT,
            env={**clean, "TERM": "xterm", **state, "TENANTRY_DATA": str(data), **env},
            stdin=end,
            stdout=end,
            stderr=end,
        )
        os.close(end)
        self._decoder = codecs.getincrementaldecoder("utf-8")()
        self._display = Display(columns)
        self._first = 0
        self.raw = ""
        """All that the console has sent to the terminal."""

    def press(self, keys: str) -> None:
        """Press keys; Enter is \\r, Tab \\t, Ctrl-C \\x03."""
        os.write(self._screen, keys.encode())

    def until(self, pattern: str) -> str:
        """Wait for text below where the last line was typed; return all that is shown there."""
        wanted = re.compile(pattern, re.MULTILINE)
        deadline = time.monotonic() + WAIT
        while not wanted.search(self.shown):
            ready, _, _ = select.select([self._screen], [], [], deadline - time.monotonic())
            assert ready, f"waited {WAIT} s in vain for {pattern}; shown: {self.shown}"
            self._take(self._decoder.decode(os.read(self._screen, 65536)))
        return self.shown

    def until_sent(self, words: str, after: str = "") -> None:
        """Wait for words in all that was sent, control sequences left out; after a sequence, if one is given.

        For programs that fill the screen, and put each part of it in its place.
        """
        deadline = time.monotonic() + WAIT
        while after not in self.raw or words not in PIECE.sub(
            r"\4", self.raw[self.raw.rfind(after) :] if after else self.raw
        ):
            ready, _, _ = select.select([self._screen], [], [], deadline - time.monotonic())
            assert ready, f"waited {WAIT} s in vain for {words}"
            self._take(self._decoder.decode(os.read(self._screen, 65536)))

    def run(self, line: str) -> str:
        """Type a line, and return what is shown up to the next prompt."""
        self.enter(line)
        return self.until(rf"\n.*{PROMPT}")

    def enter(self, line: str) -> None:
        """Type a line; what is waited for next is below it."""
        self._first = self._display.row
        self.press(f"{line}\r")

    @property
    def shown(self) -> str:
        """What is on the screen from the last line that was typed on."""
        return self._display.text(self._first)

    def ended(self) -> int:
        """Wait until the console has ended; its exit status."""
        return self._process.wait(WAIT)

    def __enter__(self) -> Self:
        try:
            self.until(PROMPT)
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._process.kill()
        self._process.wait()
        os.close(self._screen)

    def _take(self, text: str) -> None:
        self.raw += text
        self._display.write(text)
