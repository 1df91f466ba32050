"""`[screening]` of an index: exceptions with a reason, rules of its own; what is wrong is named by line."""

from __future__ import annotations

from pathlib import Path

import pytest

from actors.errors import IndexProblem
from actors.index.parser import parse_index

ACTION = """
[actions."shop.add"]
summary = "Add."
access = "member"
effect = "write"
[actions."shop.add".params]
properties.name = { type = "string" }
"""


def test_exceptions_and_rules_are_read(tmp_path: Path) -> None:
    text = """
[[screening.exceptions]]
action = "shop.add"
field = "name"
attacks = ["sql injection"]
reason = "names of SQL courses"
[[screening.rules]]
id = "no-coupons"
class = "coupon"
kinds = ["line"]
pattern = 'FREE-\\d+'
"""
    screening = parse_index(tmp_path / "registry.toml", ACTION + text).actions["shop.add"].screening
    (exception,) = screening.exceptions
    assert exception.reason == "names of SQL courses"
    (rule,) = screening.rules
    assert (rule.id, rule.state, set(rule.kinds)) == ("no-coupons", "watch", {"line"})
    assert screening.screener is not None
    assert rule in screening.screener.find("free-99", "line")


@pytest.mark.parametrize(
    ("entry", "told"),
    [
        ('[[screening.exceptions]]\naction = "shop.ad"\nreason = "x"', "did you mean shop.add"),
        ('[[screening.exceptions]]\naction = "shop.add"', "reason is missing"),
        ('[[screening.rules]]\nid = "a"\nclass = "b"\npattern = "(?=x)"', "look-around"),
        ('[[screening.rules]]\nid = "a"\nclass = "b"\npattern = "("', "the pattern is not RE2's"),
        ('[[screening.rules]]\nid = "sql-union"\nclass = "b"\npattern = "x"', "already"),
        ("[screening]\nrule = 1", "unknown key"),
    ],
)
def test_what_is_wrong_is_named_with_its_line(tmp_path: Path, entry: str, told: str) -> None:
    with pytest.raises(IndexProblem, match=r"registry\.toml:\d+: screening") as caught:
        parse_index(tmp_path / "registry.toml", f"{ACTION}{entry}\n")
    assert told in str(caught.value)


@pytest.mark.parametrize("kind", ["words", 1])
def test_an_unknown_kind_of_string_is_refused(tmp_path: Path, kind: object) -> None:
    text = ACTION.replace('type = "string"', f'type = "string", kind = {kind!r}')
    with pytest.raises(IndexProblem, match="is none of token, line, text"):
        parse_index(tmp_path / "registry.toml", text)
