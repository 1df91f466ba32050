"""One move of a version, planned: whether it may be, and what it changes in the file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import NamedTuple

from actors.errors import Aborted, CodeProblem, FailedPrecondition, NotFound
from actors.index.code import Codebase
from actors.index.entries import (
    CONNECTOR,
    DUMMY,
    ERRORING,
    MUTABLE,
    RELEASE,
    REVERTED,
    Action,
    Connector,
    Index,
    Schemas,
    Version,
    moves,
)
from actors.registry.compatibility import Break, find_breaks
from actors.registry.messages import Move
from actors.registry.version_edit import Values
from actors.schema.source import did_you_mean
from transport.message import Problem


class Transition(NamedTuple):
    """What a move does."""

    name: str
    """Of the function or connector."""
    kind: str
    """FUNCTION or CONNECTOR."""
    version: Version
    """As it is before."""
    values: Values
    """The keys of the version that change."""
    breaks: tuple[Break, ...]
    """The changes that break callers."""

    @property
    def section(self) -> str:
        """Top table of the file: `connectors` or `actions`."""
        return "connectors" if self.kind == CONNECTOR else "actions"

    @property
    def must_load(self) -> bool:
        """Whether its code must load although this environment may not serve it."""
        return "digest" in self.values and self.values["digest"] is not None


def plan_transition(index: Index, move: Move) -> Transition:
    """Return the checked transition; raises NotFound, FailedPrecondition and Aborted as Move describes."""
    is_connector = move.kind == CONNECTOR
    owner = _owner(index.connectors if is_connector else index.actions, move)
    version = _version(owner, move)
    _require_state(version, move)
    found = _breaks(owner, version) if move.to == RELEASE and isinstance(owner, Action) else ()
    if found and move.breaking is None and not move.back:
        raise _breaking(move, found)
    values: dict[str, str | None] = {"state": move.to, **_given(version, move), "by": move.by}
    values["before"] = version.state if move.to == ERRORING else None
    values |= _frozen(index, owner, version, move)
    return Transition(move.name, move.kind, version, values, found)


def _owner(
    owners: Mapping[str, Action] | Mapping[str, Connector], move: Move
) -> Action | Connector:
    owner = owners.get(move.name)
    if owner is None:
        raise NotFound(
            f"the index has no {move.kind} {move.name!r}{did_you_mean(move.name, owners)}"
        )
    return owner


def _version(owner: Action | Connector, move: Move) -> Version:
    found = owner.version(move.version)
    if found is None:
        known = ", ".join(str(each.number) for each in owner.versions) or "none yet"
        raise NotFound(f"{move.name} has no version {move.version}; it has: {known}")
    return found


def _require_state(version: Version, move: Move) -> None:
    if move.expected is not None and move.expected != version.state:
        raise Aborted(
            f"{move.name} version {move.version} is {version.state!r} by now, not {move.expected!r}: look "
            "again (functions.show), then ask again"
        )
    allowed = moves(version)
    if move.back and version.state == REVERTED:
        allowed = (*allowed, RELEASE)
    if move.to not in allowed:
        listed = ", ".join(map(repr, allowed))
        raise FailedPrecondition(
            f"{move.name} version {move.version} cannot go from {version.state!r} to {move.to!r}; from "
            f"there it can go to {listed}"
        )


def _given(version: Version, move: Move) -> dict[str, str | None]:
    """Return the other values that the move gives."""
    values: dict[str, str | None] = {}
    if move.request is not None:
        values["request"] = move.request
    if (move.code or version.code) is None and move.to != DUMMY:
        raise FailedPrecondition(
            f"{move.name} version {move.version} has no code yet: say where it is, "
            "code=package.module:name"
        )
    if move.code is not None and version.state not in MUTABLE:
        raise FailedPrecondition(
            f"{move.name} version {move.version} has left `under dev`: other code is another version"
        )
    if move.code is not None:
        values["code"] = move.code
    return values


def _frozen(
    index: Index, owner: Action | Connector, version: Version, move: Move
) -> dict[str, str | None]:
    """The digests and the schemas of a version that leaves `under dev`; None if it comes back."""
    if move.to in MUTABLE:
        return {"digest": None, "imports": None, "schemas": None}
    if version.digest is not None:
        return {}
    values = _digests(index, version, move)
    if isinstance(owner, Action):
        values["schemas"] = as_text(owner.schemas(version))
    return values


def _digests(index: Index, version: Version, move: Move) -> dict[str, str | None]:
    """Of the file and of what it imports; none for one that is put aside because there is not even that."""
    codebase, reference = Codebase(index.root), move.code or version.code or ""
    try:
        values: dict[str, str | None] = {"digest": codebase.source(reference).digest}
    except CodeProblem:
        if move.to == ERRORING:
            return {"digest": None}
        raise
    if imports := codebase.imports(reference):
        values["imports"] = json.dumps(dict(imports), separators=(",", ":"))
    return values


def as_text(schemas: Schemas) -> str:
    """Return schemas as JSON, in the form that registry.toml keeps."""
    stated = {"params": schemas.params.source, "result": schemas.result.source}
    return json.dumps(stated, ensure_ascii=False, separators=(",", ":"))


def _breaks(action: Action, version: Version) -> tuple[Break, ...]:
    """What callers of the newest release would notice."""
    released = [
        each for each in action.versions if each.state == RELEASE and each.number != version.number
    ]
    return find_breaks(action.schemas(released[0]), action.schemas(version)) if released else ()


def _breaking(move: Move, found: tuple[Break, ...]) -> FailedPrecondition:
    told = "; ".join(f"{each.where}: {each.what}" for each in found[:5])
    return FailedPrecondition(
        f"{move.name} version {move.version} would break callers of the released one: {told}; mend that, "
        'or say why it has to be: breaking="…"',
        details=tuple(Problem(each.where, each.what) for each in found),
    )
