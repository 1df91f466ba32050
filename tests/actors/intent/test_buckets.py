"""Leaky buckets: how many it takes, what counts once only, and what is forgotten."""

from __future__ import annotations

from actors.intent import buckets
from actors.intent.buckets import MOST_BUCKETS, MOST_KEYS, Buckets
from actors.intent.signals import SUSPEND, TOKEN, Signal

THREE = Signal("three", "things", frozenset({"ok"}), (), None, TOKEN, 3, 10.0, SUSPEND)


def poured(held: Buckets, times: list[float], signal: Signal = THREE) -> list[bool]:
    """Whether each overflowed, poured at these times with keys of their own."""
    return [held.pour(signal, "t_1", at, now) for at, now in enumerate(times)]


def test_a_bucket_overflows_with_one_more_than_it_holds_and_is_empty_then() -> None:
    assert poured(Buckets(), [0.0] * 8) == [False, False, False, True, False, False, False, True]


def test_one_leaks_each_time_that_the_leak_speed_has_passed() -> None:
    assert poured(Buckets(), [0.0, 0.0, 0.0, 10.0, 20.0, 30.0]) == [False] * 6
    assert poured(Buckets(), [0.0, 0.0, 0.0, 9.9]) == [False, False, False, True]


def test_a_bucket_that_holds_nothing_overflows_at_once() -> None:
    assert poured(Buckets(), [0.0, 1.0], THREE._replace(capacity=0)) == [True, True]


def test_a_key_counts_once_until_all_has_leaked() -> None:
    held = Buckets()
    found = [held.pour(THREE, "t_1", "same", 0.0) for _ in range(50)]
    assert not any(found)
    assert poured(held, [1.0, 1.0]) == [False, False]
    assert held.pour(THREE, "t_1", "fourth", 1.0)


def test_the_buckets_of_others_fill_for_themselves() -> None:
    held = Buckets()
    for name in ("t_1", "t_2"):
        assert not any(held.pour(THREE, name, None, 0.0) for _ in range(3))
    held.forget("t_1")
    assert not held.pour(THREE, "t_1", None, 0.0)
    assert held.pour(THREE, "t_2", None, 0.0)


def test_what_is_remembered_is_bounded() -> None:
    held, wide = Buckets(), THREE._replace(capacity=MOST_KEYS * 2)
    for key in range(MOST_KEYS + 1):
        held.pour(wide, "t_1", key, 0.0)
    assert len(held._buckets["three", "t_1"]._keys) == MOST_KEYS
    for number in range(MOST_BUCKETS + 10):
        held.pour(THREE, f"t_{number}", None, 0.0)
    assert len(held) <= buckets.MOST_BUCKETS
    held.drop_empty(1e9)
    assert len(held) == 0
