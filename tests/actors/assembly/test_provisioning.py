"""What the process asks of its own console."""

from __future__ import annotations

from pathlib import Path

import pytest

from actors.assembly.provisioning import LocalAdmin
from tests.conftest import Server
from transport.client import Client


class Killed(BaseException):
    """As the process ends."""


def test_a_first_start_that_was_killed_before_the_token_was_left_owes_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next one leaves it: no one could administer the server otherwise. It makes no second admin."""
    server = Server(tmp_path)
    local, path = server.system.local, tmp_path / "admin.token"

    def end(*_: object) -> None:
        raise Killed

    with monkeypatch.context() as killed:
        killed.setattr(LocalAdmin, "_write_token_file", end)
        with pytest.raises(Killed):
            local.make_first_admin(tmp_path)
    assert not path.exists()
    assert local.make_first_admin(tmp_path)
    with Client(server.system.admin_endpoint, token=path.read_text().strip()) as client:
        (only,) = client.call("developers.list")["developers"]
    assert only["role"] == "developer admin"
    path.unlink()
    assert not local.make_first_admin(tmp_path)
    assert not path.exists()
    server.stop()
