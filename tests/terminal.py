"""A terminal as a reader of our pages has one: bash on a pseudo-terminal, in a copy of the repository."""

from __future__ import annotations

import os
import re
import select
import shutil
import signal
import subprocess
import termios
import time
from pathlib import Path

ROOT = Path(__file__).parent.parent

WAIT = 60.0
"""Seconds after which a test gives up on a command."""

PROMPT = re.compile(r"<prompt (?P<status>\d+)>")

COLUMNS = 240
"""Wide enough for what pages show in one line."""

_NOT_COPIED = shutil.ignore_patterns(".git", ".venv*", "var", ".*_cache", ".hypothesis")


def copy_of_the_repository(to: Path) -> Path:
    """A checkout with what is compiled, which takes seconds; installed packages are shared by a link."""
    shutil.copytree(ROOT, to, ignore=_NOT_COPIED, symlinks=True)
    (to / ".venv").symlink_to((ROOT / ".venv").resolve())
    return to


def own_network(holder: subprocess.Popen[bytes] | None) -> list[str]:
    """The words before a command that has it run in the holder's network; none if there is none."""
    if holder is None:
        return []
    return ["nsenter", "--preserve-credentials", "--user", "--net", "--target", str(holder.pid)]


def hold_network() -> subprocess.Popen[bytes] | None:
    """A process with a network of its own, so that our pages may use the ports that they name.

    None if the system does not allow it: then these ports have to be free.
    """
    script = "ip link set lo up && echo up && exec sleep infinity"
    command = ["unshare", "--map-root-user", "--net", "sh", "-c", script]
    holder = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    assert holder.stdout is not None
    if holder.stdout.readline() == b"up\n":
        return holder
    holder.wait()
    holder.stdout.close()
    return None


class Terminal:
    """One shell, in which commands are typed one after another."""

    def __init__(self, directory: Path, before: list[str]) -> None:
        self._screen, end = os.openpty()
        termios.tcsetwinsize(end, (50, COLUMNS))
        keep = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
        self._shell = subprocess.Popen(
            [*before, "setsid", "--ctty", "bash", "--norc", "--noprofile", "--noediting", "-i"],
            cwd=directory,
            env={**keep, "PS1": "<prompt $?>", "PS2": "", "TERM": "dumb"},
            stdin=end,
            stdout=end,
            stderr=end,
        )
        os.close(end)
        self._seen = ""
        self.status = 0
        """That of the last command."""
        self._read_until(PROMPT)
        self.type_in("stty -echo")

    def type_in(self, command: str) -> str:
        """Run a command to its end; what it prints."""
        os.write(self._screen, f"{command}\n".encode())
        printed = self._read_until(PROMPT)
        prompt = PROMPT.search(printed)
        assert prompt is not None
        self.status = int(prompt["status"])
        return printed[: prompt.start()]

    def start(self, command: str, until: str) -> str:
        """Run a command until it prints a line that begins so; what it printed, that line included."""
        os.write(self._screen, f"{command}\n".encode())
        return self._read_until(re.compile(rf"^{re.escape(until)}.*\n", re.MULTILINE))

    def interrupt(self) -> None:
        """Press Ctrl-C, and wait for the prompt."""
        os.write(self._screen, b"\x03")
        self._read_until(PROMPT)

    def close(self) -> None:
        """Close the window: what runs in it gets SIGHUP, and SIGKILL if that does not help."""
        os.close(self._screen)
        try:
            self._shell.wait(10)
        except subprocess.TimeoutExpired:
            os.killpg(self._shell.pid, signal.SIGKILL)
            self._shell.wait()

    def _read_until(self, pattern: re.Pattern[str]) -> str:
        """Take what is on the screen up to the pattern, waiting for it."""
        deadline = time.monotonic() + WAIT
        while (found := pattern.search(self._seen)) is None:
            ready, _, _ = select.select([self._screen], [], [], deadline - time.monotonic())
            assert ready, f"waited {WAIT} s in vain for {pattern.pattern}; seen: {self._seen}"
            piece = os.read(self._screen, 65536)
            self._seen += piece.decode(errors="replace").replace("\r\n", "\n")
        taken, self._seen = self._seen[: found.end()], self._seen[found.end() :]
        return taken
