"""Reads `[screening]` of an index: exceptions for single fields, each with a reason, and rules of its own."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping

from actors.errors import IndexProblem
from actors.index.entries import Action
from actors.index.toml import TomlReader
from actors.schema.source import did_you_mean
from actors.screening.fields import FieldException, Screening
from actors.screening.libinjection import load
from actors.screening.rules import KINDS, STATES, ScreeningRule, built_in_rules, require_linear
from actors.screening.screener import Screener

MOST_RULES = 100
"""Rules of an index's own."""

_ID = re.compile(r"[a-z][a-z0-9-]{0,63}\Z")


def read_screening(
    table: TomlReader, actions: Mapping[str, Action], operations: Collection[str]
) -> tuple[dict[str, Action], Screening]:
    """Return the actions with what the table states, and that; what is wrong with it is collected.

    `operations` are those of connectors, whose answers are screened, too.
    """
    table.only("exceptions", "rules")
    rules = tuple(_rules(table))
    attacks = sorted({rule.attack for rule in (*built_in_rules(), *rules)})
    names = (*actions, *operations)
    exceptions = tuple(_exception(entry, names, attacks) for entry in table.array("exceptions"))
    screening = Screening(exceptions, rules, _compiled(table, rules) if rules else None)
    return {name: each._replace(screening=screening) for name, each in actions.items()}, screening


def _exception(entry: TomlReader, names: Collection[str], attacks: list[str]) -> FieldException:
    entry.only("action", "field", "attacks", "reason")
    action = entry.text("action")
    if action not in names:
        entry.note(
            f"{action!r} is no action or operation of this index{did_you_mean(action, names)}",
            "action",
        )
    return FieldException(
        action, entry.text("field", ""), entry.choices("attacks", attacks), entry.text("reason")
    )


def _rules(table: TomlReader) -> Iterator[ScreeningRule]:
    ids = {rule.id for rule in built_in_rules()}
    for entry in table.array("rules"):
        entry.only("id", "class", "kinds", "state", "pattern")
        rule = ScreeningRule(
            entry.text("id"),
            entry.text("class"),
            entry.choices("kinds", KINDS) or KINDS,
            entry.choice("state", STATES, "watch"),
            entry.text("pattern"),
        )
        if not _ID.match(rule.id):
            entry.note("must be named in lower case (letters, digits, -)", "id")
        elif rule.id in ids:
            entry.note(f"there is a rule {rule.id!r} already", "id")
        ids.add(rule.id)
        try:
            require_linear(rule)
        except IndexProblem as problem:
            entry.note(str(problem), "pattern")
        else:
            yield rule


def _compiled(table: TomlReader, rules: tuple[ScreeningRule, ...]) -> Screener | None:
    if len(rules) > MOST_RULES:
        table.note(f"has {len(rules)} rules, of at most {MOST_RULES}", "rules")
        return None
    try:
        return Screener((*built_in_rules(), *rules), *load())
    except IndexProblem as problem:
        table.note(str(problem), "rules")
        return None
