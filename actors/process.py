"""The process: its hold on the data directory, its memory, its open files."""

from __future__ import annotations

import fcntl
import os
import resource
import socket
import stat
from contextlib import suppress
from pathlib import Path

from actors.errors import SettingsError
from transport.socket_file import path_of

DESCRIPTORS_PER_TENANT = 3
"""The database, its -wal and its -shm."""

DESCRIPTORS_BESIDES = 128
"""Sockets, logs, libraries: what the process needs besides tenants."""

_HELD: dict[int, set[int | str]] = {}
"""What is this process's alone, by its hold: ports, and the paths of socket files."""

CONNECTIONS = 1024
"""Of clients, and of connectors to services outside: on top of that, where the hard limit has room."""


def claim(data: Path) -> int:
    """Make the data directory and lock it for this process; a second server on it would ruin databases."""
    try:
        data.mkdir(mode=0o700, parents=True, exist_ok=True)
        require_closed(data)
        lock = os.open(data / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise SettingsError(
            f"the data directory {data} cannot be used ({error.strerror}): TENANTRY_DATA (--data) "
            "takes another"
        ) from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        raise SettingsError(
            f"another server uses the data directory {data}: stop it, or give this one "
            "a directory of its own with TENANTRY_DATA (--data)"
        ) from None
    _HELD[lock] = set()
    return lock


def bound(lock: int, *addresses: str | int | None) -> None:
    """The sockets at these endpoints and ports belong to whoever holds this lock, too."""
    for each in addresses:
        path, port = path_of(str(each)), str(each).rpartition(":")[2]
        _HELD[lock].add(int(port) if path is None and port.isdecimal() else str(path))


def release(lock: int) -> None:
    """Another server may have the directory."""
    del _HELD[lock]
    os.close(lock)


def _leave_to_parent() -> None:
    """A child that a function forks outlives the server, and must hold neither directory nor address."""
    for lock, addresses in _HELD.items():
        os.close(lock)
        for name in os.listdir("/dev/fd"):  # noqa: PTH208 - numbers, not files
            with suppress(OSError):
                _close_if_bound(int(name), addresses)
    _HELD.clear()


def _close_if_bound(descriptor: int, addresses: set[int | str]) -> None:
    with socket.socket(fileno=os.dup(descriptor)) as seen:
        name = seen.getsockname()
    if (name[1] if isinstance(name, tuple) else name) in addresses:
        os.close(descriptor)


os.register_at_fork(after_in_child=_leave_to_parent)


def require_closed(data: Path) -> None:
    """SettingsError where others may write there: they could put a socket or a database in place of ours."""
    mode = data.stat().st_mode
    if mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise SettingsError(
            f"others may write to the data directory {data} (mode {stat.S_IMODE(mode):04o}), and could put "
            f"files of theirs in the place of the server's: chmod go-w {data}"
        )


def limit_memory(most: int) -> None:
    """One message of a million parts passes every limit of the socket: the process has one of its own."""
    if most:
        _, hard = resource.getrlimit(resource.RLIMIT_AS)
        resource.setrlimit(resource.RLIMIT_AS, (most if hard < 0 else min(most, hard), hard))


def require_descriptors(resident: int) -> None:
    """Raise the soft limit of open files as far as needed; SettingsError where the hard one is too low."""
    needed = resident * DESCRIPTORS_PER_TENANT + DESCRIPTORS_BESIDES
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    is_bounded = hard != resource.RLIM_INFINITY
    if is_bounded and hard < needed:
        most = (hard - DESCRIPTORS_BESIDES) // DESCRIPTORS_PER_TENANT
        raise SettingsError(
            f"TENANTRY_RESIDENT={resident} needs {needed} open files and this process may have {hard}: "
            f"raise `ulimit -Hn`, or set TENANTRY_RESIDENT to {most} or less"
        )
    wanted = needed + CONNECTIONS
    if soft < wanted:
        resource.setrlimit(
            resource.RLIMIT_NOFILE, (min(wanted, hard) if is_bounded else wanted, hard)
        )
