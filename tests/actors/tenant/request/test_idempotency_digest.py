"""Two requests with one id ask for the same thing exactly when their digests are equal."""

from __future__ import annotations

import json
import random
from hashlib import blake2b
from typing import Any

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.tenant.request.idempotency import request_fingerprint
from transport.codec import decode, encode

NAMES = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=6)
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | NAMES
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=10,
)
PARAMS = st.dictionaries(NAMES, VALUES, max_size=5)


def shuffled(value: Any, chance: random.Random) -> Any:
    """The same content with the keys of its maps in another order."""
    if isinstance(value, dict):
        keys = list(value)
        chance.shuffle(keys)
        return {key: shuffled(value[key], chance) for key in keys}
    if isinstance(value, list):
        return [shuffled(each, chance) for each in value]
    return value


@given(PARAMS, st.randoms(use_true_random=False))
def test_the_order_of_keys_makes_no_difference(params: Any, chance: random.Random) -> None:
    """At any depth."""
    assert request_fingerprint("a.b", params) == request_fingerprint(
        "a.b", shuffled(params, chance)
    )


@given(PARAMS)
def test_the_encoding_makes_no_difference(params: Any) -> None:
    """A client may ask again in the other one."""
    told = [decode(encode(params, encoding))[0] for encoding in ("msgpack", "json")]
    assert request_fingerprint("a.b", told[0]) == request_fingerprint("a.b", told[1])


def canonical(value: Any) -> Any:
    """The value with the keys of its maps sorted, at any depth."""
    if isinstance(value, dict):
        return {key: canonical(value[key]) for key in sorted(value)}
    return [canonical(each) for each in value] if isinstance(value, list) else value


@given(PARAMS)
def test_a_digest_is_what_earlier_releases_have_stored(params: Any) -> None:
    """They sorted the keys in Python and packed with msgpack's own library: no id is taken for another's."""
    before = blake2b(msgpack.packb(["a.b", canonical(params)]), digest_size=16).digest()
    assert request_fingerprint("a.b", params) == before


def content(value: Any) -> str:
    """The content as text: equal exactly where a reader of JSON could see no difference."""
    return json.dumps(value, sort_keys=True)


@given(PARAMS, PARAMS)
def test_other_content_has_another_digest(one: Any, other: Any) -> None:
    """And the same content the same."""
    same = request_fingerprint("a.b", one) == request_fingerprint("a.b", other)
    assert same == (content(one) == content(other))


LOOKALIKES: list[dict[str, Any]] = [
    {},
    {"a": None},
    {"a": 1},
    {"a": 1.0},
    {"a": True},
    {"a": "1"},
    {"a": ["1"]},
    {"a": {}},
    {"a": []},
    {"a": [[]]},
    {"a": {"b": 1}},
    {"a": [["b", 1]]},
    {"a": ["b", 1]},
    {"a": {"b": {"c": 1}}},
    {"a": [["b", [["c", 1]]]]},
    {"a": 1, "b": 2},
    {"a": 2, "b": 1},
    {"ab": 12},
    {"a": [1, 2]},
    {"a": [2, 1]},
    {"a": [1], "b": [2]},
    {"a": [1, 2], "b": []},
    {"A": 1},
    {"a": ""},
    {"": "a"},
]


def test_what_only_looks_alike_is_not_the_same() -> None:
    """A map is not the list of its pairs, 1 is neither true nor 1.0 nor text."""
    assert len({request_fingerprint("a.b", params) for params in LOOKALIKES}) == len(LOOKALIKES)


def test_the_same_params_of_another_action_are_another_request() -> None:
    """Also where name and params run into each other."""
    assert request_fingerprint("a.b", {"c": 1}) != request_fingerprint("a.bc", {"": 1})
    assert request_fingerprint("a.b", {}) != request_fingerprint("a.c", {})


@pytest.mark.parametrize("params", LOOKALIKES)
def test_a_digest_is_sixteen_bytes(params: Any) -> None:
    """What the table of ids holds."""
    assert len(request_fingerprint("a.b", params)) == 16


def test_a_digest_says_the_same_in_every_process() -> None:
    """It is kept for 24 h, over restarts."""
    found = request_fingerprint("contacts.add", {"name": "Ada", "tags": ["x", {"b": 1, "a": 2}]})
    packed = msgpack.packb(["contacts.add", {"name": "Ada", "tags": ["x", {"a": 2, "b": 1}]}])
    assert found == blake2b(packed, digest_size=16).digest()
