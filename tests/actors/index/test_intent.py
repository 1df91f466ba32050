"""`[intent]` of an index: signals that are changed and added, and what is wrong with them."""

from __future__ import annotations

from pathlib import Path

import pytest

from actors.errors import IndexProblem
from actors.index.entries import Index
from actors.index.parser import parse_index
from actors.intent.signals import LOG, OFF, SLOW, Signal, built_in_signals

ACTION = """
[actions."notes.archive"]
summary = "Archive."
access = "member"
effect = "write"
[actions."notes.archive".params]
[actions."notes.archive".result]
"""


def read(text: str) -> Index:
    return parse_index(Path("/nowhere/registry.toml"), f"{text}\n{ACTION}")


def signal(index: Index, name: str) -> Signal:
    return next(each for each in index.intent.signals if each.name == name)


def test_without_a_word_of_it_the_signals_are_those_of_the_server() -> None:
    assert read("").intent.signals == tuple(built_in_signals().values())


def test_what_an_entry_leaves_out_stays_as_it_is() -> None:
    changed = signal(
        read('[[intent.signals]]\nname = "enumeration"\ncapacity = 500'), "enumeration"
    )
    assert changed == built_in_signals()["enumeration"]._replace(capacity=500)


def test_a_signal_of_its_own_makes_an_action_watched() -> None:
    index = read("""
[intent]
slow = "250ms"
decay = "1h"
[[intent.signals]]
name = "archived"
summary = "notes archived"
filter = { outcome = ["ok"], action = ["notes.archive"] }
capacity = 0
leakspeed = "1m"
most = "slow"
""")
    assert (index.intent.slow, index.intent.decay) == (0.25, 3600.0)
    assert signal(index, "archived").most == SLOW
    assert index.actions["notes.archive"].is_watched
    assert not read("").actions["notes.archive"].is_watched


def test_signals_can_be_off_one_by_one_or_all_and_end_at_a_step() -> None:
    off = read('[[intent.signals]]\nname = "bursts"\nmost = "off"')
    assert "bursts" not in {each.name for each in off.intent.signals}
    assert read('[intent]\nmost = "off"').intent.signals == ()
    assert read('[intent]\nmost = "log"').intent.most == LOG
    assert OFF < LOG < SLOW


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('name = "bursts"\ncapacity = -1', "whole number from 0"),
        ('name = "bursts"\ncapacity = true', "whole number from 0"),
        ('name = "bursts"\nleakspeed = "soon"', "must be a time"),
        ('name = "bursts"\ncapasity = 5', "did you mean capacity"),
        ('name = "bursts"\nmost = "ban"', "must be one of off, log, slow, suspend"),
        ('name = "bursts"\nfilter = { outcome = ["slow"] }', "'slow' is none of"),
        ('name = "bursts"\nfilter = { outcome = [] }', "must list what counts"),
        (
            'name = "tenant-enumeration"\nmost = "suspend"',
            "of a signal by tenant can be log at most",
        ),
        ('name = "Own"\nsummary = "x"', "must be named in lower case"),
        ('name = "own"\nfilter = { outcome = ["ok"] }\ncapacity = 1\nleakspeed = "1s"', "summary"),
        ('name = "own"\nsummary = "x"\nfilter = { outcome = ["ok"] }\ncapacity = 1', "leakspeed"),
        ('name = "own"\nsummary = "x"\ncapacity = 1\nleakspeed = "1s"', "must list what counts"),
    ],
)
def test_what_is_wrong_is_named_by_line_and_key(text: str, problem: str) -> None:
    with pytest.raises(IndexProblem, match=r"registry\.toml:\d+") as refused:
        read(f"[[intent.signals]]\n{text}")
    assert problem in str(refused.value)
    assert "intent.signals" in str(refused.value)
