"""The names of commands, in a checkout and where the wheel is installed."""

from __future__ import annotations

from pathlib import Path

import pytest

from actors.host.program import DEMO_INDEX, as_typed, default_index


def test_an_installation_says_what_can_be_typed_there() -> None:
    told = "start it with scripts/serve, then scripts/call; scripts/test tests/test_a.py"
    assert as_typed(told, is_checkout=True) == told
    assert as_typed(told, is_checkout=False) == (
        "start it with tenantry serve, then tenantry call; pytest tests/test_a.py"
    )


def test_the_index_of_the_current_folder_comes_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert default_index() == DEMO_INDEX
    (tmp_path / "registry.toml").touch()
    assert default_index() == tmp_path / "registry.toml"
