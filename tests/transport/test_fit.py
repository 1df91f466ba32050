"""Whatever there is, what is made fit can be sent."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from transport.codec import decode, encode
from transport.fit import MAX_DEPTH, fit, fit_map, fit_text, inert, text_of
from transport.message import Encoding
from transport.validation import REPLIES

TEXT = st.text(st.characters(categories=["L", "N", "Cs", "Cc"]) | st.sampled_from("\0\ud800\udfff"))
LEAVES = (
    TEXT
    | st.none()
    | st.booleans()
    | st.integers(-(2**80), 2**80)
    | st.floats()
    | st.binary(max_size=9)
    | st.datetimes()
    | st.decimals()
)
VALUES = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.lists(inner, max_size=4).map(tuple)
        | st.dictionaries(TEXT | st.integers() | st.none(), inner, max_size=4)
        | st.sets(TEXT, max_size=3)
    ),
    max_leaves=12,
)


class Mute:
    """Has no text."""

    def __str__(self) -> str:
        raise ValueError("not now")


@pytest.mark.parametrize("encoding", ["msgpack", "json"])
@given(value=VALUES)
@settings(max_examples=150, derandomize=True, deadline=None)
def test_what_was_made_fit_is_sent_and_comes_out_as_it_went_in(
    encoding: Encoding, value: Any
) -> None:
    """In either encoding."""
    made = {"value": fit(value), **fit_map({"again": value})}
    assert decode(encode(made, encoding), REPLIES)[0] == made
    assert fit(made) == made


@given(text=st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")))
@settings(max_examples=100, derandomize=True, deadline=None)
def test_text_that_fits_stays_as_it_is(text: str) -> None:
    """Whatever it says."""
    assert fit_text(text) == text


@pytest.mark.parametrize(
    ("value", "made"),
    [
        ("a\0b", "a\ufffdb"),
        ("caf\udce9", "caf?"),
        (2**63 - 1, 2**63 - 1),
        (2**63, "9223372036854775808"),
        (float("inf"), "inf"),
        (b"ab", "(2 bytes)"),
        (datetime(2026, 11, 29, tzinfo=UTC), "2026-11-29 00:00:00+00:00"),
        ({1: ("x", None)}, {"1": ["x", None]}),
        (Mute(), "(Mute, which has no text)"),
        pytest.param(10**5000, "(int, which has no text)", id="a number of 5,001 digits"),
    ],
)
def test_what_no_reply_holds_becomes_text(value: Any, made: Any) -> None:
    """The same every time."""
    assert fit(value) == made


def test_what_is_too_deep_is_left_out() -> None:
    """Even if it holds itself."""
    endless: list[Any] = []
    endless.append(endless)
    assert "(too deep)" in str(fit(endless))
    deep: Any = "the end"
    for _ in range(MAX_DEPTH):
        deep = [deep]
    assert "the end" in str(fit(deep))
    assert "the end" not in str(fit([deep]))


def test_a_text_is_its_own() -> None:
    """It need not fit."""
    assert text_of("a\0") == "a\0"
    assert text_of(404) == "404"


@given(text=TEXT | st.text(st.characters(categories=["Cc", "Cf", "Zl", "Zp", "Zs", "Lu"])))
@settings(max_examples=200, derandomize=True, deadline=None)
def test_nothing_in_inert_text_acts_on_a_terminal(text: str) -> None:
    """And JSON says the same as before."""
    shown = inert(text)
    assert all(sign.isprintable() or sign in "\n\t" for sign in shown)
    line = inert(json.dumps(text, ensure_ascii=False))
    assert line.isprintable()
    assert json.loads(line) == text


@pytest.mark.parametrize("sign", "\x07\x1b\x7f\x85\x9b\u200b\u200e\u202e\u2028\u2029\u2066\ufeff\r")
def test_what_acts_on_a_terminal_is_escaped(sign: str) -> None:
    """Each of them does, on some."""
    assert inert(f"a{sign}b") == f"a{json.dumps(sign)[1:-1]}b"
    assert inert("résumé\t日本\n") == "résumé\t日本\n"
