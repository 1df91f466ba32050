"""The release that an environment serves: a folder of the data directory, and the journal of its deploy.

`release/N` has the index of release N and its code; `release/current` is a link to the one that is served,
and replacing it is the whole of a switch. A deploy that was cut short is settled here when a server starts:
all is as it was before, unless the versions have been moved already.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from actors.host.disk import sync
from actors.host.files import write_private

FOLDER = "release"
"""In the data directory."""

CURRENT = "current"
JOURNAL = "journal.json"
LOCK = "journal.lock"
INDEX = "registry.toml"
STATES = "states.json"
RECORD = "deployed.json"
"""Beside a release: how it came."""

MOST_RELEASES = 200
"""That are listed."""

ENDED = frozenset({"done", "back"})
"""Steps of a journal that leave nothing to settle."""


class DeployUnderWay(Exception):
    """Another deploy is under way."""


def released_index(data: Path) -> Path | None:
    """Return the index of the release that is served; None if there is none."""
    index = data / FOLDER / CURRENT / INDEX
    return index if index.is_file() else None


def folder_of(path: Path) -> Path:
    """Return the folder where code and migrations of an index resolve.

    The folder of a release is named by its link, which a deploy replaces: modules keep their paths.
    """
    if path.parent.name == CURRENT and path.parent.is_symlink():
        return path.parent.absolute()
    return path.resolve().parent


def current(data: Path) -> str | None:
    """Return the name of the folder that the link leads to; None if there is no link."""
    try:
        return (data / FOLDER / CURRENT).readlink().name
    except (FileNotFoundError, NotADirectoryError):
        return None


def switch(data: Path, to: str | None) -> None:
    """Have the link lead to another folder, or remove it; in one step, and on disk. OSError."""
    folder = data / FOLDER
    link, fresh = folder / CURRENT, folder / f".{CURRENT}.new"
    if to is None:
        link.unlink(missing_ok=True)
    else:
        fresh.unlink(missing_ok=True)
        fresh.symlink_to(to)
        fresh.replace(link)
    sync(folder)


@contextmanager
def deploying(data: Path) -> Iterator[None]:
    """Keep other deploys away meanwhile; DeployUnderWay if there is one; that ends with its process."""
    folder = data / FOLDER
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise DeployUnderWay from None
        yield
    finally:
        os.close(descriptor)


def read_journal(data: Path) -> dict[str, Any] | None:
    """Return the journal of the latest deploy; None if there was none. ValueError if it is no JSON."""
    return _json(data / FOLDER / JOURNAL)


def _json(file: Path) -> dict[str, Any] | None:
    try:
        stated: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return None
    return stated


def write_journal(data: Path, journal: Mapping[str, Any]) -> None:
    """Replace the journal, synced; OSError."""
    write_private(data / FOLDER / JOURNAL, json.dumps(journal, indent=1) + "\n")


def deployed(data: Path) -> list[dict[str, Any]]:
    """Return what was written down of each release that was deployed, the newest first; OSError, ValueError.

    `served` is whether it is the one that is served.
    """
    now = current(data)
    folders = [each for each in (data / FOLDER).glob("*") if each.name.isdigit()]
    newest = sorted(folders, key=lambda each: -int(each.name))[:MOST_RELEASES]
    return [
        {**record, "served": each.name == now}
        for each in newest
        if (record := record_of(data, each.name)) is not None
    ]


def record_of(data: Path, folder: str) -> dict[str, Any] | None:
    """Return what was written down of a release when it was deployed; None if it was not."""
    return _json(data / FOLDER / folder / RECORD)


def write_record(data: Path, record: Mapping[str, Any]) -> None:
    """Write down how a release came, beside it; OSError."""
    file = data / FOLDER / record["folder"] / RECORD
    write_private(file, json.dumps(record, indent=1) + "\n")


def contents_of(data: Path, folder: str) -> tuple[dict[str, Any], str]:
    """Return the manifest and the notes of a release that was laid out; OSError, ValueError."""
    place = data / FOLDER / folder
    manifest = json.loads((place / "manifest.json").read_text(encoding="utf-8"))
    return manifest, (place / "RELEASE-NOTES.md").read_text(encoding="utf-8")


def settle(data: Path) -> str | None:
    """Settle a deploy that was cut short, while no server runs; return what was done, in words.

    Nothing is done while the deploy still runs. OSError, ValueError.
    """
    if not (data / FOLDER / JOURNAL).exists():
        return None
    try:
        with deploying(data):
            return _settled(data)
    except DeployUnderWay:
        return None


def _settled(data: Path) -> str | None:
    journal = read_journal(data)
    if journal is None or journal["step"] in ENDED:
        return None
    release, before = journal["release"], journal["before"]
    if current(data) == journal["folder"] and _has_moved(data, journal["moves"]):
        write_journal(data, {**journal, "step": "done", "settled": "at a start"})
        return (
            f"the deploy of {release} was cut short after its versions had been moved: it is served"
        )
    if current(data) != before:
        switch(data, before)
    write_journal(data, {**journal, "step": "back", "settled": "at a start"})
    return f"the deploy of {release} was cut short: what was served before is served"


def _has_moved(data: Path, moves: list[Mapping[str, Any]]) -> bool:
    """Whether every version is in the state that the release gives it."""
    try:
        versions = json.loads((data / STATES).read_text(encoding="utf-8"))["versions"]
    except FileNotFoundError:
        return False
    return all(
        versions.get(f"{each['kind']}s".replace("functions", "actions") + f".{each['name']}", {})
        .get(str(each["version"]), {})
        .get("state")
        == each["to"]
        for each in moves
    )
