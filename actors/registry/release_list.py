"""Reads what was deployed to this environment, from the folder of releases."""

from __future__ import annotations

from pathlib import Path

from actors.errors import Unavailable
from actors.host.released import FOLDER, contents_of, deployed, read_journal
from actors.registry.messages import ListReleases, Releases


def list_releases(data: Path, message: ListReleases) -> Releases:
    """Return what ListReleases describes; raises Unavailable."""
    try:
        found, journal = deployed(data), read_journal(data)
        if message.release is None:
            return Releases(found, journal)
        found = [each for each in found if each["release"] == message.release]
        contents = contents_of(data, found[0]["folder"]) if found else None
        return Releases(found, journal, contents)
    except (OSError, ValueError, KeyError) as error:
        raise Unavailable(
            f"{data / FOLDER} cannot be read ({type(error).__name__}: {error}): see to the disk, or restore "
            "it from a copy"
        ) from error
