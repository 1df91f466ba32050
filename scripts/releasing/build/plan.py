"""What a build would make: the versions, their files, the documents, and the manifest of all."""

from __future__ import annotations

import importlib.metadata
import json
from collections.abc import Iterator, Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

from actors.environments import read_profiles
from actors.errors import CodeProblem
from actors.index.entries import FUNCTION, RELEASE, Environment, Index
from actors.index.parser import read_served_index
from actors.registry.compatibility import find_breaks
from actors.registry.version_edit import edit_index
from scripts.releasing.build.choice import Found, Wanted, released, versions_of
from scripts.releasing.build.commit import commit_of, folder_in_repository
from scripts.releasing.build.filtered import filtered
from scripts.releasing.build.notes import notes
from scripts.releasing.build.sources import Folder, Sources
from scripts.releasing.build.trials import Trials, find_trials
from scripts.releasing.bundle import (
    CODE,
    INDEX,
    MIGRATIONS,
    NOTES,
    Bundle,
    Manifest,
    ReleasedVersion,
    as_json,
    listed,
)
from scripts.releasing.problem import ReleaseProblem

UNNAMED = "release"
"""Name of an index at the top of its repository; the name of that folder is no fact of a commit."""

BUILD_TYPE = "urn:tenantry:build:1"

NOT_CODE = ("__pycache__",)


class Request(NamedTuple):
    """One build, as it is asked for."""

    registry: Path
    environment: str
    wanted: Wanted
    base: Bundle | None = None
    """The release that it follows in that environment."""
    name: str | None = None
    sequence: int | None = None
    texts: Mapping[str, str] = {}
    """Texts of requests by id, for the notes."""


class Plan(NamedTuple):
    """All that a bundle is made of."""

    source: Index
    """The whole index, from which it is built."""
    manifest: Manifest
    files: Mapping[str, bytes]
    trials: Trials


def planned(request: Request) -> Plan:
    """Return what would be built; nothing is written. ReleaseProblem, IndexProblem, CodeProblem."""
    index = read_served_index(request.registry)
    place = _place(index, request)
    base = request.base.manifest if request.base else None
    versions = released(index, place, request.wanted, base)
    if not versions:
        raise ReleaseProblem(f"nothing of this index is for {place.name}: name what to release")
    chosen = [each for each in versions if each.chosen]
    breaks = tuple(_breaks(index, versions))
    if breaks and request.wanted.breaking is None:
        raise ReleaseProblem(
            f"callers would break: {'; '.join(breaks)}; mend that, or say why it has to be: --breaking '…'"
        )
    found = filtered(index, versions, place)
    versions = _with_digests(versions, found)
    if base is not None:
        _require_unedited(versions, base)
    sources = _sources(found)
    migrations = _migrations(found, base)
    trials = find_trials(index, _found(index, chosen))
    manifest = _manifest(request, found, versions, (sources, migrations, breaks))
    manifest = manifest._replace(provenance=_provenance(request, index, manifest, trials))
    files = dict(_files(request, found, sources, manifest))
    return Plan(
        index,
        manifest._replace(files=listed(files), provenance=_subjects(manifest, files)),
        files,
        trials,
    )


def _place(index: Index, request: Request) -> Environment:
    """The environment with the states of its profile."""
    if request.environment not in index.environments:
        raise ReleaseProblem(
            f"there is no environment {request.environment!r}; there are {', '.join(index.environments)}"
        )
    place = index.environments[request.environment]
    profile = read_profiles(request.registry.absolute()).get(place.name, {})
    base = request.base.manifest if request.base else None
    if base is not None and base.environment != place.name:
        raise ReleaseProblem(f"{base.release} is for {base.environment}, not for {place.name}")
    return place._replace(
        serves=frozenset(profile.get("serves", place.serves)),
        testers=frozenset(profile.get("testers", place.testers)),
    )


def _found(index: Index, versions: list[ReleasedVersion]) -> list[Found]:
    keys = {(each.kind, each.name, each.version) for each in versions}
    return [each for each in versions_of(index) if each.key in keys]


def _breaks(index: Index, versions: list[ReleasedVersion]) -> Iterator[str]:
    """What callers of the newest released version would notice of one that is to be released."""
    for each in versions:
        if not each.chosen or each.kind != FUNCTION or each.to_state != RELEASE:
            continue
        action = index.actions[each.name]
        before = [
            other.version
            for other in versions
            if other.name == each.name
            and other.kind == FUNCTION
            and not other.chosen
            and other.to_state == RELEASE
        ]
        if before:
            old = action.schemas(action.version(max(before)))
            new = action.schemas(action.version(each.version))
            yield from (f"{each.label}: {one.where} {one.what}" for one in find_breaks(old, new))


def _with_digests(versions: list[ReleasedVersion], index: Index) -> list[ReleasedVersion]:
    digests = {each.key: each.version.digest for each in versions_of(index)}
    return [each._replace(digest=digests[each.kind, each.name, each.version]) for each in versions]


def _require_unedited(versions: list[ReleasedVersion], base: Manifest) -> None:
    """Raise ReleaseProblem for a version whose file is another one than in the release before."""
    before = {(each.kind, each.name, each.version): each.digest for each in base.versions}
    edited = [
        each.label
        for each in versions
        if each.digest != before.get((each.kind, each.name, each.version), each.digest)
    ]
    if edited:
        raise ReleaseProblem(
            f"{', '.join(edited)}: the file is not what it was in {base.release}: put it back, and write the "
            "change as a new version"
        )


def _sources(index: Index) -> Sources:
    references = [each.version.code for each in versions_of(index) if each.version.code]
    folder = index.storage.migrations
    scripts = (
        []
        if folder is None
        else sorted(
            file
            for file in folder.rglob("*")
            if file.is_file() and not set(NOT_CODE) & set(file.parts) and file.suffix != ".pyc"
        )
    )
    found = Folder(index.root).sources(references, scripts)
    if found.problems:
        raise ReleaseProblem("\n".join(found.problems))
    return found


def _revisions(folder: Path) -> Iterator[dict[str, Any]]:
    # Without migrations nothing needs Alembic, whose import takes as long as all others.
    from actors.tenant.storage.revisions import read_history

    try:
        history = read_history(folder, "application", "alembic_version")
    except CodeProblem as problem:
        raise ReleaseProblem(f"a migration is missing or unsound: {problem}") from problem
    for name in history.names:
        revision, _, stem = name.partition(" ")
        content = (folder / "versions" / f"{stem}.py").read_bytes()
        digest = sha256(content).hexdigest()
        yield {"revision": revision, "file": f"{stem}.py", "sha256": digest}


def _migrations(index: Index, base: Manifest | None) -> tuple[dict[str, Any], ...]:
    """Every revision up to the head; ReleaseProblem for one that is missing, or not what it was."""
    folder = index.storage.migrations
    found = [] if folder is None else list(_revisions(folder))
    for each in base.migrations if base else ():
        if each not in found:
            raise ReleaseProblem(
                f"the migration {each['file']} of the release before is missing or is not what it was: it "
                "may have run, so put it back, and write the next one"
            )
    return tuple(found)


def _manifest(
    request: Request,
    index: Index,
    versions: list[ReleasedVersion],
    parts: tuple[Sources, tuple[dict[str, Any], ...], tuple[str, ...]],
) -> Manifest:
    sources, migrations, breaks = parts
    base, folder = request.base, index.storage.migrations
    name = base.manifest.name if base else folder_in_repository(index.root) or UNNAMED
    return Manifest(
        name=request.name or name,
        sequence=request.sequence or (base.manifest.sequence + 1 if base else 1),
        environment=request.environment,
        base=base.digest if base else None,
        commit=commit_of(index.root, (index.path.name, *sources.files)),
        versions=tuple(versions),
        migrations_folder=folder.relative_to(index.root).as_posix() if folder else None,
        migrations=migrations,
        files=(),
        breaks=breaks,
        distributions=sources.distributions,
        provenance={},
    )


def _files(
    request: Request, index: Index, sources: Sources, manifest: Manifest
) -> Iterator[tuple[str, bytes]]:
    yield INDEX, index.text.encode()
    below = f"{manifest.migrations_folder}/" if manifest.migrations_folder else None
    for path, content in sources.files.items():
        if below and path.startswith(below):
            yield MIGRATIONS + path.removeprefix(below), content
        else:
            yield CODE + path, content
    yield from _documents(_in_force(index, manifest))
    yield NOTES, notes(manifest, index, request.texts).encode()


def _in_force(index: Index, manifest: Manifest) -> Index:
    """The index as it is once the release is deployed."""
    for each in manifest.versions:
        if each.from_state != each.to_state:
            section = "actions" if each.kind == FUNCTION else "connectors"
            index = edit_index(index, section, each.name, each.version, {"state": each.to_state})
    return index


def _documents(index: Index) -> Iterator[tuple[str, bytes]]:
    from scripts.codegen.asyncapi import asyncapi
    from scripts.codegen.offer import described, offered
    from scripts.codegen.page import page
    from transport.gateway.reference.openapi import openapi

    yield "docs/api.md", page(None, index).encode()
    yield "schema/asyncapi.json", _readable(asyncapi(index))
    yield "schema/openapi.json", _readable(openapi(map(described, offered(index))))


def _readable(document: Mapping[str, Any]) -> bytes:
    return (json.dumps(document, ensure_ascii=False, indent=2) + "\n").encode()


def _provenance(
    request: Request, index: Index, manifest: Manifest, trials: Trials
) -> dict[str, Any]:
    """How it was made, as SLSA v1 states it; no clock and no path of the machine is in it."""
    commit, wanted = manifest.commit, request.wanted
    materials: list[dict[str, Any]] = [
        {"uri": f"pkg:pypi/{name.lower()}@{version}"}
        for name, version in sorted(manifest.distributions.items())
    ]
    if commit:
        materials.insert(0, {"uri": "git", "digest": {"gitCommit": commit["id"]}})
    if request.base:
        base = {"uri": request.base.manifest.file, "digest": {"sha256": request.base.digest}}
        materials.append(base)
    tests = [
        {"path": path, "sha256": sha256((index.root / path).read_bytes()).hexdigest()}
        for path in trials.files
    ]
    return {
        "buildDefinition": {
            "buildType": BUILD_TYPE,
            "externalParameters": {"environment": request.environment, **wanted._asdict()},
            "internalParameters": {"tests": tests, "untested": trials.untested},
            "resolvedDependencies": materials,
        },
        "runDetails": {
            "builder": {"id": "tenantry build", "version": {"tenantry": _version()}},
            "metadata": {"startedOn": commit["date"]} if commit else {},
        },
    }


def _version() -> str:
    try:
        return importlib.metadata.version("tenantry")
    except importlib.metadata.PackageNotFoundError:
        return "checkout"


def _subjects(manifest: Manifest, files: Mapping[str, bytes]) -> dict[str, Any]:
    """The whole statement, with what it is about."""
    subject = [
        {"name": each["path"], "digest": {"sha256": each["sha256"]}} for each in listed(files)
    ]
    statement = {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": subject,
        "predicateType": "https://slsa.dev/provenance/v1",
        "predicate": manifest.provenance,
    }
    plain: dict[str, Any] = json.loads(as_json(statement))
    return plain
