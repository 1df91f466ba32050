"""The Registry: another index takes effect between two messages, or not at all."""

from __future__ import annotations

import re
import shutil
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from actors.errors import CodeProblem, IndexProblem, SettingsError
from actors.registry.messages import Reload
from actors.registry.snapshot import RoutingSnapshot
from actors.runtime.actor import ask
from tests.actors.developer_project import Workshop
from tests.actors.servers import INDEX, request
from tests.actors.tables import load_table
from tests.conftest import Server
from tests.pipe import Pipe
from tests.raw_client import Map, RawClient

WAIT = 20.0

SECOND = """
[[actions."marks.add".versions]]
version = 2
state   = "release"
code    = "second:add"
"""

CODE = '''"""Another way to add a mark."""

from functions import ADD


def add(ctx, params):
    """Writes it louder."""
    return {"id": ctx.db.scalar(ADD, {"text": params.text.upper()})}
'''


@pytest.fixture
def index(tmp_path: Path) -> Path:
    """A copy of tests/faulty that the test may change."""
    return Path(shutil.copytree(INDEX.parent, tmp_path / "index")) / INDEX.name


@pytest.fixture
def server(index: Path, tmp_path: Path) -> Iterator[Server]:
    """A server of that index."""
    running = Server(tmp_path / "data", registry=index)
    yield running
    running.stop()


@pytest.fixture
def raw_client(server: Server) -> Iterator[RawClient]:
    """A connection."""
    with RawClient(server.endpoint) as one:
        yield one


def write_second(index: Path, code: str = CODE) -> None:
    """Add a version to the index, and its code beside it."""
    write_code(index, code)
    with index.open("a") as file:
        file.write(SECOND)


def write_code(index: Path, code: str) -> None:
    """Its code alone."""
    (index.parent / "second.py").write_text(code)


def reload(server: Server) -> None:
    """Have the index read again; raises what is wrong with it."""
    ask(server.system.actors.registry, Reload(), WAIT)


def add(server: Server, raw_client: RawClient) -> Map:
    """The reply to a call of the action that has two versions."""
    return raw_client.ask(**request(server, "acme", "marks.add", text="mark"))


def marks(server: Server, raw_client: RawClient, text: str) -> int:
    """How many marks there are."""
    reply = raw_client.ask(**request(server, "acme", "marks.count", text=text))
    return int(reply["result"]["count"])


def test_a_new_version_serves_the_next_message(
    server: Server, raw_client: RawClient, index: Path
) -> None:
    """The tenant is awake and stays so; `meta` says which version answered."""
    assert add(server, raw_client)["meta"]["version"] == 1
    write_second(index)
    assert add(server, raw_client)["meta"]["version"] == 1
    reload(server)
    assert add(server, raw_client)["meta"]["version"] == 2
    assert (marks(server, raw_client, "mark"), marks(server, raw_client, "MARK")) == (2, 1)


def test_a_new_version_serves_what_waits_and_not_what_has_begun(
    server: Server, raw_client: RawClient, index: Path, tmp_path: Path
) -> None:
    """The swap lies between two messages of one tenant, and no actor waits for it."""
    pipe = Pipe(tmp_path)
    begun = raw_client.post(**request(server, "acme", "trouble.make", **pipe.params))
    pipe.reached()
    waiting = raw_client.post(**request(server, "acme", "marks.add", text="mark"))
    assert raw_client.ask(action="system.ping")["ok"]
    write_second(index)
    reload(server)
    pipe.release()
    replies = raw_client.replies(2)
    assert replies[begun]["meta"]["version"] == 1
    assert replies[waiting]["meta"]["version"] == 2


def test_code_that_serves_nobody_any_more_is_let_go(
    server: Server, raw_client: RawClient, index: Path
) -> None:
    """However often a version is swapped, the interpreter knows as many modules."""
    write_second(index)
    known = set()
    for number in range(4):
        write_code(index, CODE + f"# {number}\n")
        reload(server)
        assert add(server, raw_client)["ok"]
        known.add(sum("tenantry_code_second" in name for name in sys.modules))
    assert len(known) == 1


def test_new_actions_are_known_to_the_router_at_once(
    server: Server, raw_client: RawClient, index: Path
) -> None:
    """And those that are gone are not found."""
    index.write_text(index.read_text().replace('"marks.later"', '"marks.sooner"'))
    reload(server)
    sooner = raw_client.ask(**request(server, "acme", "marks.sooner", text="x"))
    assert sooner["message"] == "to be implemented"
    later = raw_client.ask(**request(server, "acme", "marks.later", text="x"))
    assert later["error"]["code"] == "not_found"
    assert "marks.sooner" in later["error"]["message"]


@pytest.mark.parametrize(
    ("break_it", "error", "words"),
    [
        (lambda index: index.write_text("[actions"), IndexProblem, "registry.toml:1"),
        (lambda index: index.unlink(), IndexProblem, "cannot be read"),
        (lambda index: index.write_text(""), IndexProblem, "describes no action"),
        (lambda index: write_second(index, "def add(ctx"), CodeProblem, "second.py"),
        (lambda index: write_second(index, "def add(ctx): ..."), CodeProblem, "(ctx, params)"),
        (lambda index: write_second(index, "import sys; sys.exit(1)"), CodeProblem, "second.py"),
        (lambda index: write_second(index, "import nothing_such"), CodeProblem, "nothing_such"),
    ],
)
def test_a_broken_index_changes_nothing(
    server: Server,
    raw_client: RawClient,
    index: Path,
    break_it: object,
    error: type[Exception],
    words: str,
) -> None:
    """The one who asked is told why; the old table stays in force."""
    assert add(server, raw_client)["ok"]
    before = server.system.snapshot.current
    assert callable(break_it)
    break_it(index)
    with pytest.raises(error, match=words.replace("(", r"\(").replace(")", r"\)")):
        reload(server)
    assert server.system.snapshot.current is before
    assert add(server, raw_client)["meta"]["version"] == 1


def test_a_table_is_of_one_environment() -> None:
    """One that the index does not have is refused."""
    table = load_table(INDEX, "hosted-live")
    assert RoutingSnapshot(table).current.environment == "hosted-live"
    assert not table.find("marks.later").example
    with pytest.raises(SettingsError, match="hosted-live"):
        load_table(INDEX, "hosted-alive")


class TestSharedModules:
    """What functions import from the folder of the index: taken in, named, and frozen with a version."""

    @pytest.fixture
    def shop(self, tmp_path: Path) -> Iterator[Workshop]:
        """An index whose second version of marks.add imports a module of its own name."""
        with Workshop(tmp_path) as workshop:
            self.name = f"shared_{uuid.uuid4().hex[:8]}"
            body = f'from {self.name} import WORD\n    return {{"id": WORD}}'
            workshop.write(2, body=body)
            self.file = workshop.index.parent / f"{self.name}.py"
            self.file.write_text("WORD = 2\n")
            yield workshop

    def test_an_edit_is_named_and_taken_in(self, shop: Workshop) -> None:
        shop.serve()
        assert shop.call()["result"] == {"id": 2}
        self.file.write_text("WORD = 3\n")
        told = shop.ask("functions.diff")["changes"]
        assert told == [f"marks.add version 2: the shared module {self.name} has changed"]
        assert shop.reload()["changes"] == told
        assert shop.call()["result"] == {"id": 3}
        assert shop.ask("functions.diff")["changes"] == []

    @pytest.mark.parametrize("states", ["index", "data"])
    def test_once_a_version_is_frozen_an_edit_is_refused(self, shop: Workshop, states: str) -> None:
        shop.serve(states=states)
        shop.move(2, "potential release")
        shop.serve(states=states)
        assert shop.call()["result"] == {"id": 2}
        self.file.write_text("WORD = 3\n")
        refused = shop.refusal("functions.reload", digest=shop.ask("functions.diff")["digest"])
        assert f"the shared module {self.name}, which it imports, has changed" in str(refused)
        assert shop.call()["result"] == {"id": 2}
        shop.close()
        with pytest.raises(CodeProblem, match=self.name):
            shop.serve(states=states)
        self.file.write_text("WORD = 2\n")
        shop.serve(states=states)
        shop.move(2, "under dev")
        self.file.write_text("WORD = 3\n")
        shop.reload()
        assert shop.call()["result"] == {"id": 3}


def test_a_new_migration_is_named_until_the_server_starts_again(tmp_path: Path) -> None:
    with Workshop(tmp_path) as shop:
        shop.serve()
        versions = shop.index.parent / "migrations" / "versions"
        (first,) = versions.glob("0001*.py")
        text = first.read_text().replace('revision = "0001', 'revision = "0002')
        (versions / "0002_more.py").write_text(
            re.sub(r"down_revision = .*", "down_revision = '0001'", text)
        )
        words = ["migration 0002_more.py is new: migrations.apply runs it, or the next start"]
        assert shop.ask("functions.diff")["changes"] == words
        assert shop.reload()["changes"] == words
        assert shop.ask("functions.diff")["changes"] == words
