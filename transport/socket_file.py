"""Where a server listens: the default address, and the file of a Unix socket."""

from __future__ import annotations

import os
import socket
from pathlib import Path

ENDPOINT = "tcp://127.0.0.1:5570"
"""The data channel of a server that was told no other."""

MAX_PATH_BYTES = 107
"""Bytes of the longest path in the kernel's address (sun_path, less the NUL at its end)."""


def path_of(endpoint: str) -> Path | None:
    """Return the file of an ipc endpoint; None for other addresses, abstract sockets, and ipc://*."""
    scheme, _, path = endpoint.partition("://")
    if scheme != "ipc" or path == "*" or path.startswith("@"):
        return None
    return Path(path)


def absolute_endpoint(endpoint: str) -> str:
    """Return an ipc endpoint with its path from the root on; other endpoints as they are.

    A path that is too long for a socket file is given from the current directory.
    """
    path = path_of(endpoint)
    if path is None or path == Path():
        return endpoint
    whole = path.absolute()
    short = os.path.relpath(whole)
    return f"ipc://{whole if len(os.fsencode(whole)) <= MAX_PATH_BYTES else short}"


def is_served(path: Path) -> bool:
    """Return whether a process listens there.

    False if there is no file, if a killed process left it, and if it is not a socket. Raises PermissionError
    if this process may not connect, OSError for other failures.
    """
    with socket.socket(socket.AF_UNIX) as probe:
        probe.setblocking(False)
        try:
            probe.connect(str(path))
        except (FileNotFoundError, ConnectionRefusedError):
            return False
        except BlockingIOError:  # a process listens, and many connections wait to be accepted
            return True
    return True
