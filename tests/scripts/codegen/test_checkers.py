"""What mypy and ruff say of what is written, and of those who use it wrongly."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from actors.index.entries import Index
from scripts.codegen.client import stubs, typed_client, write_stubs
from tests.scripts.codegen.indexes import AWKWARD_INDEX, DESK_INDEX, ROOT

TOOLS = Path(sys.executable).parent

FUNCTION = """\
from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from contracts import ContactsAddParams, ContactsAddResult, ContactsFindParams


def good(ctx: Any, params: ContactsAddParams) -> ContactsAddResult:
    if params.email is not None and "email" in params.model_fields_set:
        return {"id": len(params.name + params.email)}
    return {"id": 1}


def wrong(ctx: Any, params: ContactsAddParams) -> ContactsAddResult:
    params.nmae  # no such attribute
    params.email.upper()  # may be None
    params.name = "Ada"  # is frozen
    if params.name:
        return {"identity": 1}  # no such key
    if params.phone:
        return {}  # a key is missing
    if params.company:
        return {"id": 1, "more": 2}  # a key too many
    return {"id": "1"}  # of another type


def page(ctx: Any, params: ContactsFindParams) -> int:
    return params.limit
"""

CALLER = """\
from client import AsyncClient, Client, ContactsAddParams
from transport.client import Options


def good(client: Client) -> int:
    ada: ContactsAddParams = {"name": "Ada"}
    client.contacts.update(Options(timeout=1.5), id=1, email=None)
    client.tickets.list(state="open")
    return client.contacts.add({"id": "r-1"}, **ada)["id"]


async def also(client: AsyncClient) -> str | None:
    return (await client.contacts.find())["contacts"][0]["email"]


def wrong(client: Client) -> None:
    client.contacts.add()  # name is missing
    client.contacts.add(name=1)  # of another type
    client.contacts.add(name="Ada", nmae="Ada")  # no such param
    client.contacts.add(name="Ada", email=None)  # may not be null
    client.contacts.add("Ada")  # params are keywords
    client.contacts.add({"timeuot": 1}, name="Ada")  # no such option
    client.contacts.ad(name="Ada")  # no such action
    client.tickets.list(state="closing")  # none of the values
    client.contacts.get(id=1)["nmae"]  # no such key
"""


def ruff(*arguments: str, cwd: Path) -> None:
    """Run it with the rules of this repository; return its output."""
    command = [
        str(TOOLS / "ruff"),
        *arguments,
        "--config",
        str(ROOT / "pyproject.toml"),
        "--no-cache",
        ".",
    ]
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def mypy(cwd: Path, *files: str) -> dict[str, set[int]]:
    """The lines of each file that mypy refuses, by the rules of this repository."""
    rules, cache = ROOT / "pyproject.toml", ROOT / ".mypy_cache" / "contracts"
    command = [str(TOOLS / "mypy"), f"--config-file={rules}", f"--cache-dir={cache}", *files]
    environment = {**os.environ, "MYPYPATH": f"{cwd}:{ROOT}"}
    done = subprocess.run(
        command, cwd=cwd, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode in {0, 1}, done.stdout + done.stderr
    found: dict[str, set[int]] = {}
    for name, line in re.findall(r"^([\w/.]+):(\d+): error", done.stdout, re.MULTILINE):
        found.setdefault(name, set()).add(int(line))
    return found


def marked(text: str) -> set[int]:
    """The lines in which a remark says what is wrong."""
    return {number for number, line in enumerate(text.splitlines(), 1) if "  # " in line}


def test_mypy_refuses_what_an_index_does_not_have_and_nothing_else(tmp_path: Path) -> None:
    """In functions and in callers; and all that is written for an awkward index is sound."""
    awkward = tmp_path / "awkward"
    awkward.mkdir()
    (tmp_path / "client.py").write_text(typed_client(DESK_INDEX))
    (awkward / "their_client.py").write_text(typed_client(AWKWARD_INDEX))
    (awkward / "their_contracts.pyi").write_text(stubs(AWKWARD_INDEX))
    write_stubs(DESK_INDEX, tmp_path)
    for name, text in (("function.py", FUNCTION), ("caller.py", CALLER)):
        (tmp_path / name).write_text(text)
    files = ["function.py", "caller.py", "client.py", "contracts.pyi"]
    found = mypy(tmp_path, *files, "awkward/their_client.py", "awkward/their_contracts.pyi")
    assert found == {"function.py": marked(FUNCTION), "caller.py": marked(CALLER)}


def without_long_names(index: Index) -> Index:
    """In which every line can be kept short."""
    return index._replace(
        actions={name: each for name, each in index.actions.items() if len(name) < 60}
    )


@pytest.mark.parametrize(
    "index",
    [DESK_INDEX, AWKWARD_INDEX, without_long_names(AWKWARD_INDEX)],
    ids=["desk", "awkward", "awkward but short"],
)
def test_ruff_has_nothing_to_say(index: Index, tmp_path: Path) -> None:
    """Neither about the layout nor about anything else."""
    (tmp_path / "client.py").write_text(typed_client(index))
    write_stubs(index, tmp_path)
    ruff("format", "--check", cwd=tmp_path)
    ruff("check", cwd=tmp_path)


def test_the_formatter_is_told_off_only_where_a_line_is_too_long() -> None:
    """Which the names of an index can bring about."""
    assert "fmt: off" not in typed_client(DESK_INDEX)
    assert "fmt: off" not in stubs(without_long_names(AWKWARD_INDEX))
    assert stubs(AWKWARD_INDEX).startswith("# fmt: off\n")
