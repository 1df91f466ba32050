"""What there is to do: what is broken first, and nothing that somebody has done since."""

from __future__ import annotations

from pathlib import Path

import pytest

from actors.guidance.tasks import FIRST_TO_LAST, WAITS_FOR, counts, tasks
from actors.index.entries import STATES, Index
from actors.index.parser import parse_index

ACTION = '[actions.{0}]\nsummary = "It does."\naccess = "member"\neffect = "read"\n'
VERSION = '[[actions.{0}.versions]]\nversion = {1}\nstate = "{2}"\ncode = "a:a"\n'
MAIL = """
[connectors.mail]
summary = "Send mail."
[[connectors.mail.versions]]
version = 1
state = "under dev"
code = "m:M"
"""


def index(rest: str = "", /, **actions: list[str]) -> Index:
    """Actions with versions from 1 on, in these states."""
    text = ""
    for name, states in actions.items():
        text += ACTION.format(name)
        text += "".join(VERSION.format(name, at, state) for at, state in enumerate(states, 1))
    return parse_index(Path("registry.toml"), text + rest)


def to_do(found: Index) -> list[tuple[str, int, str]]:
    """Whom it is about, which version, which state."""
    return [(each.owner.name, each.number, each.state) for each in tasks(found)]


def test_what_is_broken_comes_first_and_what_is_released_not_at_all() -> None:
    states = ["reverted", "under user test", "potential release", "under dev", "erroring"]
    found = index(**{f"a{at}": [state] for at, state in enumerate(states)}, done=["release"], z=[])
    assert [state for _, _, state in to_do(found)] == list(FIRST_TO_LAST)
    assert [name for name, *_ in to_do(found)] == ["a4", "z", "a3", "a2", "a1", "a0"]


@pytest.mark.parametrize(
    ("states", "left"),
    [
        ([], [(0, "dummy")]),
        (["dummy", "dummy"], [(2, "dummy")]),
        (["dummy", "release"], []),
        (["release", "dummy"], []),
        (["release", "reverted"], [(2, "reverted")]),
        (["release", "reverted", "release"], []),
        (["reverted", "erroring"], [(2, "erroring"), (1, "reverted")]),
        (["reverted", "under dev"], [(2, "under dev")]),
        (["under dev", "under dev"], [(2, "under dev"), (1, "under dev")]),
    ],
)
def test_of_one_function(states: list[str], left: list[tuple[int, str]]) -> None:
    assert to_do(index(a=states)) == [("a", *each) for each in left]


def test_connectors_are_among_them() -> None:
    assert to_do(index(MAIL, a=["release"])) == [("mail", 1, "under dev")]


def test_all_versions_are_counted() -> None:
    found = counts(index(MAIL, a=["release", "erroring"], b=[], c=["release"]))
    assert list(found) == list(STATES)
    assert {state: n for state, n in found.items() if n} == {
        "dummy": 1,
        "erroring": 1,
        "under dev": 1,
        "release": 2,
    }


def test_it_is_said_of_each_whom_it_waits_for() -> None:
    assert set(WAITS_FOR) == set(FIRST_TO_LAST) == set(STATES) - {"release"}
