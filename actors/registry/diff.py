"""Describes the differences between two indexes in sentences for operators."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from typing import Any

from actors.index.entries import Action, Connector, Index, MigrationScripts, Version

TOLD = ("summary", "access", "area", "platform", "channel", "effect", "connectors", "instructions")
"""Keys of an action whose change is described by name."""


def describe_changes(old: Index, new: Index) -> tuple[str, ...]:
    """Return a sentence for every difference; none if only comments and spacing differ."""
    return (
        *_members("action", old.actions, new.actions, _action),
        *_members("connector", old.connectors, new.connectors, _connector),
        *_rest(old, new),
        *_storage(old.storage, new.storage),
    )


def text_difference(old: Index, new_text: str) -> str:
    """Return the differences in the format of `diff -u`."""
    if new_text == old.text:
        return ""
    lines = difflib.unified_diff(
        old.text.splitlines(keepends=True),
        new_text.splitlines(keepends=True),
        f"{old.path.name} in force",
        f"{old.path.name} on disk",
    )
    return "".join(lines)


def _members(
    kind: str, old: Mapping[str, Any], new: Mapping[str, Any], differ: Any
) -> Iterator[str]:
    for name in old:
        if name not in new:
            yield f"{kind} {name} is gone"
    for name, each in new.items():
        if name not in old:
            yield f"{kind} {name} is new"
        else:
            yield from (f"{name}: {change}" for change in differ(old[name], each))


def _action(old: Action, new: Action) -> Iterator[str]:
    for key in TOLD:
        before, now = getattr(old, key), getattr(new, key)
        if before != now:
            yield (
                f"{key} is other than it was"
                if key == "instructions"
                else f"{key}: {before} → {now}"
            )
    for key in ("params", "result"):
        if getattr(old, key).source != getattr(new, key).source:
            yield f"the schema of {key} has changed"
    yield from _versions(old.versions, new.versions)


def _connector(old: Connector, new: Connector) -> Iterator[str]:
    if (old.summary, old.not_subscribed) != (new.summary, new.not_subscribed):
        yield "summary or not_subscribed has changed"
    if old.settings.source != new.settings.source:
        yield "the schema of what tenants set has changed"
    if old.room != new.room:
        yield f"room: {dict(old.room._asdict())} → {dict(new.room._asdict())}"
    for name in old.operations.keys() - new.operations.keys():
        yield f"operation {name} is gone"
    for name, operation in new.operations.items():
        before = old.operations.get(name)
        if before is None:
            yield f"operation {name} is new"
        elif (before.params.source, before.result.source) != (
            operation.params.source,
            operation.result.source,
        ):
            yield f"the schema of operation {name} has changed"
    yield from _versions(old.versions, new.versions)


def _versions(old: tuple[Version, ...], new: tuple[Version, ...]) -> Iterator[str]:
    before = {each.number: each for each in old}
    now = {each.number: each for each in new}
    for number in before.keys() - now.keys():
        yield f"version {number} is gone"
    for number, version in now.items():
        if number not in before:
            yield f"version {number} is new: {version.state}, {version.code or 'no code'}"
        else:
            yield from _version(before[number], version)


def _version(old: Version, new: Version) -> Iterator[str]:
    for key in ("state", "code", "request", "digest"):
        before, now = getattr(old, key), getattr(new, key)
        if before != now:
            yield f"version {new.number}: {key} {before} → {now}"
    if old.requests != new.requests:
        before, now = (", ".join(each.requests) or "none" for each in (old, new))
        yield f"version {new.number}: requests {before} → {now}"
    if _sources(old) != _sources(new):
        yield f"version {new.number}: the schemas it was frozen with have been edited"


def _sources(version: Version) -> list[Any]:
    return [each.source for each in version.schemas or ()]


def _rest(old: Index, new: Index) -> Iterator[str]:
    for name, place in new.environments.items():
        if old.environments.get(name) != place:
            yield f"environment {name} serves other states, or takes out sooner or later"
    for name in old.environments.keys() - new.environments.keys():
        yield f"environment {name} is gone"
    if [each.source for each in old.config] != [each.source for each in new.config]:
        yield "the schema of tenants' config has changed"


def _storage(old: MigrationScripts, new: MigrationScripts) -> Iterator[str]:
    if old.migrations != new.migrations:
        yield "storage.migrations is another: it takes effect when the server starts"
        return
    for script in sorted({*new.scripts} - {*old.scripts}):
        yield f"migration {script} is new: migrations.apply runs it, or the next start"
    for script in sorted({*old.scripts} - {*new.scripts}):
        yield f"migration {script} is gone: tenants' databases that have it will not be opened"
