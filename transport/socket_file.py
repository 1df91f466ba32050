"""The file of a Unix socket: whose address it is, whether anybody listens there, who may connect."""

from __future__ import annotations

import socket
from pathlib import Path

MAX_PATH_BYTES = 107
"""Bytes of a path that fit the kernel's address (sun_path, less the NUL at its end)."""


def path_of(endpoint: str) -> Path | None:
    """The file of an ipc endpoint; None for other addresses, abstract ones, and ipc://*, which picks one."""
    scheme, _, path = endpoint.partition("://")
    if scheme != "ipc" or path == "*" or path.startswith("@"):
        return None
    return Path(path)


def is_served(path: Path) -> bool:
    """Whether a process listens there; PermissionError where connecting is not ours, OSError otherwise.

    False for what is not there, for a file that a killed process left, and for one that is no socket.
    """
    with socket.socket(socket.AF_UNIX) as probe:
        probe.setblocking(False)
        try:
            probe.connect(str(path))
        except (FileNotFoundError, ConnectionRefusedError):
            return False
        except BlockingIOError:  # somebody listens, and many wait to be accepted
            return True
    return True
