"""Runs commands whose effects on files are numbered: each is killed, or finds the disk full, at one of them.

effects.c counts, below Python: what is written, synced, renamed, linked, made and removed. So a test that
goes from the first number to the last has met every effect, also those that are added after it was written.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import json
import mmap
import os
import shutil
import signal
import struct
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Final, NamedTuple, Self

import pytest

SOURCE: Final = Path(__file__).with_name("effects.c")

HEAD: Final = struct.Struct("4i1008s")
"""`struct control` in effects.c, without its trace."""

SIZE: Final = HEAD.size + (1 << 20)

COMMANDS: Final = (
    "scripts.releasing.build.command",
    "scripts.releasing.publish.command",
    "scripts.releasing.publish.repository",
    "scripts.releasing.publish.verifier",
    "scripts.releasing.deploy.command",
    "scripts.releasing.deploy.rollback",
    "scripts.releasing.deploy.releases",
    "scripts.releasing.deploy.procedure",
    "scripts.releasing.build.plan",
)
"""Imported before the first fork."""

TAKE_ROOM: Final = ("create ", "write ", "mkdir ", "link ", "symlink ")
"""Effects that a full disk refuses."""

KILLED: Final = -signal.SIGKILL


class Ended(NamedTuple):
    """How a command ended."""

    status: int
    """Its exit status; KILLED if it was killed."""
    errors: str
    """What it wrote to standard error."""
    trace: tuple[str, ...]
    """Its effects, such as `rename metadata/timestamp.json`, by path below the folder."""

    def points(self, error: int = 0) -> list[int]:
        """The numbers of effects to be cut at: those before which files are as before no other.

        With an error, those that take room.
        """
        assert self.trace
        pairs = enumerate(zip(("", *self.trace), self.trace, strict=False), start=1)
        return [
            number
            for number, (before, each) in pairs
            if (each.startswith(TAKE_ROOM) if error else not before.startswith("sync "))
        ]


class Effects:
    """A process that forks commands; a context manager."""

    def __init__(self, folder: Path) -> None:
        """`folder` is for what it builds. The test is skipped where there is no compiler."""
        control = folder / "control"
        control.write_bytes(bytes(SIZE))
        with control.open("r+b") as file:
            self._map = mmap.mmap(file.fileno(), SIZE)
        self._process = subprocess.Popen(
            [sys.executable, "-m", __name__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={
                **os.environ,
                "LD_PRELOAD": str(built(folder)),
                "EFFECTS_CONTROL": str(control),
                "EFFECTS_ERRORS": str(folder / "errors"),
            },
        )
        self._errors = folder / "errors"

    def prepare(self, program: str, *words: object) -> None:
        """Run a command in the process that is forked: each run of it starts with what this one has made.

        It must start no thread.
        """
        assert self._ask(False, program, *words) == 0

    def run(self, program: str, *words: object, below: Path, at: int = 0, error: int = 0) -> Ended:
        """Run a command to its end: killed at effect `at`, or with this error from there on; 0 is never.

        `program` is the module with its `main`; effects below one folder count.
        """
        root = f"{below.resolve()}/".encode()
        self._map[: HEAD.size] = HEAD.pack(at, error, 0, 0, root)
        status = self._ask(True, program, *words)
        _, _, _, traced, _ = HEAD.unpack(self._map[: HEAD.size])
        lines = self._map[HEAD.size : HEAD.size + traced].decode().splitlines()
        return Ended(status, self._errors.read_text(), tuple(lines))

    def _ask(self, is_forked: bool, program: str, *words: object) -> int:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps([is_forked, program, *map(str, words)]) + "\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._process.communicate()
        self._map.close()


def built(folder: Path) -> Path:
    """The library; the test is skipped where there is no compiler."""
    compiler = shutil.which("gcc")
    if compiler is None:
        pytest.skip("effects are numbered by a library that is built with gcc")
    library = folder / "effects.so"
    command = [compiler, "-shared", "-fPIC", "-O2", "-o", str(library), str(SOURCE), "-ldl"]
    subprocess.run(command, check=True)
    return library


def run(program: str, *words: str) -> int:
    """Run a command here, whatever it prints; its exit status."""
    with contextlib.redirect_stdout(io.StringIO()):
        return int(importlib.import_module(program).main(words))


def run_forked(program: str, *words: str) -> int:
    """Run a command in a fork; its exit status."""
    if (pid := os.fork()) == 0:
        errors = os.open(os.environ["EFFECTS_ERRORS"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        os.dup2(errors, sys.stderr.fileno())
        status = run(program, *words)
        sys.stderr.flush()
        os._exit(status)
    _, ended = os.waitpid(pid, 0)
    return os.waitstatus_to_exitcode(ended)


def main() -> None:
    """Import all commands, then run one for each line of standard input."""
    for name in COMMANDS:
        importlib.import_module(name)
    for line in sys.stdin:
        is_forked, *command = json.loads(line)
        status = (run_forked if is_forked else run)(*command)
        sys.stdout.write(f"{status}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
