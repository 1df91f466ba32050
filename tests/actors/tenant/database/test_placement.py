"""A tenant's file that is removed or replaced while it is open: nothing more is acknowledged into it."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from tests.actors.servers import INDEX, Servers, path_of, request
from tests.conftest import Server
from tests.deadline import until
from tests.raw_client import Map, RawClient


@pytest.fixture
def servers(tmp_path: Path) -> Iterator[Servers]:
    """On one data directory."""
    made = Servers(tmp_path / "data")
    yield made
    made.stop()


def add(server: Server, text: str) -> Map:
    """A write whose id is its text."""
    return {**request(server, "acme", "marks.add", text=text), "id": text}


def texts(path: Path) -> list[str]:
    """What is in the file now."""
    with closing(sqlite3.connect(path)) as file:
        return [text for (text,) in file.execute("SELECT text FROM marks ORDER BY id")]


def remove(path: Path) -> None:
    """As a person does who is in the wrong directory."""
    path.unlink()


def remove_wal(path: Path) -> None:
    """As one does who takes it for rubbish."""
    path.with_name(f"{path.name}-wal").unlink()


def replace(path: Path) -> None:
    """As one does who puts a backup back."""
    with closing(sqlite3.connect(path)) as file, closing(sqlite3.connect(f"{path}.bak")) as copy:
        file.backup(copy)
    Path(f"{path}.bak").replace(path)


@pytest.mark.parametrize("displace", [remove, remove_wal, replace])
def test_a_write_after_the_file_was_displaced_is_refused(
    servers: Servers, displace: Callable[[Path], None]
) -> None:
    """And what is acknowledged later is there after the next start."""
    server = servers(registry=INDEX)
    path = path_of(server, "acme")
    with RawClient(server.endpoint) as raw_client:
        assert raw_client.ask(**add(server, "before"))["ok"]
        displace(path)
        error = raw_client.ask(**add(server, "after"))["error"]
        assert error["code"] == "unavailable"
        assert "removed or replaced" in error["message"]
        if displace is remove:
            assert not raw_client.ask(**add(server, "after"))["ok"]
        else:
            until(
                lambda: raw_client.ask(**add(server, "after"))["ok"], "the file to be opened anew"
            )
    servers.stop()
    if displace is not remove:
        assert texts(path)[-1] == "after"


def test_an_older_file_that_is_put_back_is_not_mixed_with_what_came_after(servers: Servers) -> None:
    """The -wal of the one that was there does not go into it."""
    server = servers(registry=INDEX)
    path = path_of(server, "acme")
    with RawClient(server.endpoint) as raw_client:
        assert raw_client.ask(**add(server, "before"))["ok"]
        with (
            closing(sqlite3.connect(path)) as file,
            closing(sqlite3.connect(f"{path}.bak")) as copy,
        ):
            file.backup(copy)
        for number in range(50):
            assert raw_client.ask(**add(server, f"between {number}"))["ok"]
        Path(f"{path}.bak").replace(path)
        until(lambda: raw_client.ask(**add(server, "after"))["ok"], "the file to be opened anew")
    servers.stop()
    assert texts(path) == ["before", "after"]


def test_a_stop_says_that_the_file_was_displaced(servers: Servers) -> None:
    """Where no commit has noticed it."""
    server = servers(registry=INDEX)
    path = path_of(server, "acme")
    with RawClient(server.endpoint) as raw_client:
        assert raw_client.ask(**add(server, "before"))["ok"]
    path.unlink()
    with capture_logs() as logged:
        servers.stop()
    (said,) = [each for each in logged if each["event"] == "database not closed well"]
    assert f"{path} was removed" in str(said["exc_info"])
    assert (said["tenant"], said["path"]) == ("acme", str(path))
