"""Follows the chain from the first record on, and names the first line that is not the record due there."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from actors.log.append_file import LINE_BYTES, display_path, month_files
from actors.log.audit.chain import GENESIS, ChainError, verify_next

STEP_LINES = 1000
"""Lines that are checked between two pauses: some 20 ms."""

MAX_RECHECKS = 50
"""At a line without an end, which may be in the writing at this moment."""

Steps = Generator[bool, None, "VerificationResult"]
"""True before another look at a line that has no end yet."""


class ChainBreak(NamedTuple):
    """Where the chain does not hold."""

    seq: int
    """Of the record that belongs there."""
    file: str
    line: int
    problem: str


class VerificationResult(NamedTuple):
    """What became of a verification."""

    records: int
    """How many are sound."""
    head: str
    """The hash of the last sound one."""
    broken: ChainBreak | None

    def answer(self) -> dict[str, Any]:
        """As a JSON map."""
        found: dict[str, Any] = {
            "ok": self.broken is None,
            "records": self.records,
            "head": self.head,
        }
        return found if self.broken is None else {**found, "broken": self.broken._asdict()}


class Verification:
    """One pass over a log, which may be written to meanwhile."""

    def __init__(self, directory: Path, head: str | None = None) -> None:
        """`head` is a hash that was kept elsewhere: its record has to be there."""
        self._directory = directory
        self._wanted = head
        self._link = GENESIS
        self._is_found = head in (None, GENESIS.hash)
        self._path = directory
        self._line = 0

    def steps(self) -> Steps:
        """Check; pauses often, for others that need the thread. OSError where the log cannot be read."""
        try:
            for path in month_files(self._directory):
                self._path, self._line = path, 0
                yield from self._through_volume()
        except ChainError as problem:
            return self._result(str(problem))
        if not self._is_found:
            self._line += 1
            return self._result(
                f"is missing: no record has the hash {self._wanted}; the tail was cut after record "
                f"{self._link.seq}, or every record was written again"
            )
        return self._result(None)

    def run(self, wait: Callable[[], object] = lambda: None) -> VerificationResult:
        """Check without a pause; `wait` is called before another look at a line that has no end yet."""
        steps = self.steps()
        while True:
            try:
                if next(steps):
                    wait()
            except StopIteration as end:
                verdict: VerificationResult = end.value
                return verdict

    def _through_volume(self) -> Generator[bool, None, None]:
        if self._path.is_dir():
            raise ChainError("is not there: a directory has the name of its file")
        with self._path.open("rb") as file:
            while line := file.readline(LINE_BYTES):
                self._line += 1
                looks = 0
                while not line.endswith(b"\n") and looks < MAX_RECHECKS:
                    yield True
                    line, looks = _retry(file, line), looks + 1
                self._link = verify_next(line, self._link)
                self._is_found = self._is_found or self._link.hash == self._wanted
                if self._line % STEP_LINES == 0:
                    yield False

    def _result(self, problem: str | None) -> VerificationResult:
        broken = None
        if problem is not None:
            place = (
                self._directory.name if self._path == self._directory else display_path(self._path)
            )
            broken = ChainBreak(self._link.seq + 1, place, max(1, self._line), problem)
        return VerificationResult(self._link.seq, self._link.hash, broken)


def _retry(file: BinaryIO, line: bytes) -> bytes:
    """Read the line again that was read last."""
    file.seek(-len(line), os.SEEK_CUR)
    return file.readline(LINE_BYTES)
