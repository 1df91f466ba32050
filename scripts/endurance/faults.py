"""A disk that fails as planned under a child process: which calls fail, when, and what a power cut leaves.

disk_shim.c does it, built with gcc and preloaded into the child. What it keeps is a model of the worst that a
power cut may leave: of each file what its last sync that succeeded wrote, and of names those that are there.
"""

from __future__ import annotations

import errno
import mmap
import os
import shutil
import struct
import subprocess
from enum import IntFlag
from pathlib import Path
from typing import Final

SOURCE: Final = Path(__file__).with_name("disk_shim.c")

LAYOUT: Final = struct.Struct("9i220s")
"""`struct control` in disk_shim.c."""

SEEN: Final = slice(24, 32)
"""Its counters: calls that match the rule, and those that failed."""


class Calls(IntFlag):
    """System calls that can fail."""

    WRITE = 1
    SYNC = 2
    READ = 4
    OPEN = 8
    TRUNCATE = 16
    RENAME = 32
    UNLINK = 64


class NoCompiler(Exception):
    """There is no gcc, so that no failing disk can be built."""


class Faults:
    """One disk's; made before the child starts, with a folder of its own."""

    def __init__(self, folder: Path, data: Path) -> None:
        """`data` holds the files of which the last sync is kept. NoCompiler."""
        folder.mkdir(parents=True, exist_ok=True)
        self._data = data.resolve()
        self._library = built(folder)
        self._kept = folder / "kept"
        self._control = folder / "control"
        self._control.write_bytes(bytes(LAYOUT.size))
        with self._control.open("r+b") as file:
            self._map = mmap.mmap(file.fileno(), LAYOUT.size)
        self.keep()

    def environment(self, *, power_cuts: bool = True) -> dict[str, str]:
        """For the child; without `power_cuts` nothing is kept, and syncs are real."""
        found = {"LD_PRELOAD": str(self._library), "DISK_CONTROL": str(self._control)}
        if power_cuts:
            found |= {"DISK_ROOT": str(self._data), "DISK_KEPT": str(self._kept)}
        return found

    def fail(
        self,
        calls: Calls,
        pattern: str,
        error: int = errno.EIO,
        *,
        after: int = 0,
        every: int = 1,
        most: int = 0,
    ) -> None:
        """From now on these calls fail on files whose path has `pattern` in it; one rule at a time.

        `after` calls pass first, then each `every`-th fails, `most` of them at the most (0: without end).
        """
        self.mend()
        rule = (0, calls, error, after, every, most, 0, 0, 0, pattern.encode())
        self._map[:] = LAYOUT.pack(*rule)
        self._map[:4] = struct.pack("i", 1)

    def mend(self) -> None:
        """Stop all failures; counters stay."""
        self._map[:4] = struct.pack("i", 0)

    @property
    def failed(self) -> int:
        """Calls that failed by the last rule."""
        _, failed = struct.unpack("2i", self._map[SEEN])
        return int(failed)

    def keep(self) -> None:
        """Take all that is in the data directory as synced; while no child runs."""
        shutil.rmtree(self._kept, ignore_errors=True)
        self._kept.mkdir()
        for path in files_below(self._data):
            shutil.copyfile(path, self._copy(path))

    def cut_power(self) -> None:
        """Put back each file as last synced, once the child is killed."""
        for path in files_below(self._data):
            copy = self._copy(path)
            path.write_bytes(copy.read_bytes() if copy.exists() else b"")
        self.keep()

    def _copy(self, path: Path) -> Path:
        found = path.stat()
        return self._kept / f"{found.st_dev}-{found.st_ino}"

    def close(self) -> None:
        """Let go of the control file."""
        self._map.close()


def files_below(folder: Path) -> list[Path]:
    """Without shared memory, which no power cut leaves."""
    for path in folder.rglob("*-shm"):
        path.unlink()
    return [path for path in folder.rglob("*") if path.is_file() and not path.is_symlink()]


def built(folder: Path) -> Path:
    """The library; NoCompiler."""
    compiler = shutil.which("gcc")
    if compiler is None:
        raise NoCompiler("a failing disk is built with gcc, which is not there: install it")
    library = folder / "disk_shim.so"
    if not library.exists():
        command = [compiler, "-shared", "-fPIC", "-O2", "-o", str(library), str(SOURCE), "-ldl"]
        subprocess.run(command, check=True, env={**os.environ, "LC_ALL": "C"})
    return library
