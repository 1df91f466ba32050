"""A copy of the repository's desk for a trial, with an index that says something more."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Final

from scripts.benchmark.peers import HERE

FUNCTIONS: Final = Path("actors") / "tenant" / "functions"


def own_desk(folder: Path, more: str) -> Path:
    """Copy the desk's index, with more text at its end, and its functions; return the path of the index."""
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(HERE / FUNCTIONS, folder / "desk" / FUNCTIONS, ignore=ignored)
    index = folder / "desk" / "registry.toml"
    text = (HERE / "registry.toml").read_text(encoding="utf-8")
    index.write_text(f"{text}\n{more}\n", encoding="utf-8")
    return index
