"""What all of the Directory's parts share: pages that stay small, times as they are shown, ids."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.admin.directory.repository import (
    MAX_PAGE_BYTES,
    Result,
    actor_label,
    format_time,
    new_id,
    page,
)
from actors.host.clocks import rfc3339
from actors.messages import Principal

FIRST = datetime(1, 1, 1, tzinfo=UTC).timestamp()
LAST = datetime(9999, 12, 31, tzinfo=UTC).timestamp()


def rows(sizes: list[int]) -> Iterator[tuple[str, Result]]:
    """With keys that sort, each as large as given."""
    return ((f"{number:04}", {"text": "x" * size}) for number, size in enumerate(sizes))


@given(st.lists(st.integers(0, 2 * MAX_PAGE_BYTES), max_size=40), st.integers(1, 20))
def test_pages_are_small_and_leave_nothing_out(sizes: list[int], limit: int) -> None:
    """One after the other they are all rows; each has one at least, and more only as long as they fit."""
    everything = list(rows(sizes))
    after: str | None = ""
    found: list[Result] = []
    while after is not None:
        left = (row for row in everything if row[0] > str(after))
        listed, after = page(left, limit)
        assert len(listed) <= limit
        assert len(listed) >= (1 if after is not None else 0)
        assert len(listed) <= 1 or sum(len(json.dumps(row)) for row in listed) <= MAX_PAGE_BYTES
        found += listed
    assert found == [row for _, row in everything]


@given(st.floats(FIRST, LAST))
def test_every_second_of_ten_thousand_years_is_shown_as_rfc_3339_has_it(seconds: float) -> None:
    """In UTC, with four digits for the year, whole seconds."""
    text = rfc3339(seconds, "seconds")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", text)
    assert abs(datetime.fromisoformat(text).timestamp() - seconds) <= 1


def test_what_is_not_there_is_shown_as_null() -> None:
    """And what is there as a time."""
    assert format_time(None) is None
    assert format_time(0.9) == "1970-01-01T00:00:00Z"


@pytest.mark.parametrize("kind", ["p", "t", "g"])
def test_ids_say_what_they_are_of(kind: str) -> None:
    """And nothing more: 64 random bits."""
    ids = {new_id(kind) for _ in range(100)}
    assert len(ids) == 100
    assert all(re.fullmatch(kind + "_[0-9a-f]{16}", each) for each in ids)


def test_history_names_the_person_or_whose_nobody_it_was() -> None:
    """The console's and the machine's orders are no person's."""
    assert actor_label(Principal("t_1", "acme", "owner", person="p_1")) == "p_1"
    assert actor_label(Principal("console", None, "console")) == "console"
