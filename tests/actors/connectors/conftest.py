"""One authority for all tests of connectors: keys take a while."""

from __future__ import annotations

import pytest

from tests.actors.connectors.authority import Authority


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """Trusted by the one who is given its file."""
    return Authority(tmp_path_factory.mktemp("authority"))
