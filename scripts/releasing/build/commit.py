"""The git commit of an index's folder: which one, from when, by whom, and whether the folder is it."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Any


def commit_of(root: Path, files: Iterable[str]) -> dict[str, Any] | None:
    """Return `id`, `date` (UTC), `by` and `clean` of the commit; None outside a git checkout.

    `clean` is whether these files, below the folder, are as they were committed.
    """
    found = _git(root, "log", "-1", "--format=%H%n%ct%n%cn <%ce>")
    if found is None:
        return None
    from datetime import UTC, datetime

    commit, seconds, by = found.split("\n")[:3]
    date = datetime.fromtimestamp(int(seconds), UTC).isoformat().replace("+00:00", "Z")
    return {"id": commit, "date": date, "by": by, "clean": _is_clean(root, frozenset(files))}


def folder_in_repository(root: Path) -> str | None:
    """Return the name of the folder where it lies below the top of its repository; else None."""
    found = _git(root, "rev-parse", "--show-prefix")
    return Path(found.strip()).name or None if found else None


def _is_clean(root: Path, files: frozenset[str]) -> bool:
    """Untracked and ignored files count: no other checkout has them."""
    tracked = _git(root, "ls-files", "-z", "--", ".")
    changed = _git(root, "diff", "--name-only", "--relative", "-z", "HEAD", "--", ".")
    if tracked is None or changed is None:
        return False
    return files <= {*tracked.split("\0")} and files.isdisjoint(changed.split("\0"))


def _git(root: Path, *arguments: str) -> str | None:
    environment = {**os.environ, "LC_ALL": "C", "GIT_OPTIONAL_LOCKS": "0"}
    try:
        done = subprocess.run(
            ["git", "-C", str(root), *arguments],
            capture_output=True,
            env=environment,
            check=True,
            text=True,
        )
    except (OSError, subprocess.CalledProcessError, UnicodeDecodeError):
        return None
    return done.stdout
