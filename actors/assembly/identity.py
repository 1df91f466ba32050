"""Whose data a data directory holds: the index and the environment that it was served with last.

Another index finds none of its actions' data there, and its migrations are not those of the tenants' files;
another environment serves other states of functions on the same data. Both are more often a forgotten flag
than meant, so both are refused before anything in the directory is touched.
"""

from __future__ import annotations

import json
import os
import tomllib
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from actors.errors import SettingsError
from actors.host.files import write_private
from actors.registry.version_states import FILE as STATES
from transport.socket_file import is_served, path_of

FILE = "identity.json"
"""In the data directory."""

SERVING = "serving.json"
"""In the data directory while a server runs on it."""


class Identity(NamedTuple):
    """What a server serves."""

    registry: str
    """Path of the index, for the message: it may be moved, and edited."""
    environment: str
    actions: tuple[str, ...]
    """Names of the index's actions."""
    states: str = "index"
    """Where states of versions are kept: in the index, or with the data."""
    audited: bool = False
    """Whether an admin log was begun on this data."""

    def is_of(self, last: Identity) -> bool:
        """Whether the data of `last` is its own: an index that has at least half of its actions."""
        kept = set(last.actions) & set(self.actions)
        return self.environment == last.environment and 2 * len(kept) >= len(last.actions)


def identity_of(registry: Path, environment: str) -> Identity | None:
    """Read the index's names; None for an index that cannot be read, which its reader says better."""
    try:
        actions = tomllib.loads(registry.read_text(encoding="utf-8")).get("actions", {})
    except (OSError, ValueError):
        return None
    return Identity(str(registry.absolute()), environment, tuple(sorted(actions)))


def require_own(data: Path, served: Identity) -> None:
    """Raise SettingsError if the directory holds data of another index or environment."""
    last = _last(data / FILE)
    if last is not None and not served.is_of(last):
        raise SettingsError(
            f"the data in {data} is that of {last.registry} in {last.environment}, and this start is for "
            f"{served.registry} in {served.environment}: give --registry and --environment as before, or "
            "another --data; if this data is to be served so from now on, start once with --adopt"
        )
    if last is not None and last.states == "data" and not (data / STATES).exists():
        raise SettingsError(
            f"{data / STATES} is gone, which says where each version stands: restore it from a copy, or "
            "start once with --adopt to begin from the states in the index"
        )


def note(data: Path, served: Identity) -> None:
    """Write down what the directory is served with; OSError.

    An admin log that was begun stays so.
    """
    last = _readable(data / FILE)
    if last is not None and last.audited:
        served = served._replace(audited=True)
    if last != served:
        write_private(data / FILE, json.dumps(served._asdict()) + "\n")


def is_audited(data: Path) -> bool:
    """Return whether an admin log was begun on this data; not if nothing says so."""
    last = _readable(data / FILE)
    return last is not None and last.audited


class Serving(NamedTuple):
    """What a running server has noted of itself."""

    environment: str
    registry: str
    """Path of the index."""
    digest: str
    """SHA-256 of the index as it was at the start."""
    endpoint: str
    admin: str
    pid: int
    since: str


def note_serving(data: Path, serving: Serving) -> None:
    """Write down that a server runs on this directory; OSError."""
    write_private(data / SERVING, json.dumps(serving._asdict()) + "\n")


def forget_serving(data: Path) -> None:
    """Remove that note."""
    with suppress(OSError):
        (data / SERVING).unlink(missing_ok=True)


def find_serving(data: Path) -> Serving | None:
    """Return what runs on a data directory; None if nothing does, or if this user may not see it."""
    try:
        serving = Serving(**json.loads((data / SERVING).read_text(encoding="utf-8")))
        return serving if _listens(serving) else None
    except (OSError, ValueError, TypeError):
        return None


def _listens(serving: Serving) -> bool:
    """A server that was killed leaves its note."""
    path = path_of(serving.admin)
    if path is not None:
        return is_served(path)
    os.kill(serving.pid, 0)  # raises OSError where there is no such process
    return True


def _readable(file: Path) -> Identity | None:
    """Return None also for a note that was damaged: it is written anew once it is adopted."""
    try:
        return _last(file)
    except SettingsError:
        return None


def _last(file: Path) -> Identity | None:
    """Return None if nothing was stored yet, as by older code, or if there is no directory."""
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
        actions, states = tuple(content["actions"]), content.get("states", "index")
        audited = content.get("audited", False)
        return Identity(content["registry"], content["environment"], actions, states, audited)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (ValueError, TypeError, KeyError):
        raise SettingsError(
            f"{file} is not as the server wrote it: it says whose data this is; start once with --adopt "
            "if that is known"
        ) from None
