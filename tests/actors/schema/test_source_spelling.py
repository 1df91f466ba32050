"""Nearest names."""

from actors.schema.source import LONGEST, closest, did_you_mean


def test_the_likeliest_name_comes_first() -> None:
    """And those that are not alike do not come at all."""
    assert (
        closest("contacts.ad", ["notes.add", "contacts.find", "contacts.add"])[0] == "contacts.add"
    )
    assert closest("zzz", ["contacts.add"]) == []


def test_a_hint_is_silent_where_nothing_is_near() -> None:
    """It is a tail of a sentence."""
    assert did_you_mean("nmae", ["name"]) == "; did you mean name?"
    assert did_you_mean("zzz", ["name"]) == ""


def test_only_the_beginning_of_a_long_name_is_compared() -> None:
    """Comparing takes quadratic time, and the name may come from outside."""
    known = "a" * LONGEST
    assert closest(known + "b" * 100_000, [known]) == [known]
