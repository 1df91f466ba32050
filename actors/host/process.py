"""The process: its lock on the data directory, its memory, its open files."""

from __future__ import annotations

import ctypes
import fcntl
import os
import resource
import socket
import stat
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from actors.errors import SettingsError
from actors.host.disk import sync
from transport.connection import BOUNDS, Bounds
from transport.socket_file import path_of

DESCRIPTORS_PER_TENANT = 3
"""The database, its -wal and its -shm."""

OTHER_DESCRIPTORS = 128
"""Descriptors of listening sockets, of the server's own databases and logs, and of libraries."""


class _Held(NamedTuple):
    """What no child of this process may hold."""

    tenants: int
    """A descriptor of `tenants/`, locked too: the lock file itself can be removed while it is held."""
    addresses: set[int | str]
    """Ports, and the paths of socket files."""


_HELD: dict[int, _Held] = {}
"""The holdings of this process, by the descriptor of the lock."""

LOG_DESCRIPTORS = 256
"""Open log files of tenants: of those that logged last."""

DESCRIPTORS_PER_CONNECTION = 2
"""ZeroMQ's descriptor, and that of the connection's monitor."""

MIN_CONNECTIONS = 64
"""Client connections at least; with fewer descriptors the server does not start."""

MAX_CONNECTIONS = 4096
"""Client connections at most, however many descriptors there are: all are checked many times a second."""

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
"""Parameters of mallopt(3)."""

LARGE_BLOCK_BYTES = 512 * 1024
"""Bytes of a block of memory from which on it is a mapping of its own."""

MOST_FREE_BYTES = 16 * 1024 * 1024
"""Bytes that are free at the end of the heap from which on they are given back to the system."""

RESERVED_PART = 4
"""One part in so many of the descriptors for connections is reserved, also for outside services."""


def lock_data(data: Path) -> int:
    """Make the data directory and lock it for this process; return the lock's descriptor.

    Raises SettingsError if it cannot be used. A second server on it would ruin databases.
    """
    with ExitStack() as on_failure:
        try:
            data.mkdir(mode=0o700, parents=True, exist_ok=True)
            require_private(data)
            lock = os.open(data / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            on_failure.callback(os.close, lock)
            _lock(lock, data)
            tenants = _open_tenants(data)
        except OSError as error:
            raise SettingsError(
                f"the data directory {data} cannot be used ({error.strerror}): TENANTRY_DATA (--data) "
                "takes another"
            ) from error
        on_failure.callback(os.close, tenants)
        with suppress(OSError):  # not every network file system locks directories
            _lock(tenants, data)
        on_failure.pop_all()
    _HELD[lock] = _Held(tenants, set())
    return lock


def _open_tenants(data: Path) -> int:
    place = data / "tenants"
    with suppress(FileExistsError):
        place.mkdir(mode=0o700)
        sync(data)
    return os.open(place, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)


def _lock(descriptor: int, data: Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise SettingsError(
            f"another server uses the data directory {data}: stop it, or give this one "
            "a directory of its own with TENANTRY_DATA (--data)"
        ) from None


def bound(lock: int, *addresses: str | int | None) -> None:
    """Note the endpoints and ports of sockets that belong to the holder of this lock."""
    for each in addresses:
        path, port = path_of(str(each)), str(each).rpartition(":")[2]
        _HELD[lock].addresses.add(int(port) if path is None and port.isdecimal() else str(path))


def unlock_data(lock: int) -> None:
    """Release the data directory for another server."""
    os.close(_HELD.pop(lock).tenants)
    os.close(lock)


def _leave_to_parent() -> None:
    """Close the lock and the sockets in a child that a function forks: the child may outlive the server."""
    for lock, (tenants, addresses) in _HELD.items():
        os.close(lock)
        os.close(tenants)
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


def require_private(data: Path) -> None:
    """Raise SettingsError if other users may write there: they could replace sockets and databases."""
    mode = data.stat().st_mode
    if mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise SettingsError(
            f"others may write to the data directory {data} (mode {stat.S_IMODE(mode):04o}), and could put "
            f"files of theirs in the place of the server's: chmod go-w {data}"
        )


def limit_memory(most: int) -> None:
    """Limit the address space to `most` bytes; 0 for none.

    A message of a million parts passes every limit of the socket, so the process needs its own.
    """
    if most:
        _, hard = resource.getrlimit(resource.RLIMIT_AS)
        resource.setrlimit(resource.RLIMIT_AS, (most if hard < 0 else min(most, hard), hard))


@contextmanager
def require_threads(most: int) -> Iterator[None]:
    """Raise SettingsError if a thread cannot be started. `most` is the memory limit in bytes, 0 for none."""
    try:
        yield
    except RuntimeError as error:
        if "thread" not in str(error):
            raise
        raise SettingsError(
            f"a server needs some 25 threads, and the machine gives no more ({error}): TENANTRY_MEMORY_BYTES"
            f"={most} (--memory-bytes) may be too little, with 1.5 GB as a rule, or `ulimit -u` too low"
        ) from error


def return_large_blocks() -> None:
    """Have the allocator return each freed block of LARGE_BLOCK_BYTES to the system.

    glibc would allocate blocks from its heaps up to the size of the largest one that was freed: what peers
    have sent and was dropped would stay with the process, in pieces. Smaller blocks than these come and go
    with each batch of messages: to map them anew each time took a quarter of a message's time. Other
    allocators are left as they are.
    """
    with suppress(OSError, AttributeError):
        library = ctypes.CDLL(None)
        library.mallopt(M_MMAP_THRESHOLD, LARGE_BLOCK_BYTES)
        library.mallopt(M_TRIM_THRESHOLD, MOST_FREE_BYTES)


def connection_bounds(resident: int, memory: int) -> Bounds:
    """Return the bounds of client connections, with this many resident tenants and bytes of memory.

    Increases the soft limit of open files as far as needed. Raises SettingsError if the hard one is too low.
    """
    fixed = OTHER_DESCRIPTORS + LOG_DESCRIPTORS + DESCRIPTORS_PER_CONNECTION * BOUNDS.connections
    least, most = (_room(connections) for connections in (MIN_CONNECTIONS, MAX_CONNECTIONS))
    tenants = resident * DESCRIPTORS_PER_TENANT
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard == resource.RLIM_INFINITY:
        hard = sys.maxsize
    if hard < tenants + fixed + least:
        raise _too_few(resident, tenants + fixed + least, hard)
    wanted = max(soft, min(tenants + fixed + most, hard))
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard if hard < sys.maxsize else -1))
    room = min(most, wanted - tenants - fixed)
    connections = room * (RESERVED_PART - 1) // RESERVED_PART // DESCRIPTORS_PER_CONNECTION
    return _within(memory, BOUNDS._replace(connections=connections))


def _room(connections: int) -> int:
    """Return the descriptors for so many connections, the reserve included."""
    return connections * DESCRIPTORS_PER_CONNECTION * RESERVED_PART // (RESERVED_PART - 1)


def _too_few(resident: int, needed: int, hard: int) -> SettingsError:
    most = resident - -(-(needed - hard) // DESCRIPTORS_PER_TENANT)
    advice = f", or set TENANTRY_RESIDENT to {most} or less" if most > 0 else ""
    return SettingsError(
        f"TENANTRY_RESIDENT={resident} needs {needed} open files and this process may have {hard}: "
        f"raise `ulimit -Hn`{advice}"
    )


def _within(memory: int, bounds: Bounds) -> Bounds:
    """Reduce the bounds of connections if the process may have less memory than by default."""
    if not memory:
        return bounds
    return bounds._replace(
        unhandled_in_all=max(2 * bounds.unhandled, min(bounds.unhandled_in_all, memory // 128)),
        unread_in_all=max(4 * bounds.unread, min(bounds.unread_in_all, memory // 64)),
    )
