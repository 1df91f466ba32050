"""Addresses of socket files."""

from __future__ import annotations

from pathlib import Path

import pytest

from transport.socket_file import MAX_PATH_BYTES, absolute_endpoint


def test_a_path_is_made_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It means the same wherever the process goes."""
    monkeypatch.chdir(tmp_path)
    assert absolute_endpoint("ipc://var/admin.sock") == f"ipc://{tmp_path}/var/admin.sock"


def test_one_that_is_too_long_for_the_kernel_is_given_from_the_current_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server and its clients in a deep folder find each other."""
    deep = tmp_path / ("d" * MAX_PATH_BYTES)
    deep.mkdir()
    monkeypatch.chdir(deep)
    assert absolute_endpoint(f"ipc://{deep}/var/admin.sock") == "ipc://var/admin.sock"


@pytest.mark.parametrize(
    "endpoint", ["tcp://127.0.0.1:5570", "ipc://*", "ipc://@abstract", "ipc://"]
)
def test_other_endpoints_stay_as_they_are(endpoint: str) -> None:
    assert absolute_endpoint(endpoint) == endpoint
