"""Keys of tokens: the first is theirs, a second is reported once."""

from __future__ import annotations

from actors.edge.key_uses import MOST_KEYS, KeyUses

KEYS = {b"a": "laptop", b"b": "laptop", b"c": "elsewhere", b"d": None}


def test_a_second_key_is_reported_once() -> None:
    uses = KeyUses()
    found = [
        uses.is_second(at, "t_1", KEYS.get) for at in (b"a", b"a", b"b", b"c", b"c", b"a", b"c")
    ]
    assert found == [False, False, False, True, False, False, False]


def test_tokens_that_share_a_connection_have_their_keys_for_themselves() -> None:
    uses = KeyUses()
    assert not any(uses.is_second(b"a", name, KEYS.get) for name in ("t_1", "t_2", "t_1", "t_2"))
    assert [uses.is_second(b"c", name, KEYS.get) for name in ("t_1", "t_2")] == [True, True]


def test_a_connection_without_a_key_is_no_second_one() -> None:
    uses = KeyUses()
    assert not any(uses.is_second(at, "t_1", KEYS.get) for at in (b"a", b"d"))


def test_past_the_bound_no_key_is_reported() -> None:
    uses = KeyUses()
    found = [
        uses.is_second(b"%d" % at, "t_1", lambda at: at.decode()) for at in range(MOST_KEYS + 9)
    ]
    assert found == [False, *[True] * (MOST_KEYS - 1), *[False] * 9]
