"""Tenants that leave and come back: files that stand alone, are damaged, or are older than the code."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from tests.actors.servers import INDEX, Servers, path_of, request
from tests.conftest import Server
from tests.deadline import until
from tests.raw_client import Map, RawClient


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Servers]:
    """Makes servers, and stops the last at the end of the test."""
    servers = Servers(tmp_path / "data")
    yield servers
    servers.stop()


# ---------------------------------------------------------------- residence


def resident_files(server: Server) -> set[str]:
    """Databases of tenants that are open now."""
    directory = str(server.system.settings.data / "tenants")
    found = set()
    for link in Path("/proc/self/fd").iterdir():
        try:
            target = str(link.readlink())
        except FileNotFoundError:  # closed meanwhile
            continue
        if target.startswith(directory) and target.endswith(".db"):
            found.add(target)
    return found


def test_more_tenants_than_may_be_resident_are_all_served(serve: Servers) -> None:
    """Two databases are open at a time, no matter who is asked."""
    server = serve(resident=2)
    names = [f"guest-{number}" for number in range(6)]
    for name in names:
        server.add_tenant(name)
    with RawClient(server.endpoint) as raw_client:
        for round_ in range(3):
            for name in names:
                reply = raw_client.ask(**request(server, name, "marks.add", text="in turn"))
                assert reply["result"] == {"id": round_ + 1}
                assert len(resident_files(server)) <= 2
        sent = [
            raw_client.post(**request(server, name, "marks.add", text="at once"))
            for _ in range(20)
            for name in names
        ]
        replies = raw_client.replies(len(sent))
        assert all(reply["ok"] for reply in replies.values())
        for name in names:
            reply = raw_client.ask(**request(server, name, "marks.count"))
            assert reply["result"] == {"count": 23}


@pytest.fixture
def asleep_soon(monkeypatch: pytest.MonkeyPatch) -> Map:
    """Settings of a server whose tenants are passivated after each message."""
    monkeypatch.setattr("actors.supervision.backoff.SWEEP_SECONDS", 0.01)
    return {"idle_seconds": 0.01}


def is_asleep(server: Server, tenant: str) -> bool:
    """Whether the tenant's file stands alone and no process has it open."""
    path = path_of(server, tenant)
    beside = [path.with_name(path.name + end) for end in ("-wal", "-shm")]
    return str(path) not in resident_files(server) and not any(each.exists() for each in beside)


def fall_asleep(server: Server, *tenants: str) -> None:
    """Wait until these are passivated."""
    for tenant in tenants:
        until(partial(is_asleep, server, tenant), f"{tenant} to fall asleep")


def test_an_idle_tenant_is_closed_and_woken_with_everything_there(
    serve: Servers, asleep_soon: Map
) -> None:
    """The file stands alone meanwhile, with all that was written in it."""
    server = serve(**asleep_soon)
    with RawClient(server.endpoint) as raw_client:
        for count in range(1, 4):
            added = raw_client.ask(**request(server, "acme", "marks.add", text="slept"))
            assert added["result"] == {"id": count}
            fall_asleep(server, "acme")
            with closing(sqlite3.connect(path_of(server, "acme"))) as reader:
                assert reader.execute("SELECT count(*) FROM marks").fetchone() == (count,)
        again = raw_client.ask(**{**request(server, "acme", "marks.count"), "id": "woken"})
        assert again["result"] == {"count": 3}


def test_ids_are_remembered_over_a_sleep(serve: Servers, asleep_soon: Map) -> None:
    """They are in the file."""
    server = serve(**asleep_soon)
    once = {**request(server, "acme", "marks.add", text="once"), "id": "once"}
    with RawClient(server.endpoint) as raw_client:
        first = raw_client.ask(**once)
        fall_asleep(server, "acme")
        again = raw_client.ask(**once)
        assert again["result"] == first["result"]
        assert again["meta"]["replayed"] is True


# ---------------------------------------------------------------- damaged files


def swap(path: Path, other: Path) -> None:
    """Each in the other's place."""
    aside = path.with_suffix(".aside")
    path.rename(aside)
    other.rename(path)
    aside.rename(other)


def remove(path: Path, _: Path) -> None:
    """Gone."""
    path.unlink()


def overwrite(path: Path, _: Path) -> None:
    """No database at all."""
    path.write_bytes(b"garbage" * 5_000)


def empty(path: Path, _: Path) -> None:
    """No byte left."""
    path.write_bytes(b"")


def strip(path: Path, _: Path) -> None:
    """A database, and no tenant's."""
    path.unlink()
    with closing(sqlite3.connect(path)) as other:
        other.execute("CREATE TABLE marks (id INTEGER PRIMARY KEY, text TEXT)")


def advance(path: Path, _: Path) -> None:
    """Used by newer code."""
    with closing(sqlite3.connect(path)) as other:
        other.execute("PRAGMA user_version = 987654321")


@pytest.mark.parametrize("damage", [swap, remove, overwrite, empty, strip, advance])
def test_a_file_that_is_not_the_tenant_s_is_not_served_until_it_is_put_back(
    serve: Servers,
    asleep_soon: Map,
    monkeypatch: pytest.MonkeyPatch,
    damage: Callable[[Path, Path], None],
) -> None:
    """The log names it and says what to do; others are served all the time."""
    monkeypatch.setattr("actors.supervision.restarting.MAX_BACKOFF", 0.1)
    server = serve(**asleep_soon)
    server.add_tenant("initech")
    count = request(server, "acme", "marks.count")
    with RawClient(server.endpoint) as raw_client:
        for tenant in ("acme", "globex"):
            assert raw_client.ask(**request(server, tenant, "marks.add", text="mine"))["ok"]
        fall_asleep(server, "acme", "globex")
        path, other = path_of(server, "acme"), path_of(server, "globex")
        kept = path.read_bytes()
        damage(path, other)
        with capture_logs() as logs:
            refused = raw_client.ask(**count)
        assert refused["error"]["code"] == "unavailable"
        # A file that is not there may come back at once; the others are for a person to mend.
        assert refused["error"]["retry_after_ms"] == (50 if damage is remove else 100)
        assert str(path) not in refused["error"]["message"]
        reasons = [str(log["exc_info"]) for log in logs if log["event"] == "actor failed"]
        assert reasons  # more than one if it was tried again by then
        assert all(reason.startswith(str(path)) for reason in reasons)
        assert raw_client.ask(**request(server, "initech", "marks.add", text="other"))["ok"]
        if damage is swap:
            swap(path, other)
        else:
            for each in path.parent.glob(f"{path.name}*"):
                each.unlink()
            path.write_bytes(kept)
        until(lambda: raw_client.ask(**count)["ok"], "the tenant to be served again")
        assert raw_client.ask(**count)["result"] == {"count": 1}


def test_a_damaged_page_refuses_what_needs_it_and_says_so(serve: Servers, asleep_soon: Map) -> None:
    """As `unavailable`, not as a defect of the function."""
    server = serve(**asleep_soon)
    with RawClient(server.endpoint) as raw_client:
        assert raw_client.ask(**request(server, "acme", "marks.add", text="mine"))["ok"]
        fall_asleep(server, "acme")
        path = path_of(server, "acme")
        with closing(sqlite3.connect(path)) as reader:
            query = "SELECT rootpage FROM sqlite_schema WHERE name = 'marks'"
            (page,) = reader.execute(query).fetchone()
            (size,) = reader.execute("PRAGMA page_size").fetchone()
        with path.open("r+b") as file:
            file.seek((page - 1) * size)
            file.write(b"\xee" * size)
        error = raw_client.ask(**request(server, "acme", "marks.count"))["error"]
        assert error["code"] == "unavailable"
        assert raw_client.ask(**request(server, "globex", "marks.count"))["ok"]


# ---------------------------------------------------------------- migration

UNIQUE = '''"""No mark twice."""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Have each text once."""
    op.execute("CREATE TABLE seen (id INTEGER)")
    op.create_index("marks_text", "marks", ["text"], unique=True)
'''


@pytest.fixture
def index(tmp_path: Path) -> Path:
    """A copy of tests/faulty that the test may change."""
    return Path(shutil.copytree(INDEX.parent, tmp_path / "index")) / INDEX.name


def schema(path: Path) -> set[str]:
    """Names of tables and indexes."""
    with closing(sqlite3.connect(path)) as reader:
        return {name for (name,) in reader.execute("SELECT name FROM sqlite_schema")}


def test_tenants_of_an_older_index_are_migrated_by_their_first_message(
    serve: Servers, index: Path
) -> None:
    """One whose data does not allow it is refused, and its file is untouched to the byte."""
    server = serve(registry=index)
    names = ["acme", "globex", "initech"]
    server.add_tenant("initech")
    paths = {name: path_of(server, name) for name in names}
    for name, texts in zip(names, (["a", "b"], ["twice", "twice"], []), strict=True):
        with server.client(name) as client:
            for text in texts:
                client.call("marks.add", {"text": text})
    serve.stop()
    (index.parent / "migrations" / "versions" / "0002_unique.py").write_text(UNIQUE)
    before = paths["globex"].read_bytes()
    server = serve(registry=index)
    server.add_tenant("initech")
    assert "marks_text" not in schema(paths["acme"])
    with RawClient(server.endpoint) as raw_client, capture_logs() as logs:
        sent = [raw_client.post(**request(server, name, "marks.count")) for name in names]
        replies = raw_client.replies(3)
    assert [replies[id].get("result") for id in sent] == [{"count": 2}, None, {"count": 0}]
    refused = replies[sent[1]]["error"]
    assert refused["code"] == "unavailable"
    assert refused["retry_after_ms"] == 30_000
    assert {"marks_text", "seen"} <= schema(paths["acme"])
    assert "seen" not in schema(paths["globex"])
    assert paths["globex"].read_bytes() == before
    (reason,) = [str(log["exc_info"]) for log in logs if log["event"] == "actor failed"]
    assert str(paths["globex"]) in reason
    assert "UNIQUE" in reason
    server.add_tenant("hooli")
    assert "marks_text" in schema(path_of(server, "hooli"))
