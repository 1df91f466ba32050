"""Nearest names."""

from actors.schema.source import LONGEST, hint, nearest


def test_the_likeliest_name_comes_first() -> None:
    """And those that are not alike do not come at all."""
    assert (
        nearest("contacts.ad", ["notes.add", "contacts.find", "contacts.add"])[0] == "contacts.add"
    )
    assert nearest("zzz", ["contacts.add"]) == []


def test_a_hint_is_silent_where_nothing_is_near() -> None:
    """It is a tail of a sentence."""
    assert hint("nmae", ["name"]) == "; did you mean name?"
    assert hint("zzz", ["name"]) == ""


def test_only_the_beginning_of_a_long_name_is_compared() -> None:
    """Comparing takes quadratic time, and the name may come from outside."""
    known = "a" * LONGEST
    assert nearest(known + "b" * 100_000, [known]) == [known]
