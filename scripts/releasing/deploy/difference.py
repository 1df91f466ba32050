"""What a release would change in a running environment, and why it may not."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from actors.host.released import current
from actors.index.entries import MOVES, RELEASE, REVERTED
from scripts.releasing.bundle import Manifest, ReleasedVersion
from scripts.releasing.deploy.place import Place
from scripts.releasing.deploy.staging import manifest_in
from scripts.releasing.problem import ReleaseProblem

States = Mapping[tuple[str, str, int], str]

MOST_MOVES = 200
"""Of one release, as functions.release takes them."""


class Change(NamedTuple):
    """What becomes of one chosen version."""

    kind: str
    name: str
    version: int
    origin: str
    """Its state before; of a version that is new here, the state that it comes with."""
    to: str
    is_new: bool
    breaking: str | None
    requests: tuple[str, ...]

    @property
    def label(self) -> str:
        """`orders.place@2`."""
        return f"{self.name}@{self.version}"

    @property
    def is_move(self) -> bool:
        """Whether it takes a move; what is served under its first state does not."""
        return self.origin != self.to

    def as_map(self) -> dict[str, Any]:
        """Return it for the journal."""
        return {**self._asdict(), "requests": list(self.requests)}


def change_of(stated: Mapping[str, Any]) -> Change:
    """Return a change that the journal has."""
    return Change(**{**stated, "requests": tuple(stated["requests"])})


def require_newer(place: Place, manifest: Manifest) -> None:
    """Raise ReleaseProblem if this release or a later one is served, or one of another index."""
    name = current(place.data)
    if name is None:
        return
    served: Mapping[str, Any] = manifest_in(place.releases / name)
    label = f"{served['name']}-{served['sequence']}"
    if served["name"] != manifest.name:
        raise ReleaseProblem(
            f"{manifest.release} is foreign: {place.environment} serves {label}, of another index"
        )
    if served["sequence"] >= manifest.sequence:
        raise ReleaseProblem(
            f"{manifest.release} is older than what {place.environment} serves, {label}, or the same: "
            "rollback goes back to the one before"
        )


def changes_of(place: Place, manifest: Manifest, states: States) -> list[Change]:
    """Return what becomes of the chosen versions; ReleaseProblem names all that cannot be done."""
    changes = [_change(each, states) for each in manifest.versions if each.chosen]
    problems = [
        *_missing(place, manifest, states),
        *(_impossible(each) for each in changes if not _is_possible(each)),
        *_not_installed(manifest),
    ]
    if len(changes) > MOST_MOVES:
        problems.append(f"it moves {len(changes)} versions, of at most {MOST_MOVES}")
    if problems:
        raise ReleaseProblem(
            f"{manifest.release} cannot be deployed to {place.environment}: {'; '.join(problems)}"
        )
    return changes


def _change(each: ReleasedVersion, states: States) -> Change:
    known = states.get((each.kind, each.name, each.version))
    return Change(
        each.kind,
        each.name,
        each.version,
        known or each.from_state,
        each.to_state,
        known is None,
        each.breaking,
        each.requests,
    )


def _missing(place: Place, manifest: Manifest, states: States) -> Iterator[str]:
    """Versions that are served, and that the release would take away."""
    there = {(each.kind, each.name, each.version) for each in manifest.versions}
    for (kind, name, version), state in states.items():
        if state in place.served and (kind, name, version) not in there:
            yield (
                f"it lacks {name}@{version}, which is {state!r} here: build it with --base, or move that "
                f"version to {REVERTED!r} first"
            )


def _is_possible(change: Change) -> bool:
    takes_up_again = (change.origin, change.to) == (REVERTED, RELEASE)
    return not change.is_move or change.to in MOVES[change.origin] or takes_up_again


def _impossible(change: Change) -> str:
    listed = ", ".join(map(repr, MOVES[change.origin]))
    return f"{change.label} is {change.origin!r} here and cannot become {change.to!r}; it can become {listed}"


def _not_installed(manifest: Manifest) -> Iterator[str]:
    for name, version in sorted(manifest.distributions.items()):
        try:
            importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            yield f"it needs {name} ({version} when it was built), which is not installed here"


def told(manifest: Manifest, changes: list[Change], folder: Path) -> Iterator[str]:
    """Yield the difference in lines for a person."""
    commit = manifest.commit
    by = f", commit {commit['id'][:12]} by {commit['by']}" if commit else ", from no git commit"
    yield f"{manifest.release} for {manifest.environment}{by}"
    for each in changes:
        new = "new, " if each.is_new else ""
        asked = f" ({', '.join(each.requests)})" if each.requests else ""
        yield f"  {each.label}: {new}{each.origin} → {each.to}{asked}"
    yield from (f"  breaks callers: {each}" for each in manifest.breaks)
    if manifest.migrations:
        yield f"  migrations up to {manifest.migrations[-1]['file']}"
    yield f"  in {folder}"
