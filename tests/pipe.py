"""A named pipe on which a function of tests/faulty blocks until the test lets it go on."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from tests.deadline import until


class Pipe:
    """Give `params` to trouble.make; then `reached` waits for the function, `release` lets it end."""

    def __init__(self, directory: Path, name: str = "pipe") -> None:
        self._path = directory / name
        os.mkfifo(self._path)
        self.end = -1

    @property
    def params(self) -> dict[str, Any]:
        """What makes a function block here."""
        return {"kind": "block", "path": str(self._path)}

    def reached(self) -> None:
        """Wait until a function blocks: opening the other end without waiting works from then on."""
        until(self._is_open, "a function that reads the pipe")

    def release(self) -> None:
        """Let the function go on."""
        os.close(self.end)

    def _is_open(self) -> bool:
        try:
            self.end = os.open(self._path, os.O_WRONLY | os.O_NONBLOCK)
        except OSError:
            return False
        return True
