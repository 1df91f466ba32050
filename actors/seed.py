"""Tenants and tokens made while no server runs: for benchmarks, load tests and moving in from elsewhere."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from actors.admin.directory import DirectoryFile
from actors.admin.file import open_directory, prepare_directory
from actors.index.reader import read_index
from actors.system import claim
from actors.tenant.storage import Storage

DATABASE_BYTES = 1024**3


def seed(data: Path, names: Sequence[str], registry: Path | None = None) -> dict[str, str]:
    """Make these tenants and a member's token for each; SettingsError while a server uses `data`.

    The tables are those of `registry`, by default the index of this repository.
    """
    with ExitStack() as afterwards:
        afterwards.callback(os.close, claim(data))
        index = read_index(registry or Path(__file__).parent.parent / "registry.toml")
        storage = Storage(data, index.storage.migrations, DATABASE_BYTES)
        prepare_directory(data / "directory.db")
        directory = DirectoryFile(open_directory(data / "directory.db"), storage.create)
        afterwards.callback(directory.close)
        for name in names:
            directory.create_tenant(name)
        return {name: directory.issue_token(name, "member", "seeded")[0] for name in names}
