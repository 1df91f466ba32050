"""Reads `[intent]` of an index: how slow is slow, when a step is lost, and its own signals."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from actors.index.entries import Action
from actors.index.toml import TomlReader
from actors.intent.signals import (
    DISTINCT,
    GROUPS,
    HIGHEST,
    OUTCOMES,
    STEPS,
    SUSPEND,
    TOKEN,
    IntentRules,
    Signal,
    built_in_rules,
    built_in_signals,
    in_force,
    seconds_of,
)

MOST_SIGNALS: Final = 100
"""Signals of an index, those that come with the server included."""

MOST_CAPACITY: Final = 1_000_000
"""How many a bucket may hold."""

_NAME: Final = re.compile(r"[a-z][a-z0-9-]{0,63}\Z")

_FIELDS: Final = (
    "name", "summary", "filter", "distinct", "groupby", "capacity", "leakspeed", "most"
)  # fmt: skip


def read_intent(
    table: TomlReader, actions: Mapping[str, Action]
) -> tuple[dict[str, Action], IntentRules]:
    """Return the actions with what the table states, and that; what is wrong with it is collected."""
    table.only("slow", "decay", "most", "signals")
    usual = built_in_rules()
    signals = dict(built_in_signals())
    for entry in table.array("signals"):
        signal = _signal(entry, signals.get(entry.text("name")))
        signals[signal.name] = signal
    if len(signals) > MOST_SIGNALS:
        table.note(f"makes {len(signals)} signals, of at most {MOST_SIGNALS}", "signals")
    most = STEPS.index(table.choice("most", STEPS, STEPS[usual.most]))
    rules = IntentRules(
        in_force(signals.values()) if most else (),
        slow=_seconds(table, "slow", usual.slow),
        decay=_seconds(table, "decay", usual.decay),
        most=most,
    )
    return {
        name: each._replace(is_watched=rules.watches(name)) for name, each in actions.items()
    }, rules


def _signal(entry: TomlReader, known: Signal | None) -> Signal:
    """Return a signal; what an entry for a known one leaves out stays as it is."""
    entry.only(*_FIELDS)
    name = entry.text("name")
    if not _NAME.match(name):
        entry.note("must be named in lower case (letters, digits, -)", "name")
    outcomes, actions = _filter(entry, known)
    groupby = entry.choice("groupby", GROUPS, known.groupby if known else TOKEN)
    most = STEPS.index(entry.choice("most", STEPS, _usual_most(known, groupby)))
    if most > HIGHEST[groupby]:
        entry.note(f"of a signal by {groupby} can be {STEPS[HIGHEST[groupby]]} at most", "most")
    return Signal(
        name=name,
        summary=entry.text("summary", known.summary) if known else entry.text("summary"),
        outcomes=outcomes,
        actions=actions,
        distinct=entry.optional_choice("distinct", DISTINCT) or (known.distinct if known else None),
        groupby=groupby,
        capacity=_capacity(entry, known),
        leakspeed=_seconds(entry, "leakspeed", known.leakspeed if known else None),
        most=most,
    )


def _usual_most(known: Signal | None, groupby: str) -> str:
    return STEPS[min(known.most if known else SUSPEND, HIGHEST[groupby])]


def _filter(entry: TomlReader, known: Signal | None) -> tuple[frozenset[str], tuple[str, ...]]:
    if known is not None and "filter" not in entry:
        return known.outcomes, known.actions
    table = entry.table("filter")
    table.only("outcome", "action")
    outcomes = table.choices("outcome", OUTCOMES)
    if not outcomes:
        table.note(f"must list what counts, of {', '.join(OUTCOMES)}", "outcome")
    return outcomes, table.texts("action")


def _capacity(entry: TomlReader, known: Signal | None) -> int:
    value: Any = entry.value("capacity", known.capacity if known else None)
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MOST_CAPACITY:
        return value
    entry.note(f"must be a whole number from 0 to {MOST_CAPACITY}", "capacity")
    return 0


def _seconds(table: TomlReader, name: str, usual: float | None) -> float:
    if name not in table and usual is not None:
        return usual
    seconds = seconds_of(table.text(name))
    if seconds is None:
        table.note("must be a time, such as 500ms, 10s, 5m or 1h", name)
        return 1.0
    return seconds
