"""The process and its limits."""

from __future__ import annotations

import resource

import pytest

from actors.errors import SettingsError
from actors.process import CONNECTIONS, require_descriptors

NEEDED = 100 * 3 + 128


@pytest.mark.parametrize(
    ("soft", "hard", "becomes"),
    [
        (256, 4096, NEEDED + CONNECTIONS),
        (256, 1024, 1024),
        (256, resource.RLIM_INFINITY, NEEDED + CONNECTIONS),
        (4096, 4096, None),
    ],
)
def test_open_files_have_room_for_connections_where_there_is_any(
    soft: int, hard: int, becomes: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is there already is left alone."""
    became: list[tuple[int, int]] = []
    monkeypatch.setattr(resource, "getrlimit", lambda _: (soft, hard))
    monkeypatch.setattr(resource, "setrlimit", lambda _, limits: became.append(limits))
    require_descriptors(100)
    assert became == ([] if becomes is None else [(becomes, hard)])


def test_too_few_are_refused_with_what_there_can_be(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (256, NEEDED - 1))
    with pytest.raises(SettingsError, match="TENANTRY_RESIDENT to 99 or less"):
        require_descriptors(100)
