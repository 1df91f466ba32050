"""Ids that a client makes: in the order of time, and each its own."""

from __future__ import annotations

import re

import pytest

from transport.session import new_request_id


def test_an_id_is_32_hexadecimal_digits_and_never_the_same() -> None:
    """Also those of one millisecond."""
    made = [new_request_id() for _ in range(1000)]
    assert all(re.fullmatch("[0-9a-f]{32}", each) for each in made)
    assert len(set(made)) == len(made)


def test_a_later_id_stands_behind_an_earlier_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that those of one time lie together in an index."""
    made = []
    for nanoseconds in (1, 999, 1_764_000_000_000, 8_000_000_000_000):
        monkeypatch.setattr("transport.session.time.time_ns", lambda at=nanoseconds: at * 1_000_000)
        made.append(new_request_id())
    assert made == sorted(made)
    assert [int(each[:12], 16) for each in made] == [1, 999, 1_764_000_000_000, 8_000_000_000_000]
