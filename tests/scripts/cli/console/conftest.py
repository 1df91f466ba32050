"""One served server for the tests of a module."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.child import ROOT, Child

INDEX = ROOT / "registry.toml"
FUNCTIONS = "actors/tenant/functions"


class Served:
    """A server on a data directory, which can be stopped and started again."""

    def __init__(self, data: Path) -> None:
        self.data = data
        self._child: Child | None = None
        self._token = ""
        self._index = data.parent / "registry.toml"
        """A copy: moves are written there."""
        shutil.copy(INDEX, self._index)
        shutil.copytree(ROOT / FUNCTIONS, data.parent / FUNCTIONS)
        self.start()

    def start(self) -> None:
        """Start it, and wait until it is ready."""
        self._child = Child("--tenant", "acme", data=self.data, registry=self._index)
        try:
            self.endpoint = self._child.ready()
            """Of the data channel."""
        except BaseException:
            self.stop()
            raise
        said = [line.split() for line in self._child.said if line.startswith("tenant acme token")]
        self._token = said[0][-1] if said else self._token

    @property
    def token(self) -> str:
        """That of acme's admin owner, from the first start."""
        return self._token

    def stop(self) -> None:
        """Stop it, and wait until it has ended."""
        if self._child is not None:
            self._child.stop()
            self._child.__exit__(None, None, None)
            self._child = None


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server with a tenant acme."""
    server = Served(tmp_path_factory.mktemp("served") / "var")
    yield server
    server.stop()
