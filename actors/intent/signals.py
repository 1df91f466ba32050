"""The signals of bad intent: what counts, and how much of it is too much."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Collection, Mapping
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import Any, Final, NamedTuple

from transport.message import CODES, NOT_FOUND

OK: Final = "ok"
UNKNOWN_ACTION: Final = "unknown_action"
"""A name that no action has. Where there is none that it could be, the code is `not_found` as well."""
OTHER_TENANT: Final = "other_tenant"
"""A valid token with the name of a tenant that is not its own."""
WRONG_TOKEN: Final = "wrong_token"  # noqa: S105 - an outcome, not a secret
"""A token that is unknown, expired or revoked."""
SECOND_KEY: Final = "second_key"
"""The first use of a token on a connection with another CURVE key than its first one's."""

OUTCOMES: Final = (OK, *sorted(CODES), UNKNOWN_ACTION, OTHER_TENANT, WRONG_TOKEN, SECOND_KEY)

TOKEN: Final = "token"  # noqa: S105 - a word, not a secret
TENANT: Final = "tenant"
ADDRESS: Final = "address"
GROUPS: Final = (TOKEN, TENANT, ADDRESS)
"""What a bucket is of."""

DISTINCT: Final = ("action", "params", "tenant", "token")
"""What may be counted once only."""

OFF, LOG, SLOW, SUSPEND = range(4)
STEPS: Final = ("off", "log", "slow", "suspend")
"""The ladder, by its numbers."""

HIGHEST: Final = {TOKEN: SUSPEND, TENANT: LOG, ADDRESS: SLOW}
"""No tenant is slowed or suspended for what one of its members does; an address has no token to suspend."""

FILE: Final = Path(__file__).with_name("signals.toml")

_DURATION: Final = re.compile(r"(\d{1,6})(ms|s|m|h)\Z")
_SECONDS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


class Signal(NamedTuple):
    """One signal: what it counts, and when that is too much."""

    name: str
    summary: str
    """What an owner reads: of what there was too much."""
    outcomes: frozenset[str]
    """Of OUTCOMES."""
    actions: tuple[str, ...]
    """Names of actions, `*` for any part of one; empty for all."""
    distinct: str | None
    """One of DISTINCT; None where each counts."""
    groupby: str
    """One of GROUPS."""
    capacity: int
    """How many a bucket holds; one more overflows."""
    leakspeed: float
    """Seconds after which a bucket has lost one."""
    most: int
    """The highest step, by its number."""

    def counts(self, action: str) -> bool:
        """Return whether the signal is about an action of this name."""
        return not self.actions or any(fnmatchcase(action, each) for each in self.actions)


class IntentRules(NamedTuple):
    """What an index states about intent."""

    signals: tuple[Signal, ...]
    slow: float = 1.0
    """Seconds between two messages of what is slowed."""
    decay: float = 600.0
    """Seconds without a further overflow after which one step is gone; a suspension stays."""
    most: int = SUSPEND
    """The highest step of all signals, by its number."""

    @property
    def outcomes(self) -> frozenset[str]:
        """Return the outcomes that any signal counts."""
        return frozenset().union(*(each.outcomes for each in self.signals))

    def watches(self, action: str) -> bool:
        """Return whether any signal counts what this action has done."""
        return any(OK in each.outcomes and each.counts(action) for each in self.signals)


def seconds_of(text: str) -> float | None:
    """Return the seconds of a time such as `500ms`, `10s`, `5m` or `1h`; None if it is none, or 0."""
    found = _DURATION.match(text)
    return None if found is None else int(found[1]) * _SECONDS[found[2]] or None


@cache
def built_in_signals() -> Mapping[str, Signal]:
    """Return the signals that come with the server, by name."""
    entries = tomllib.loads(FILE.read_text(encoding="utf-8"))["signals"]
    return {entry["name"]: _signal_of(entry) for entry in entries}


@cache
def built_in_rules() -> IntentRules:
    """Return what holds where an index states nothing."""
    return IntentRules(tuple(built_in_signals().values()))


def _signal_of(entry: Mapping[str, Any]) -> Signal:
    seconds = seconds_of(entry["leakspeed"])
    assert seconds is not None, entry
    return Signal(
        name=entry["name"],
        summary=entry["summary"],
        outcomes=frozenset(entry["filter"]["outcome"]),
        actions=tuple(entry["filter"].get("action", ())),
        distinct=entry.get("distinct"),
        groupby=entry.get("groupby", TOKEN),
        capacity=entry["capacity"],
        leakspeed=seconds,
        most=STEPS.index(entry.get("most", "suspend")),
    )


def eased(signal: Signal) -> Signal:
    """Return a signal as it holds for a token with a scope: what its actions have done at most slows it.

    It was issued for just these actions, and a program that does its work must not be cut off.
    """
    return signal._replace(most=min(signal.most, SLOW)) if signal.outcomes == {OK} else signal


def in_force(signals: Collection[Signal]) -> tuple[Signal, ...]:
    """Return the signals that are not off."""
    return tuple(each for each in signals if each.most != OFF)


def outcome_of_code(code: str, *, is_action_known: bool) -> str:
    """Return the outcome that a refusal with this code is."""
    return UNKNOWN_ACTION if code == NOT_FOUND and not is_action_known else code
