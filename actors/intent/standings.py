"""How far each token, tenant and address has come on the ladder, and how it comes down again."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

from actors.intent.signals import HIGHEST, LOG, OFF, SLOW, SUSPEND, IntentRules, Signal
from transport.bind import is_loopback

MOST_STANDINGS: Final = 10_000
"""Standings that are kept; past them the oldest half goes, but for suspensions."""


LOG_SECONDS: Final = 60.0
"""Seconds between two log lines about one subject that goes on, at the same step."""


class Subject(NamedTuple):
    """What stands on the ladder."""

    kind: str
    """One of actors.intent.signals.GROUPS."""
    id: str
    """Of a token or a tenant; the address, or the connection if it has none."""
    tenant: str | None = None
    """Name of its tenant; None for people of the platform, and for addresses."""
    tenant_id: str | None = None
    person: str | None = None

    @property
    def most(self) -> int:
        """Return the highest step that may be taken.

        Behind a loopback address is a gateway with callers of its own, whose addresses it bounds itself.
        """
        return LOG if is_loopback(self.id) else HIGHEST[self.kind]


class Standing(NamedTuple):
    """Where one subject stands."""

    subject: Subject
    step: int
    """By its number in STEPS."""
    signals: tuple[str, ...]
    """Names of the signals that have overflowed, the newest last."""
    since: float
    """Seconds since the epoch at which the step was taken."""
    changed: float
    """time.monotonic() of the last overflow, or of the last step that was lost; in seconds."""
    logged: float
    """time.monotonic() of its last line in the log."""


class Standings:
    """All standings, by the ids of their subjects. For one actor."""

    def __init__(self) -> None:
        self._standings: dict[str, Standing] = {}

    def __len__(self) -> int:
        return len(self._standings)

    def __iter__(self) -> Iterator[Standing]:
        """Yield all, those that overflowed last at the end."""
        return iter(list(self._standings.values()))

    def climb(
        self, subject: Subject, signal: Signal, rules: IntentRules, now: float, epoch: float
    ) -> Standing | None:
        """Count an overflow; return the standing if it is a step higher than before.

        `now` is time.monotonic(), `epoch` in seconds since the epoch.
        """
        before = self._standings.pop(subject.id, None)
        step, since, signals = (OFF, epoch, ()) if before is None else _seen(before)
        most = min(signal.most, rules.most, subject.most)
        reached = max(step, min(step + 1, most))
        names = (*(each for each in signals if each != signal.name), signal.name)
        is_higher = reached > step
        logged = now if is_higher or before is None else before.logged
        standing = Standing(subject, reached, names, epoch if is_higher else since, now, logged)
        if reached == OFF:
            return None
        self._make_room()
        self._standings[subject.id] = standing
        return standing if is_higher else None

    def log_again(self, id_: str, now: float) -> Standing | None:
        """Return a standing that goes on overflowing, each LOG_SECONDS; None if it was logged since."""
        standing = self._standings.get(id_)
        if standing is None or now - standing.logged < LOG_SECONDS:
            return None
        self._standings[id_] = standing._replace(logged=now)
        return standing

    def decay(self, seconds: float, now: float) -> None:
        """Take one step from each that has not overflowed for so long; suspensions stay."""
        for id_, each in list(self._standings.items()):
            if each.step == SUSPEND:
                continue
            lost = int((now - each.changed) / seconds)
            if lost >= each.step:
                del self._standings[id_]
            elif lost:
                changed = each.changed + lost * seconds
                self._standings[id_] = each._replace(step=each.step - lost, changed=changed)

    def forget(self, id_: str) -> Standing | None:
        """Remove and return the standing of one subject; None if it has none."""
        return self._standings.pop(id_, None)

    def slowed(self, kind: str) -> frozenset[str]:
        """Return the ids of all subjects of a kind that stand at `slow` or higher."""
        return frozenset(
            id_
            for id_, each in self._standings.items()
            if each.step >= SLOW and each.subject.kind == kind
        )

    def _make_room(self) -> None:
        if len(self._standings) < MOST_STANDINGS:
            return
        by_age = sorted(self._standings.values(), key=lambda each: (each.step, each.changed))
        for each in by_age[: MOST_STANDINGS // 2]:
            if each.step != SUSPEND:
                del self._standings[each.subject.id]


def _seen(before: Standing) -> tuple[int, float, tuple[str, ...]]:
    return before.step, before.since, before.signals
