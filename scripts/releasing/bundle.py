"""A bundle: one zip with the code, the index, the migrations and the documents of a release.

The same content is the same file, byte for byte: members are sorted and stored uncompressed, and their dates,
modes and owners are fixed.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping
from hashlib import sha256
from pathlib import PurePosixPath
from typing import Any, NamedTuple

from scripts.releasing.problem import ReleaseProblem

FORMAT = 1

SUFFIX = ".tenantry.zip"

MANIFEST, INDEX, NOTES = "manifest.json", "registry.toml", "RELEASE-NOTES.md"

CODE, MIGRATIONS = "code/", "migrations/"
"""Folders in a bundle: the folder of the index, and the folder of its migrations."""

MOST_BYTES = 256 * 1024 * 1024
"""Bytes of a bundle at most."""

MOST_FILES = 20_000

_EPOCH = (1980, 1, 1, 0, 0, 0)
_MODE = 0o100644 << 16
_UNIX = 3


class ReleasedVersion(NamedTuple):
    """One version of a function or connector in a release."""

    kind: str
    """`function` or `connector`."""
    name: str
    version: int
    from_state: str
    """The state in which an environment sees it for the first time."""
    to_state: str
    """The state that the release gives it."""
    digest: str | None
    """SHA-256 of its file in hexadecimal; None for a dummy and for what comes with the engine."""
    requests: tuple[str, ...]
    why: str
    """Why it is in the release, in words."""
    chosen: bool = False
    """Whether it was asked for; the others were there before."""
    breaking: str | None = None
    """Why callers have to put up with a change that breaks them."""

    @property
    def label(self) -> str:
        """`contacts.add@2`."""
        return f"{self.name}@{self.version}"


class Manifest(NamedTuple):
    """What a bundle says of itself."""

    name: str
    """Of the index."""
    sequence: int
    """From 1 on; a later release has a higher one."""
    environment: str
    base: str | None
    """SHA-256 of the bundle that it follows, in hexadecimal; None for the first."""
    commit: Mapping[str, Any] | None
    """`id`, `date`, `by` and `clean` of the git commit; None outside git."""
    versions: tuple[ReleasedVersion, ...]
    migrations_folder: str | None
    """Below the folder of the index; None if it has no migrations."""
    migrations: tuple[Mapping[str, Any], ...]
    """`revision`, `file` and `sha256` of each, from the first to the head."""
    files: tuple[Mapping[str, Any], ...]
    """`path`, `sha256` and `size` of each member but the manifest."""
    breaks: tuple[str, ...]
    """What callers would notice, in sentences."""
    distributions: Mapping[str, str]
    """Versions of installed distributions that the code imports, by name."""
    provenance: Mapping[str, Any]
    """A SLSA v1 statement."""

    @property
    def release(self) -> str:
        """`shop-7`."""
        return f"{self.name}-{self.sequence}"

    @property
    def file(self) -> str:
        """Name of the bundle's file."""
        return f"{self.release}{SUFFIX}"

    def as_bytes(self) -> bytes:
        """Return compact JSON with sorted keys."""
        stated = {**self._asdict(), "versions": [each._asdict() for each in self.versions]}
        return as_json({"format": FORMAT, **stated})


class Bundle(NamedTuple):
    """A bundle that was read and found whole."""

    manifest: Manifest
    files: Mapping[str, bytes]
    """Content by path, without the manifest."""
    digest: str
    """SHA-256 of the file, in hexadecimal."""


def as_json(content: Any) -> bytes:
    """Return compact JSON with sorted keys."""
    return json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def listed(files: Mapping[str, bytes]) -> tuple[dict[str, Any], ...]:
    """Return `path`, `sha256` and `size` of each file, sorted by path."""
    return tuple(
        {"path": path, "sha256": sha256(content).hexdigest(), "size": len(content)}
        for path, content in sorted(files.items())
    )


def packed(manifest: Manifest, files: Mapping[str, bytes]) -> bytes:
    """Return the bundle's file: the manifest first, then the files by path."""
    into = io.BytesIO()
    with zipfile.ZipFile(into, "w", zipfile.ZIP_STORED) as archive:
        for path, content in [(MANIFEST, manifest.as_bytes()), *sorted(files.items())]:
            member = zipfile.ZipInfo(path, _EPOCH)
            member.external_attr = _MODE
            member.create_system = _UNIX
            archive.writestr(member, content)
    return into.getvalue()


def unpacked(content: bytes, called: str) -> Bundle:
    """Read a bundle and check it against its manifest; ReleaseProblem if it is not whole.

    `called` names it in messages. Nothing is written, and no path leads out of a folder.
    """
    if len(content) > MOST_BYTES:
        raise ReleaseProblem(f"{called} has {len(content)} bytes, of at most {MOST_BYTES}")
    try:
        members = _members(content)
        manifest = _manifest(members.pop(MANIFEST))
    except (zipfile.BadZipFile, KeyError, ValueError, TypeError, NotImplementedError) as error:
        raise ReleaseProblem(f"{called} is no bundle: {type(error).__name__}: {error}") from None
    if listed(members) != manifest.files:
        raise ReleaseProblem(
            f"{called} does not hold the files that its manifest lists: it was changed after it was built"
        )
    return Bundle(manifest, members, sha256(content).hexdigest())


def _members(content: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        found = archive.infolist()
        names = [each.filename for each in found]
        if len(names) > MOST_FILES or len(set(names)) < len(names):
            raise ValueError(f"{len(names)} members, some of them twice or too many")
        if sum(each.file_size for each in found) > MOST_BYTES:
            raise ValueError(f"its members have more than {MOST_BYTES} bytes")
        for name in names:
            _require_inside(name)
        return {each.filename: archive.read(each) for each in found}


def _require_inside(name: str) -> None:
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or "\\" in name or name.endswith("/"):
        raise ValueError(f"{name!r} would lead out of the folder")
    if str(path) != name:
        raise ValueError(f"{name!r} is not written as a path")


def _manifest(content: bytes) -> Manifest:
    stated = json.loads(content)
    if stated.pop("format") != FORMAT:
        raise ValueError(f"its format is not {FORMAT}: this Tenantry is older or newer than it")
    versions = tuple(
        ReleasedVersion(**{**each, "requests": tuple(each["requests"])})
        for each in stated.pop("versions")
    )
    lists: dict[str, Any] = {
        key: tuple(stated.pop(key)) for key in ("migrations", "files", "breaks")
    }
    manifest = Manifest(versions=versions, **lists, **stated)
    if not isinstance(manifest.sequence, int) or manifest.sequence < 1:
        raise ValueError("its sequence is no whole number from 1 on")
    return manifest
