"""The variants of a text: each disguise is taken off, within bounds that no text passes."""

from __future__ import annotations

import sys
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.screening.variants import MOST_ESCAPES, MOST_EXPANSION, variants_of

ATTACK = "1' UNION SELECT 1"

HOSTILE = {
    "nested comments": "/*" * 32_768,
    "comments": "/**/" * 16_384,
    "percent towers": "%2525" * 13_107,
    "percents": "%" * 65_536,
    "entities": "&lt;" * 16_384,
    "combining marks": "a\u0301\u0323\u0300" * 16_384,
    "characters that become 18": "\ufdfa" * 65_536,
    "lone surrogates": "\ud800" * 65_536,
    "letters of mathematics": "".join(chr(0x1D400 + at % 800) for at in range(65_536)),
}


@pytest.mark.parametrize(
    "disguised",
    [
        "1%27%20UNION%20SELECT%201",
        "1%2527%2520UNION%2520SELECT%25201",
        "1&#39; UNION SELECT 1",
        "1&apos; UNION SELECT 1",
        "１＇ ＵＮＩＯＮ ＳＥＬＥＣＴ １",
        "1' UNION/**/SELECT/*...*/1",
        "1'\u200bUNION\u00a0SELECT\x001",
        "1' /*!50000UNION*/ SELECT 1",
    ],
)
def test_an_attack_in_disguise_is_among_the_variants(disguised: str) -> None:
    plain = {" ".join(text.split()) for text in variants_of(disguised).texts}
    assert ATTACK in plain


@pytest.mark.parametrize("text", ["", "O'Brien", "Müller", "a < b", "DROP-IN CENTRE"])
def test_a_plain_text_has_one_variant(text: str) -> None:
    assert variants_of(text).texts == (text,)


@given(st.text(max_size=300))
def test_any_text_has_at_most_six_variants_and_the_first_is_the_text(text: str) -> None:
    texts = variants_of(text).texts
    assert texts[0] == text
    assert len(texts) == len(set(texts)) <= 6


@pytest.mark.parametrize("shape", HOSTILE)
def test_no_shape_of_64_kib_grows_without_bound(shape: str) -> None:
    text = HOSTILE[shape]
    assert all(len(each) <= MOST_EXPANSION * len(text) for each in variants_of(text).texts)


def test_each_character_that_looks_like_some_of_ascii_is_read_as_those() -> None:
    for code in range(0x80, sys.maxunicode + 1):
        plain = unicodedata.normalize("NFKC", chr(code))
        if len(plain) <= MOST_EXPANSION and any(each.isascii() for each in plain):
            assert plain in variants_of(chr(code)).texts


@pytest.mark.parametrize("escape", ["%41", "&amp;", "/**/"])
def test_more_escapes_than_are_decoded_are_reported(escape: str) -> None:
    assert variants_of(escape * (MOST_ESCAPES + 1)).is_towered
    assert not variants_of(escape * (MOST_ESCAPES - 1)).is_towered


def test_an_attack_behind_filler_is_decoded_too() -> None:
    filler = "lorem ipsum " * 5_000
    assert filler + ATTACK in variants_of(filler + "1%27 UNION SELECT 1").texts
