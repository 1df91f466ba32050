"""Code of a version: loaded fresh, from below the index, and refused with a reason."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import pytest

from actors.errors import CodeProblem
from actors.index.code import Codebase, load

ADD = "def add(ctx, params):\n    return {'n': %d}\n"


@pytest.fixture(autouse=True)
def _own_imports(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Forget what a test made importable."""
    before = set(sys.modules)
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield
    for name in set(sys.modules) - before:
        del sys.modules[name]


def write(root: Path, path: str, text: str) -> Path:
    file = root / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    return file


def refused(reference: str, root: Path) -> str:
    with pytest.raises(CodeProblem) as caught:
        load(reference, root)
    assert reference in str(caught.value)
    return str(caught.value)


def test_a_function_is_loaded_with_the_digest_of_its_file(tmp_path: Path) -> None:
    file = write(tmp_path, "desk/contacts.py", ADD % 1)
    loaded = load("desk.contacts:add", tmp_path)
    assert loaded.function(None, None) == {"n": 1}
    assert loaded.digest == sha256(file.read_bytes()).hexdigest()
    assert (loaded.file, loaded.is_async) == (file, False)


def test_two_versions_of_one_module_run_side_by_side(tmp_path: Path) -> None:
    """Even where the second is as long as the first and written within the same second."""
    write(tmp_path, "contacts.py", ADD % 1)
    first = load("contacts:add", tmp_path)
    write(tmp_path, "contacts.py", ADD % 2)
    second = load("contacts:add", tmp_path)
    assert [each.function(None, None)["n"] for each in (first, second)] == [1, 2]
    assert first.module.__name__ != second.module.__name__


def test_the_same_file_loaded_twice_shares_nothing(tmp_path: Path) -> None:
    write(
        tmp_path, "counting.py", "SEEN = []\ndef count(ctx, params): SEEN.append(1); return SEEN\n"
    )
    first, second = load("counting:count", tmp_path), load("counting:count", tmp_path)
    assert first.digest == second.digest
    assert sys.modules[first.module.__name__] is first.module
    assert sys.modules[second.module.__name__] is second.module
    assert (first.function(None, None), second.function(None, None)) == ([1], [1])


def test_a_codebase_loads_each_file_once(tmp_path: Path) -> None:
    write(tmp_path, "contacts.py", ADD % 1 + "def get(ctx, params): ...\n")
    codebase = Codebase(tmp_path)
    assert codebase.load("contacts:add").module is codebase.load("contacts:get").module


def test_siblings_can_be_imported_both_ways(tmp_path: Path) -> None:
    write(tmp_path, "sibling_pack/__init__.py", "")
    write(tmp_path, "sibling_pack/shared.py", "WORD = 'hello'\n")
    write(
        tmp_path,
        "sibling_pack/greet.py",
        "from sibling_pack.shared import WORD\nfrom .shared import WORD as AGAIN\n"
        "def greet(ctx, params): return {'words': [WORD, AGAIN]}\n",
    )
    assert load("sibling_pack.greet:greet", tmp_path).function(None, None)["words"] == ["hello"] * 2


def test_classes_of_a_loaded_module_know_where_they_are(tmp_path: Path) -> None:
    """Dataclasses and pydantic look their module up by its name."""
    text = (
        "from __future__ import annotations\nfrom pydantic import BaseModel\n"
        "class Inner(BaseModel):\n    n: int\n"
        "class Outer(BaseModel):\n    inner: Inner\n"
        "def make(ctx, params): return Outer(inner={'n': 1}).model_dump()\n"
    )
    write(tmp_path, "made.py", text)
    assert load("made:make", tmp_path).function(None, None) == {"inner": {"n": 1}}


def test_async_code_is_recognised(tmp_path: Path) -> None:
    write(tmp_path, "later.py", "async def later(ctx, params): return {}\n")
    loaded = load("later:later", tmp_path)
    assert loaded.is_async
    assert asyncio.run(loaded.function(None, None)) == {}


def test_no_bytecode_is_left_beside_the_code(tmp_path: Path) -> None:
    write(tmp_path, "contacts.py", ADD % 1)
    load("contacts:add", tmp_path)
    assert [each.name for each in tmp_path.iterdir()] == ["contacts.py"]


@pytest.mark.parametrize(
    "reference",
    ["../outside:add", "/etc/outside:add", "a/b:add", "outside", "outside:", ":add", "a..b:add",
     "outside:add()", "a.b:c.d", "outside:add\n", ""],
)  # fmt: skip
def test_what_is_no_reference_is_refused(reference: str, tmp_path: Path) -> None:
    with pytest.raises(CodeProblem, match=r"must be written package\.module:name"):
        load(reference, tmp_path / "inside")


def test_modules_that_are_not_below_the_index_are_refused(tmp_path: Path) -> None:
    """Though `os` could be imported."""
    assert f"there is no file {tmp_path / 'os.py'}" in refused("os:system", tmp_path)


def test_a_bundled_connector_is_found_from_any_index(tmp_path: Path) -> None:
    """And one of the same name beside the index comes first."""
    reference = "actors.connectors.webhook:WebhookConnector"
    bundled = Codebase(tmp_path).load_connector(reference)
    assert bundled.function.__name__ == "WebhookConnector"
    assert "there is no file" in refused("actors.runtime.mailbox:Loop", tmp_path)
    own = write(tmp_path, "actors/connectors/webhook.py", bundled.file.read_text())
    assert Codebase(tmp_path).load_connector(reference).file == own


def test_a_link_that_leads_out_is_refused_unread(tmp_path: Path) -> None:
    outside = write(tmp_path, "outside.py", "raise AssertionError('executed')\n")
    inside = tmp_path / "inside"
    inside.mkdir()
    (inside / "linked.py").symlink_to(outside)
    assert "leads out of" in refused("linked:add", inside)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("import no_such_module_anywhere", "ModuleNotFoundError: No module named"),
        ("raise ValueError('not today')", "ValueError: not today"),
        ("import sys; sys.exit(3)", "SystemExit: 3"),
        ("def add(ctx, params:", "SyntaxError"),
        ("x = '\x00'", "SyntaxError"),
        ("def other(ctx, params): ...", "has no add"),
        ("add = 7", "is not a function"),
        ("class add:\n    def __init__(self, ctx, params): ...", "is not a function"),
        ("def add(ctx, params):\n    yield 1", "is not a function"),
        ("def add(params): ...", "with (params); it takes exactly (ctx, params)"),
        ("def add(ctx, params, more=1): ...", "it takes exactly (ctx, params)"),
        ("def add(ctx, *params): ...", "it takes exactly (ctx, params)"),
        ("def add(ctx, *, params): ...", "it takes exactly (ctx, params)"),
    ],
)
def test_code_that_cannot_be_served_is_refused_with_file_and_cause(
    text: str, says: str, tmp_path: Path
) -> None:
    file = write(tmp_path, "broken.py", text)
    said = refused("broken:add", tmp_path)
    assert str(file) in said
    assert says in said


def test_a_module_that_failed_leaves_nothing_behind(tmp_path: Path) -> None:
    write(tmp_path, "broken.py", "raise ValueError")
    before = set(sys.modules)
    refused("broken:add", tmp_path)
    assert set(sys.modules) == before
