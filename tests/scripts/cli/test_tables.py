"""Tables of the commands: what is chosen, shortened and left out."""

from __future__ import annotations

import io
from typing import Any

import pytest
from rich.console import Console

from scripts.cli.tables import fit, table_of

TRACE = "0af7651916cd43dd8448eb211c80319c"
RECORD = {
    "seq": 7,
    "at": "2026-11-29T13:28:59.123Z",
    "kind": "action",
    "person": "p_91ab03f7c2d45e68",
    "tenant": "acme",
    "action": "tenants.suspend",
    "outcome": "ok",
    "message": None,
    "trace_id": TRACE,
    "prev": "a" * 64,
    "hash": "b" * 64,
}


def drawn(rows: list[dict[str, Any]], width: int | None) -> list[str]:
    """The lines of a table for so many columns."""
    fitted = fit(rows, width)
    out = Console(file=io.StringIO(), width=max(fitted.width, 1))
    out.print(table_of(fitted))
    assert isinstance(out.file, io.StringIO)
    return out.file.getvalue().splitlines()


@pytest.mark.parametrize("width", [20, 40, 80, 120, 200])
def test_a_table_is_never_wider_than_the_terminal(width: int) -> None:
    rows = [RECORD, {**RECORD, "seq": 8, "message": "why " * 100}]
    lines = drawn(rows, width)
    assert len(lines) == 3
    assert max(map(len, lines)) <= width


def test_what_matters_is_kept_and_what_is_left_out_is_named() -> None:
    rows = [RECORD, {**RECORD, "seq": 8, "hash": "c" * 64}]
    fitted = fit(rows, 80)
    kept = [column.name for column in fitted.columns]
    assert {"seq", "at", "tenant", "action", "outcome"} <= set(kept)
    assert "hash" in fitted.left_out
    assert "message" not in kept
    assert {*kept, *fitted.left_out} == set(RECORD) - {"message"}


def test_ids_and_times_are_whole_where_there_is_room_and_short_where_not() -> None:
    narrow = drawn([RECORD, RECORD], 80)[1]
    wide = drawn([RECORD, RECORD], None)[1]
    assert TRACE in wide
    assert "2026-11-29T13:28:59.123Z" in wide
    assert TRACE not in narrow
    assert "11-29 13:28:59" in narrow
    assert "p_91ab03" in narrow


def test_members_of_members_have_a_column_with_a_short_name() -> None:
    figures = {"p50": 1.5, "p99": 20.0}
    row = {"action": "a.b", "queued": figures, "handled": figures, "states": {"1": "release"}}
    assert drawn([row], None)[0].split() == [
        *("action", "queued.p50", "queued.p99", "handled.p50", "handled.p99", "states"),
    ]
    assert drawn([row], None)[1].split()[-2:] == ["1", "release"]


def test_text_from_a_server_is_one_line_without_control_sequences() -> None:
    (_, line) = drawn([{"name": "Ada\x1b[31m\nLovelace\x07[red]", "n": 1}], None)
    assert "\x1b" not in line
    assert "\x07" not in line
    assert r"Ada\x1b[31m Lovelace\x07[red]" in line


def test_versions_in_a_list_are_called_as_people_call_them() -> None:
    moved = {"kind": "function", "name": "orders.place", "version": 2, "to": "release"}
    lines = drawn([{"release": "shop-2", "versions": [moved, {**moved, "version": 3}]}], None)
    assert lines[1].split(None, 1)[1].strip() == "orders.place@2 release, orders.place@3 release"


def test_releases_fit_80_columns_with_when_they_were_deployed_and_what_they_moved() -> None:
    moved = {"kind": "function", "name": "orders.place", "version": 2, "to": "release"}
    row = {"release": "shop-2", "sequence": 2, "served": True, "deployed_at": None}
    back = {**row, "taken_back_at": RECORD["at"], "why": "it fails " * 9, "versions": [moved]}
    lines = drawn([back, {**back, "deployed_at": RECORD["at"], "why": None}], 80)
    assert lines[0].split() == ["release", "served", "deployed_at", "why", "versions"]
    assert "11-29 13:28:59" in lines[2]
    assert "orders.place@2 release" in lines[2]
