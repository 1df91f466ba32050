"""Data directories of earlier releases (tests/data_directories): they open, serve and remember."""

from __future__ import annotations

import json
import sqlite3
import tarfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.child import Child
from transport.client import Client

ARCHIVES = sorted(Path(__file__).with_name("data_directories").glob("*.tar.xz"))
KEPT = {"name": "Grace Kept", "email": "kept@example.org"}
"""The params of the request `kept-1`, which each of them was sent before its end."""


@pytest.fixture(params=ARCHIVES, ids=lambda path: path.name.removesuffix(".tar.xz"))
def data(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """One of the directories, unpacked."""
    with tarfile.open(request.param) as archive:
        archive.extractall(tmp_path / "data", filter="data")
    (tmp_path / "data").chmod(0o700)
    return tmp_path / "data"


@pytest.fixture
def acme(data: Path) -> Iterator[Client]:
    """A client of the tenant acme, of a server of today on that directory."""
    token = json.loads((data / "demo.json").read_text())["tokens"]["acme"]
    with (
        Child("--data", data) as server,
        Client(server.ready(), tenant="acme", token=token) as client,
    ):
        yield client
        assert server.stop() == 0, server.log()


def test_there_is_one_at_least() -> None:
    """Or the others try nothing."""
    assert ARCHIVES


def test_what_was_stored_is_served(acme: Client) -> None:
    """Also by full text, whose index migrations may have made anew."""
    found = acme.call("contacts.find", {"text": "kept"})["contacts"]
    assert [each["email"] for each in found] == [KEPT["email"]]
    assert acme.call("contacts.get", {"id": found[0]["id"]})["name"] == KEPT["name"]


def test_an_id_that_was_answered_then_is_answered_the_same_now(acme: Client, data: Path) -> None:
    """Whatever the clock says: ids are forgotten by an age that only time in service adds to."""
    tenant = _file_of(data, "acme")
    before = _contacts(tenant)
    again = acme.request("contacts.add", KEPT, id="kept-1")
    assert again.ok
    assert again.result == {"id": before}
    assert _contacts(tenant) == before


def test_new_rows_can_be_added(acme: Client) -> None:
    """With ids that no row had before."""
    [kept] = acme.call("contacts.find", {"text": "kept"})["contacts"]
    added = acme.call("contacts.add", {"name": "New", "email": "new@example.org"})
    assert added["id"] > kept["id"]


def _file_of(data: Path, name: str) -> Path:
    """The database of a tenant."""
    with closing(sqlite3.connect(data / "directory.db")) as directory:
        row = directory.execute("SELECT id FROM tenants WHERE name = ?", (name,)).fetchone()
    return data / "tenants" / f"{row[0]}.db"


def _contacts(tenant: Path) -> int:
    """The highest id of a contact."""
    with closing(sqlite3.connect(tenant)) as database:
        highest: int = database.execute("SELECT max(id) FROM contacts").fetchone()[0]
    return highest
