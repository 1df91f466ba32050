"""The index of a release: its text with nothing but what the environment is to serve."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Collection, Iterator
from typing import Any

from actors.index.code import Codebase
from actors.index.entries import CONNECTOR, DUMMY, Action, Environment, Index, Version
from actors.index.parser import parse_index
from actors.registry.transitions import as_text
from actors.registry.version_edit import edit_index, find_tables
from scripts.releasing.build.choice import Found, versions_of
from scripts.releasing.bundle import ReleasedVersion
from scripts.releasing.problem import ReleaseProblem

SECTIONS = ("actions", "connectors")


def filtered(index: Index, versions: Collection[ReleasedVersion], place: Environment) -> Index:
    """Return the index of a release, every version in its first state and frozen.

    ReleaseProblem for a version whose file is not what it was when it left `under dev`.
    """
    kept = {(each.kind, each.name, each.version): each for each in versions}
    actions = _kept_actions(index, kept, place)
    connectors = {*index.connectors}
    text = "".join(
        table for _, table in find_tables(index.text) if _is_kept(table, actions, connectors, kept)
    )
    result = parse_index(index.path, text)
    _require_only(result, kept)
    codebase = Codebase(index.root)
    for each in list(versions_of(result)):
        result = _frozen(result, each, kept[each.key].from_state, codebase)
    return result


def _kept_actions(
    index: Index, kept: Collection[tuple[str, str, int]], place: Environment
) -> set[str]:
    """Actions with a released version, those that word an error, and dummies where they are served."""
    names = {name for kind, name, _ in kept if kind != CONNECTOR}
    names |= {each.not_subscribed for each in index.connectors.values() if each.not_subscribed}
    if DUMMY in place.serves:
        names |= {each.name for each in index.actions.values() if not each.versions}
    return names


def _is_kept(
    table: str,
    actions: Collection[str],
    connectors: Collection[str],
    kept: Collection[tuple[str, str, int]],
) -> bool:
    """Whether a table of the index, read by itself, is part of the release."""
    content = tomllib.loads(table)
    for section, owner, inner in _owners(content):
        if owner not in (actions if section == "actions" else connectors):
            return False
        kind = CONNECTOR if section == "connectors" else "function"
        for version in inner.get("versions", ()):
            if (kind, owner, version.get("version")) not in kept:
                return False
    return True


def _owners(content: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for section in SECTIONS:
        for owner, inner in content.get(section, {}).items():
            if isinstance(inner, dict):
                yield section, owner, inner


def _require_only(index: Index, kept: Collection[tuple[str, str, int]]) -> None:
    """Raise ReleaseProblem if the text could not be divided: tables are kept or left out as a whole."""
    there = {each.key for each in versions_of(index)}
    if other := sorted(there.symmetric_difference(kept)):
        _, name, number = other[0]
        raise ReleaseProblem(
            f"version {number} of {name} stands within another table of {index.path.name}: give each version "
            f'a table of its own, [[actions."{name}".versions]]'
        )


def _frozen(index: Index, found: Found, state: str, codebase: Codebase) -> Index:
    values: dict[str, str | None] = {"state": state} if found.version.state != state else {}
    values |= _digests(found, codebase)
    if not values:
        return index
    section = "connectors" if found.kind == CONNECTOR else "actions"
    return edit_index(index, section, found.owner.name, found.version.number, values)


def _digests(found: Found, codebase: Codebase) -> dict[str, str | None]:
    """What a version is frozen with, where it is not yet: its file, what it imports, its schemas."""
    version = found.version
    if version.code is None:
        return {}
    digest = codebase.source(version.code).digest
    if version.digest is not None:
        _require_same(found, version, digest, codebase)
        return {}
    values: dict[str, str | None] = {"digest": digest}
    if imports := codebase.imports(version.code):
        values["imports"] = json.dumps(dict(imports), separators=(",", ":"))
    if isinstance(found.owner, Action):
        values["schemas"] = as_text(found.owner.schemas(version))
    return values


def _require_same(found: Found, version: Version, digest: str, codebase: Codebase) -> None:
    assert version.code is not None
    now = codebase.imports(version.code)
    other = [name for name, was in (version.imports or {}).items() if now.get(name) != was]
    if digest != version.digest:
        other = [version.code.partition(":")[0], *other]
    if other:
        raise ReleaseProblem(
            f"{found.label}: {', '.join(other)} is not what it was when the version left `under dev`: put it "
            "back, and write the change as a new version"
        )
