"""Where each version of an index stands: in the index's own file, or in a file with the environment's data.

An index is the same in every environment; where a version stands is a fact of one. Kept with the data, a move
leaves the checkout as it is, and another checkout moves nothing.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from actors.errors import IndexProblem, SettingsError, Unavailable
from actors.host.disk import os_error_text
from actors.host.files import write_private
from actors.host.released import released_index
from actors.index.entries import MUTABLE, Action, Connector, Index, Version
from actors.index.parser import parse_version
from actors.registry.index_file import IndexFile
from actors.registry.registry_file import (
    Unsettled,
    digest_of,
    modified_externally,
    replace_if_unchanged,
)
from actors.registry.transitions import Transition, as_text
from actors.registry.version_edit import edit_index, with_version
from actors.settings import Settings

FILE = "states.json"
"""In the data directory, where the environment keeps states."""

FORMAT = 1

MOST_HISTORY = 10_000
"""Moves kept in the file; the audit log has all of them."""

ADVICE = "restore it from a copy, or start once with --adopt to begin from the states in the index"

Entries = dict[str, dict[str, dict[str, Any]]]
"""By section and name, then by number: what a version is stated with."""


class StatesPlace(NamedTuple):
    """The environment that an index is read for."""

    registry: Path
    name: str
    serves: frozenset[str] = frozenset()
    """States that are served; empty for those that the index states."""
    testers: frozenset[str] = frozenset()

    def read(self, file: IndexFile) -> Index:
        """Return the index; raises IndexProblem."""
        index = file.read(self.registry)
        if not self.serves or self.name not in index.environments:
            return index
        usual = index.environments[self.name]
        own = usual._replace(serves=self.serves, testers=self.testers)
        return index._replace(environments=MappingProxyType({**index.environments, self.name: own}))


class StatesInIndex:
    """States as the index's file has them: a move edits the file."""

    def __init__(self, place: StatesPlace) -> None:
        self._place = place
        self._index_file = IndexFile()

    def read(self) -> Index:
        """Return the index with each version as it stands here; raises IndexProblem."""
        return self._place.read(self._index_file)

    def notes(self) -> list[str]:
        """Return what the file states and this environment does not heed, in sentences."""
        return []

    def edited(self, index: Index, plan: Transition) -> Index:
        """Return the index after a move; raises IndexProblem."""
        return edit_index(index, plan.section, plan.name, plan.version.number, plan.values)

    def stamp(self, index: Index, file_digest: str) -> str:
        """Return a digest that is another one after a move."""
        del index
        return file_digest

    def is_current(self, file_digest: str) -> bool:
        """Return whether the file is what was read; raises Unavailable."""
        return digest_of(self._place.registry) == file_digest

    def require_current(self, file_digest: str) -> None:
        """Raise Aborted if a person has edited the file since it was read."""
        if not self.is_current(file_digest):
            raise modified_externally(self._place.registry)

    def begin(self) -> Index:
        """Return the index that a server starts with, its states kept; raises as `read` and `keep` do."""
        return self.read()

    def is_kept(self, index: Index) -> bool:
        """Return whether the states of this index are where they are kept, and no others."""
        del index
        return True

    def keep(self, index: Index, file_digest: str, *, alone: bool = False) -> None:
        """Write the states, synced; raises what replace_if_unchanged does.

        `alone` drops those of versions that the index has no more.
        """
        del alone
        replace_if_unchanged(self._place.registry, index.text, file_digest)


class StatesWithData(StatesInIndex):
    """States in a file beside the databases; a version that is seen for the first time brings its own."""

    def __init__(self, place: StatesPlace, data: Path, adopt: bool = False) -> None:
        """`adopt` takes over a file of another environment, and begins anew where there is no sound one."""
        super().__init__(place)
        self._data = data
        self._file = data / FILE
        self._adopt = adopt

    def read(self) -> Index:
        """Return the index with each version as it stands here.

        SettingsError, too, if the file is not as it was written, or of another environment.
        """
        return self._overlaid(self._stated(), self._content()["versions"])

    def _stated(self) -> Index:
        """The index as it is written: that of the release which was deployed to the data, if one was."""
        released = released_index(self._data)
        place = self._place if released is None else self._place._replace(registry=released)
        return place.read(self._index_file)

    def begin(self) -> Index:
        """Return the index that a server starts with; what it sees for the first time is kept.

        IndexProblem, too, if a version that is served here is none of the index, as in an older checkout: a
        reload would have shown that to a person, a start does not.
        """
        index = self.read()
        kept = self._content()["versions"]
        self._require_described(index, kept)
        if _merged(kept, _entries(index)) != kept:
            self.keep(index, index.digest)
        return index

    def notes(self) -> list[str]:
        """Return the versions whose state in the index differs, in sentences."""
        stated, here = self._stated(), self.read()
        return [
            f"{name} version {one.number}: the index says {one.state!r}; here it stays {other.state!r}"
            for (_, name, one), (_, _, other) in zip(
                _versions(stated), _versions(here), strict=True
            )
            if one.state != other.state
        ]

    def edited(self, index: Index, plan: Transition) -> Index:
        """Return the index after a move; its text is as before."""
        stated = {**_stated(plan.version), **plan.values}
        stated = {key: value for key, value in stated.items() if value is not None}
        number = {"version": plan.version.number}
        return self._with(index, plan.section, plan.name, {**number, **stated})

    def stamp(self, index: Index, file_digest: str) -> str:
        """Return a digest of all states."""
        del file_digest
        return _digest(_entries(index))

    def is_current(self, file_digest: str) -> bool:
        """Return True: moves do not touch the index's file."""
        del file_digest
        return True

    def is_kept(self, index: Index) -> bool:
        """Return whether the file has the states of this index, and no others."""
        return bool(self._content()["versions"] == _entries(index))

    def keep(self, index: Index, file_digest: str, *, alone: bool = False) -> None:
        """Replace the file, synced; Unavailable if nothing was changed, Unsettled if that is not known."""
        del file_digest
        before, entries = self._content(), _entries(index)
        text = _sealed(
            {
                "format": FORMAT,
                "environment": self._place.name,
                "versions": entries if alone else _merged(before["versions"], entries),
                "history": [*before["history"], *_moves(before["versions"], index)][-MOST_HISTORY:],
            }
        )
        try:
            write_private(self._file, text)
        except OSError as error:
            raise self._unwritten(text, error) from error

    def _unwritten(self, text: str, error: OSError) -> Unavailable:
        try:
            is_there = self._file.read_text(encoding="utf-8") == text
        except OSError:
            is_there = False
        if is_there:
            return Unsettled(
                f"{self._file} was changed, and it is not known whether that is on disk "
                f"({os_error_text(error)}): see to the disk, then ask again with the same id",
                retry_after_ms=5_000,
            )
        return Unavailable(
            f"{self._file} cannot be written ({os_error_text(error)}), so nothing was changed: see to the "
            "disk, then ask again",
            retry_after_ms=5_000,
        )

    def _content(self) -> dict[str, Any]:
        """What the file has; nothing if there is none yet. SettingsError if it is not as it was written."""
        try:
            content: dict[str, Any] = json.loads(self._file.read_text(encoding="utf-8"))
            seal = content.pop("sha256")
            is_whole = seal == _digest(content) and content["format"] == FORMAT
        except FileNotFoundError:
            return {"versions": {}, "history": []}
        except OSError as error:
            raise SettingsError(f"{self._file} cannot be read: {os_error_text(error)}") from None
        except (ValueError, TypeError, KeyError, AttributeError):
            is_whole, content = False, {}
        if not is_whole and self._adopt:
            return {"versions": {}, "history": []}
        if not is_whole:
            raise SettingsError(
                f"{self._file} is not as the server wrote it, and says where each version stands: {ADVICE}"
            )
        if content["environment"] != self._place.name and not self._adopt:
            raise SettingsError(
                f"{self._file} has the states of {content['environment']}, and this is "
                f"{self._place.name}: give the data of this environment with --data, or --adopt to take "
                "them over"
            )
        return content

    def _overlaid(self, index: Index, kept: Entries) -> Index:
        for section, name, version in list(_versions(index)):
            entry = kept.get(_owner(section, name), {}).get(str(version.number))
            if entry is None:
                continue
            code = {"code": version.code or entry.get("code")}
            own = {**entry, **code} if entry["state"] in MUTABLE else entry
            own = {**own, "requests": list(version.requests)}
            stated = {key: value for key, value in own.items() if value is not None}
            index = self._with(index, section, name, {"version": version.number, **stated})
        return index

    def _with(self, index: Index, section: str, name: str, stated: Mapping[str, Any]) -> Index:
        version = parse_version(index, name, stated)
        if version is None:
            raise IndexProblem(
                f"{self._file}: version {stated['version']} of {name} cannot be {stated}: {ADVICE}"
            )
        return with_version(index, section, name, version)

    def _require_described(self, index: Index, kept: Entries) -> None:
        """Raise IndexProblem if this checkout lacks a version that is served here before all others."""
        place = index.environment(self._place.name)
        newest = {
            _owner(section, name): max((each.number for each in owner.versions), default=0)
            for section, name, owner in _owners(index)
        }
        for owner, versions in kept.items():
            for number, entry in versions.items():
                if entry["state"] in place.serves and int(number) > newest.get(owner, 0):
                    name = owner.partition(".")[2]
                    raise IndexProblem(
                        f"{index.path}: does not describe version {number} of {name}, which is "
                        f"{entry['state']!r} in {place.name}: is it an older checkout? Update it, or move "
                        "the version to 'reverted' first"
                    )


def states_of(settings: Settings) -> StatesInIndex:
    """Return where the states of a server's versions are kept."""
    place = StatesPlace(
        settings.registry,
        settings.environment,
        frozenset(settings.serves),
        frozenset(settings.testers),
    )
    if settings.states == "data":
        return StatesWithData(place, settings.data, settings.adopt)
    return StatesInIndex(place)


def _owners(index: Index) -> Iterator[tuple[str, str, Action | Connector]]:
    for action in index.actions.values():
        yield "actions", action.name, action
    for connector in index.connectors.values():
        yield "connectors", connector.name, connector


def _versions(index: Index) -> Iterator[tuple[str, str, Version]]:
    for section, name, owner in _owners(index):
        for version in owner.versions:
            yield section, name, version


def _owner(section: str, name: str) -> str:
    return f"{section}.{name}"


def _stated(version: Version) -> dict[str, Any]:
    """What a table of the index would state of a version, without its number."""
    stated = version._asdict()
    del stated["number"]
    stated["requests"] = list(version.requests) or None
    if version.imports is not None:
        stated["imports"] = json.dumps(dict(version.imports), separators=(",", ":"))
    if version.schemas is not None:
        stated["schemas"] = as_text(version.schemas)
    return {key: value for key, value in stated.items() if value is not None}


def _entries(index: Index) -> Entries:
    found: Entries = {}
    for section, name, version in _versions(index):
        stated = _stated(version)
        stated.pop("requests", None)  # a fact of the index, the same in every environment
        found.setdefault(_owner(section, name), {})[str(version.number)] = stated
    return found


def _merged(before: Entries, after: Entries) -> Entries:
    """Versions that the index no longer has stay as they were."""
    return {
        owner: {**before.get(owner, {}), **after.get(owner, {})} for owner in {**before, **after}
    }


def _moves(before: Entries, index: Index) -> Iterator[dict[str, Any]]:
    """What the history gets: every version that stands elsewhere than before, or is new here."""
    at = datetime.now(UTC).isoformat(timespec="milliseconds")
    for owner, versions in _entries(index).items():
        for number, entry in versions.items():
            was = before.get(owner, {}).get(number, {}).get("state")
            if was != entry["state"]:
                move = {"at": at, "of": owner, "version": int(number), "from": was}
                yield {**move, "to": entry["state"], "by": entry.get("by")}


def _digest(content: Mapping[str, Any]) -> str:
    return sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _sealed(content: dict[str, Any]) -> str:
    return json.dumps({**content, "sha256": _digest(content)}, indent=1) + "\n"
