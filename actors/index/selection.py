"""Selects the version of an action or connector that an environment serves, with the reason."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from actors.index.entries import DUMMY, ERRORING, REVERTED, Action, Connector, Environment, Version

NEWEST = "newest"
TESTER = "tester"
FALLBACK = {
    ERRORING: "fallback after erroring",
    REVERTED: "fallback after reverted",
}
NONE_SERVED = "none served"


class Selection(NamedTuple):
    """The version that is served, and the reason."""

    version: Version | None
    """None if no version is written; for NONE_SERVED the newest one, which is not served."""
    reason: str
    """Sent as `meta.reason`: newest, tester, a fallback, dummy or none served."""
    taken_out: bool = False
    """True if no version is served and one would be if it were not erroring."""

    @property
    def is_served(self) -> bool:
        """False if no version is served."""
        return self.reason != NONE_SERVED


def rank_versions(
    owner: Action | Connector, environment: Environment, tester: bool = False
) -> tuple[Version, ...]:
    """Return the versions that an environment serves, best first; each is the fallback of the ones before.

    The newest comes first; erroring versions come last.
    """
    states = _states(environment, tester)
    served = [version for version in owner.versions if version.state in states]
    return (
        *(version for version in served if version.state != ERRORING),
        *(version for version in served if version.state == ERRORING),
    )


def select(owner: Action | Connector, environment: Environment, tester: bool = False) -> Selection:
    """Select the version that an environment serves: the newest whose state it serves.

    An erroring version is served only if no other is. An action without versions is a dummy. The reason is
    the first that holds: `tester` if only testers get the version; a fallback if a newer version is erroring
    or reverted (the newest such decides which); `dummy`; `newest`.
    """
    versions = owner.versions
    if not versions:
        return Selection(None, DUMMY if DUMMY in environment.serves else NONE_SERVED)
    ranked = rank_versions(owner, environment, tester)
    if not ranked:
        states = _states(environment, tester)
        taken_out = any(each.state == ERRORING and each.before in states for each in versions)
        return Selection(versions[0], NONE_SERVED, taken_out)
    return Selection(ranked[0], reason(ranked[0], versions, environment))


def selected_in(
    owner: Action | Connector, version: Version, places: Iterable[Environment], tester: bool = False
) -> list[str]:
    """Return the names of the environments that select this version."""
    return [
        place.name
        for place in places
        if (decision := select(owner, place, tester)).is_served and decision.version is version
    ]


def reason(chosen: Version, versions: tuple[Version, ...], environment: Environment) -> str:
    """Return why `chosen` is served, of all `versions` of its action."""
    if chosen.state not in environment.serves:
        return TESTER
    newer = versions[: versions.index(chosen)]
    passed_over = next((each.state for each in newer if each.state in FALLBACK), None)
    if passed_over is not None:
        return FALLBACK[passed_over]
    return DUMMY if chosen.state == DUMMY else NEWEST


def _states(environment: Environment, tester: bool) -> frozenset[str]:
    return environment.serves | environment.testers if tester else environment.serves
