"""scripts/screen --prove: attacks go into the desk as values, and harm would be seen."""

from __future__ import annotations

from pathlib import Path

import pytest

from scripts.benchmark.plan import Call
from scripts.cli.screen import main
from scripts.endurance.proof import Probe, judge

CORPORA = Path(__file__).parents[1] / "actors" / "screening" / "corpora"

UPDATE = Probe("contacts.update", "name", {"id": 0}, True, "t1")

SENT = Call("1", "t1", "contacts.update", {"id": 7, "name": "x' OR 1=1 --"})

BEFORE = {("contacts", 7): ("Ada",), ("contacts", 8): ("Bob",)}

AFTER = {("contacts", 7): ("x' OR 1=1 --",), ("contacts", 8): ("Bob",)}


def test_a_sample_of_attacks_is_stored_as_sent_and_changes_nothing_else(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["--corpora", str(CORPORA), "--prove", "--every", "97"]) == 0
    said = capsys.readouterr().out
    count = said.partition(" texts")[0]
    assert int(count) > 25
    for field in ("contacts.add name", "notes.add body", "contacts.import rows.name"):
        assert f"{field:<34}{count:>16}  {count} ok" in said
    assert "rejected" not in said.replace("without screening", "")


def test_what_is_stored_as_it_was_sent_is_no_problem() -> None:
    assert judge(UPDATE, [(SENT, "x' OR 1=1 --")], BEFORE, AFTER) == (1, [])


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({("contacts", 8): ("x' OR 1=1 --",)}, "('contacts', 8) changed"),
        ({("contacts", 7): ("X' OR 1=1 --",)}, "is not stored as it was sent"),
        ({("contacts", 8): None}, "('contacts', 8) is gone"),
    ],
)
def test_harm_is_seen(change: dict[tuple[str, int], tuple[str] | None], problem: str) -> None:
    after = {place: row for place, row in {**AFTER, **change}.items() if row is not None}
    _, problems = judge(UPDATE, [(SENT, "x' OR 1=1 --")], BEFORE, after)
    assert [problem in each for each in problems] == [True]


def test_a_read_that_writes_is_seen() -> None:
    find = Probe("contacts.find", "text", {}, False, "t1")
    called = Call("1", "t1", "contacts.find", {"text": "x"})
    _, problems = judge(find, [(called, "x")], BEFORE, {**BEFORE, ("contacts", 9): ("x",)})
    assert problems == ["contacts.find text: a read wrote ('contacts', 9)"]
