"""The rules of screening: patterns as data, from rules.toml and from an index."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Collection, Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final, NamedTuple

import re2

from actors.errors import IndexProblem
from actors.schema.dialect import STRING_KINDS

KINDS: Final = STRING_KINDS

STATES: Final = ("watch", "block")

FILE: Final = Path(__file__).with_name("rules.toml")

_NAME = re.compile(r"@(\w+)@")


class ScreeningRule(NamedTuple):
    """One pattern, and where it applies."""

    id: str
    attack: str
    """What a refusal names."""
    kinds: Collection[str]
    state: str
    pattern: str


@cache
def built_in_rules() -> tuple[ScreeningRule, ...]:
    """Return the rules that come with the server."""
    content = tomllib.loads(FILE.read_text(encoding="utf-8"))
    return rules_of(content["rules"], content["fragments"])


def rules_of(
    entries: Iterable[Mapping[str, Any]], fragments: Mapping[str, str]
) -> tuple[ScreeningRule, ...]:
    """Return the rules of a table. IndexProblem names the rule whose pattern RE2 does not take."""
    rules = []
    for entry in entries:
        pattern = expanded(entry["pattern"], fragments)
        rule = ScreeningRule(
            entry["id"],
            entry["class"],
            tuple(entry.get("kinds", KINDS)),
            entry.get("state", "block"),
            pattern,
        )
        require_linear(rule)
        rules.append(rule)
    return tuple(rules)


def expanded(pattern: str, fragments: Mapping[str, str]) -> str:
    """Return a pattern with fragments in the place of their names; a fragment may name others."""
    while _NAME.search(pattern) is not None and any(
        name in fragments for name in _NAME.findall(pattern)
    ):
        pattern = _NAME.sub(lambda name: fragments.get(name[1], name[0]), pattern)
    return pattern


def require_linear(rule: ScreeningRule) -> None:
    """Raise IndexProblem for a pattern that is none, or that cannot be matched in linear time."""
    try:
        re2.compile(rule.pattern, options())
    except re2.error as error:
        raise IndexProblem(
            f"rule {rule.id}: the pattern is not RE2's, which has no look-around and no back-references: "
            f"{error.args[0]!r}"
        ) from None


def options() -> re2.Options:
    """Return how patterns are read: without regard to case, `.` takes line breaks."""
    made = re2.Options()
    made.case_sensitive = False
    made.dot_nl = True
    made.log_errors = False
    made.max_mem = MEMORY_BYTES
    return made


MEMORY_BYTES: Final = 64 * 1024 * 1024
"""Memory of one set of patterns at most. RE2 finds nothing when it has too little, so a start tries it."""
