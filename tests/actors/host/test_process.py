"""The process and its limits."""

from __future__ import annotations

import platform
import resource
import subprocess
import sys

import pytest

from actors.errors import SettingsError
from actors.host.process import MAX_CONNECTIONS, MIN_CONNECTIONS, connection_bounds, require_threads
from actors.log.daily.tenant_log import MAX_OPEN
from transport.connection import BOUNDS

GIB = 1024**3

FIXED = 100 * 3 + 128 + MAX_OPEN + 2 * BOUNDS.connections
"""Tenants, what is needed besides, tenants' logs, the admin channel."""

LEAST = FIXED + MIN_CONNECTIONS * 2 * 4 // 3
MOST = FIXED + MAX_CONNECTIONS * 2 * 4 // 3


@pytest.mark.parametrize(
    ("soft", "hard", "becomes"),
    [
        (256, 65536, MOST),
        (256, 2048, 2048),
        (256, resource.RLIM_INFINITY, MOST),
        (65536, 65536, None),
    ],
)
def test_open_files_have_room_for_connections_where_there_is_any(
    soft: int, hard: int, becomes: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is there already is left alone."""
    became: list[tuple[int, int]] = []
    monkeypatch.setattr(resource, "getrlimit", lambda _: (soft, hard))
    monkeypatch.setattr(resource, "setrlimit", lambda _, limits: became.append(limits))
    connection_bounds(100, 0)
    assert became == ([] if becomes is None else [(becomes, hard)])


@pytest.mark.parametrize("hard", [LEAST, 1024, 2048, 65536, resource.RLIM_INFINITY])
def test_connections_leave_room_for_everything_else(
    hard: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each takes two; tenants' databases and 256 open logs among the rest."""
    monkeypatch.setattr(resource, "getrlimit", lambda _: (256, hard))
    monkeypatch.setattr(resource, "setrlimit", lambda *_: None)
    most = connection_bounds(100, 0).connections
    assert MIN_CONNECTIONS - 1 <= most <= MAX_CONNECTIONS
    assert hard < 0 or FIXED + 2 * most < hard


def test_too_few_are_refused_with_what_there_can_be(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (256, LEAST - 1))
    with pytest.raises(SettingsError, match="TENANTRY_RESIDENT to 99 or less"):
        connection_bounds(100, 0)
    monkeypatch.setattr(resource, "getrlimit", lambda _: (256, 256))
    with pytest.raises(SettingsError, match=r"raise `ulimit -Hn`$"):
        connection_bounds(42, 0)


def test_connections_hold_less_where_there_is_less_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """A frame of two bytes takes 32 times as much; one reply may take all that one connection may have."""
    monkeypatch.setattr(resource, "getrlimit", lambda _: (65536, 65536))
    plenty, usual, little = (connection_bounds(100, size) for size in (0, 8 * GIB, GIB))
    assert plenty == usual
    assert little.unhandled_in_all == 2 * BOUNDS.unhandled
    assert little.unread_in_all == 4 * BOUNDS.unread


def test_threads_that_cannot_be_had_are_told_with_the_setting_that_bounds_them() -> None:
    """Any other error stays what it is."""
    with pytest.raises(SettingsError, match="TENANTRY_MEMORY_BYTES=600 "), require_threads(600):
        raise RuntimeError("can't start new thread")
    with pytest.raises(RuntimeError, match="another"), require_threads(600):
        raise RuntimeError("another")


ALLOCATIONS = """
import ctypes
from actors.host.process import return_large_blocks

LIBC = ctypes.CDLL(None)
LIBC.malloc.restype, LIBC.malloc.argtypes, LIBC.free.argtypes = (
    ctypes.c_void_p, [ctypes.c_size_t], [ctypes.c_void_p]
)
FIELDS = "arena ordblks smblks hblks hblkhd usmblks fsmblks uordblks fordblks keepcost".split()
class Info(ctypes.Structure):
    _fields_ = [(name, ctypes.c_size_t) for name in FIELDS]
LIBC.mallinfo2.restype = Info

return_large_blocks()
LIBC.free(LIBC.malloc(1_000_000))
before = LIBC.mallinfo2().hblks
LIBC.malloc(1_000_000)
print(LIBC.mallinfo2().hblks - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another allocator")
def test_what_a_peer_may_announce_is_a_mapping_that_goes_back_to_the_system() -> None:
    """Also after another of its size was freed, which has glibc keep such blocks otherwise."""
    ran = subprocess.run([sys.executable, "-c", ALLOCATIONS], capture_output=True, text=True)
    assert ran.stdout == "1\n", ran.stderr
