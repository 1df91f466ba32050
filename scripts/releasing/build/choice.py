"""Which versions of an index go into a release, in which state, and why."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from actors.index.entries import (
    CONNECTOR,
    DUMMY,
    ERRORING,
    FUNCTION,
    POTENTIAL_RELEASE,
    RELEASE,
    REVERTED,
    UNDER_DEV,
    UNDER_USER_TEST,
    Action,
    Connector,
    Environment,
    Index,
    Version,
)
from actors.schema.source import did_you_mean
from scripts.releasing.bundle import Manifest, ReleasedVersion
from scripts.releasing.problem import ReleaseProblem

LADDER = (POTENTIAL_RELEASE, UNDER_USER_TEST, RELEASE)
"""The states that a release can give, in the order in which a version comes to them."""

ADVICE = {
    DUMMY: "write it first",
    UNDER_DEV: f"move it to {POTENTIAL_RELEASE!r} first (functions.move)",
    ERRORING: "mend it first",
    REVERTED: f"move it to {UNDER_DEV!r} and onward first (functions.move)",
}

_LABEL = re.compile(r"(?P<name>[a-z][a-z0-9_.]*)(@(?P<version>[1-9][0-9]{0,8}))?\Z")


class Wanted(NamedTuple):
    """What the command line asks for."""

    labels: Sequence[str] = ()
    """Such as `contacts.add@2`; without a number the newest version."""
    requests: Sequence[str] = ()
    states: Sequence[str] = ()
    to: str | None = None
    """The state to give; None for the one that fits the environment."""
    breaking: str | None = None


class Found(NamedTuple):
    """One version of the index."""

    kind: str
    owner: Action | Connector
    version: Version

    @property
    def key(self) -> tuple[str, str, int]:
        """Names it in an index."""
        return self.kind, self.owner.name, self.version.number

    @property
    def label(self) -> str:
        """`contacts.add@2`."""
        return f"{self.owner.name}@{self.version.number}"


def requests_of(version: Version) -> tuple[str, ...]:
    """Return the user requests that a version answers."""
    return version.served_requests


def versions_of(index: Index) -> Iterator[Found]:
    """Yield every version of an index, by kind, name and number."""
    owners: list[tuple[str, Action | Connector]] = [
        *((FUNCTION, action) for _, action in sorted(index.actions.items())),
        *((CONNECTOR, connector) for _, connector in sorted(index.connectors.items())),
    ]
    for kind, owner in owners:
        for version in reversed(owner.versions):
            yield Found(kind, owner, version)


def chosen(index: Index, wanted: Wanted) -> dict[tuple[str, str, int], tuple[Found, str]]:
    """Return the versions that were asked for by their keys, each with the reason.

    ReleaseProblem names every wish that no version answers.
    """
    everything = list(versions_of(index))
    found: dict[tuple[str, str, int], tuple[Found, str]] = {}
    problems = []
    for asked, why, those in _wishes(index, everything, wanted):
        if not those:
            problems.append(asked)
        for each in those:
            found.setdefault(each.key, (each, why))
    if problems:
        raise ReleaseProblem("; ".join(problems))
    return found


def _wishes(
    index: Index, everything: list[Found], wanted: Wanted
) -> Iterator[tuple[str, str, list[Found]]]:
    """Yield for each wish: what to say if nothing answers it, the reason, and the versions."""
    for label in wanted.labels:
        yield _missing(index, label), "it was named", _labelled(everything, label)
    for request in wanted.requests:
        those = [
            each
            for each in everything
            if request in requests_of(each.version) and each.version.state in LADDER
        ]
        problem = f"no version that could be released names the request {request}"
        yield problem, f"it answers {request}", those
    for state in wanted.states:
        those = [each for each in everything if each.version.state == state]
        yield f"no version is {state!r}", f"it is {state!r}", those


def _labelled(everything: list[Found], label: str) -> list[Found]:
    match = _LABEL.match(label)
    those = [each for each in everything if match and each.owner.name == match["name"]]
    if match and match["version"]:
        return [each for each in those if each.version.number == int(match["version"])]
    return those[-1:]


def _missing(index: Index, label: str) -> str:
    name = label.partition("@")[0]
    owner = index.actions.get(name) or index.connectors.get(name)
    if not _LABEL.match(label):
        return f"{label!r} names no version: write contacts.add@2"
    if owner is None:
        known = (*index.actions, *index.connectors)
        return f"the index has no function or connector {name!r}{did_you_mean(name, known)}"
    numbers = ", ".join(str(each.number) for each in owner.versions) or "none yet"
    return f"{name} has no version {label.partition('@')[2] or 'to release'}; it has: {numbers}"


def target_state(found: Found, environment: Environment, to: str | None) -> str:
    """Return the state that a release gives a version; ReleaseProblem if the environment serves none."""
    state = found.version.state
    if state not in LADDER:
        raise ReleaseProblem(f"{found.label} is {state!r}: {ADVICE[state]}")
    at = LADDER.index(state)
    near = LADDER[at : at + 2]
    reachable = LADDER[: at + 2]
    for served in (environment.serves, environment.testers):
        for each in (to,) if to else near:
            if each in served and each in reachable:
                return each
    listed = ", ".join(map(repr, sorted(environment.serves | environment.testers)))
    raise ReleaseProblem(
        f"{found.label} is {state!r}, and {environment.name} serves {listed}: "
        + (
            f"it cannot become {to!r} there"
            if to
            else "take it through the states before, one at a time"
        )
    )


def released(
    index: Index, environment: Environment, wanted: Wanted, base: Manifest | None
) -> list[ReleasedVersion]:
    """Return all versions of the release: what was there before, and what was chosen."""
    picked = chosen(index, wanted)
    refused: list[str] = []
    found: list[ReleasedVersion] = []
    before = {(each.kind, each.name, each.version): each for each in base.versions} if base else {}
    for each in versions_of(index):
        earlier = before.pop(each.key, None)
        if each.key in picked:
            try:
                to = target_state(each, environment, wanted.to)
            except ReleaseProblem as problem:
                refused.append(str(problem))
                continue
            if earlier is not None and earlier.to_state == to:
                found.append(earlier._replace(chosen=False, why=f"it is in {_name(base)} already"))
                continue
            found.append(_chosen(each, to, picked[each.key][1], earlier, wanted.breaking))
        elif kept := _kept(each, earlier, environment, base):
            found.append(kept)
    refused += [
        f"{each.label} is in {_name(base)}, and this index has it no more"
        for each in before.values()
    ]
    if refused:
        raise ReleaseProblem("; ".join(refused))
    return found


def _name(base: Manifest | None) -> str:
    return base.release if base else "no release"


def _chosen(
    found: Found, to: str, why: str, earlier: ReleasedVersion | None, breaking: str | None
) -> ReleasedVersion:
    at = LADDER.index(to)
    begins = earlier.to_state if earlier else LADDER[max(0, at - 1)]
    return ReleasedVersion(
        kind=found.kind,
        name=found.owner.name,
        version=found.version.number,
        from_state=begins,
        to_state=to,
        digest=found.version.digest,
        requests=requests_of(found.version),
        why=why,
        chosen=True,
        breaking=breaking,
    )


def _kept(
    found: Found, earlier: ReleasedVersion | None, environment: Environment, base: Manifest | None
) -> ReleasedVersion | None:
    """What was there before; without a release before, what the index says is served there."""
    state = found.version.state
    if base is not None:
        why = f"it is in {base.release}"
        state = earlier.to_state if earlier else state
    else:
        why = f"it is {state!r}, which {environment.name} serves"
    is_kept = earlier if base is not None else state in environment.serves | environment.testers
    if not is_kept:
        return None
    return ReleasedVersion(
        kind=found.kind,
        name=found.owner.name,
        version=found.version.number,
        from_state=state,
        to_state=state,
        digest=found.version.digest,
        requests=requests_of(found.version),
        why=why,
        chosen=False,
    )
