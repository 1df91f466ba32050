"""Lays a release out beside the one that is served: in a folder of its own, wholly, or not at all."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from actors.host.disk import free_bytes, sync
from actors.host.files import private_directory, write_private
from actors.index.parser import parse_index
from actors.registry.version_edit import edit_index
from scripts.releasing.bundle import CODE, INDEX, MANIFEST, MIGRATIONS, Bundle, Manifest, listed
from scripts.releasing.deploy.place import Place
from scripts.releasing.problem import ReleaseProblem

RESERVE = 64 * 1024 * 1024
"""Bytes that stay free beside what a release and the copies of tenants take."""


def stage(place: Place, bundle: Bundle) -> str:
    """Lay a release out; return the name of its folder. ReleaseProblem if it cannot be."""
    name = str(bundle.manifest.sequence)
    folder, draft = place.releases / name, place.releases / f".{name}.new"
    if folder.exists():
        _require_same(folder, bundle)
        return name
    _require_room(place, bundle)
    try:
        private_directory(place.releases)
        shutil.rmtree(draft, ignore_errors=True)
        for path, content in laid_out(bundle):
            _write(draft / path, content)
        _write(draft / MANIFEST, bundle.manifest.as_bytes())
        for each in (*(each for each in draft.rglob("*") if each.is_dir()), draft):
            sync(each)
        draft.replace(folder)
        sync(place.releases)
    except OSError as error:
        shutil.rmtree(draft, ignore_errors=True)
        raise ReleaseProblem(
            f"{bundle.manifest.release} cannot be laid out in {folder} ({error.strerror}), so nothing was "
            "changed: see to the disk, then deploy it again"
        ) from None
    return name


def laid_out(bundle: Bundle) -> Iterator[tuple[str, bytes]]:
    """Yield the path below the folder of a release, and the content, of each file of a bundle."""
    migrations = bundle.manifest.migrations_folder
    for path, content in bundle.files.items():
        if path.startswith(CODE):
            yield path.removeprefix(CODE), content
        elif path.startswith(MIGRATIONS) and migrations:
            yield f"{migrations}/{path.removeprefix(MIGRATIONS)}", content
        else:
            yield path, content


def put_in_force(folder: Path, manifest: Manifest) -> None:
    """Give every version its last state in the index itself: for data that no server has run on yet."""
    file = folder / INDEX
    index = parse_index(file, file.read_text(encoding="utf-8"))
    for each in manifest.versions:
        if each.from_state != each.to_state:
            section = "connectors" if each.kind == "connector" else "actions"
            index = edit_index(index, section, each.name, each.version, {"state": each.to_state})
    write_private(file, index.text)


def _require_same(folder: Path, bundle: Bundle) -> None:
    """An earlier attempt, or an earlier deploy that was taken back, has left it."""
    stated = (folder / MANIFEST).read_bytes()
    files = {path: (folder / path) for path, _ in laid_out(bundle) if path != INDEX}
    now = {path: file.read_bytes() for path, file in files.items() if file.is_file()}
    ours = {path: content for path, content in laid_out(bundle) if path != INDEX}
    if stated != bundle.manifest.as_bytes() or listed(now) != listed(ours):
        raise ReleaseProblem(
            f"another {bundle.manifest.release} was laid out in {folder} before: build this one with a "
            "higher --sequence"
        )


def _require_room(place: Place, bundle: Bundle) -> None:
    """The copies of tenants' databases are the larger part, where there is something to migrate."""
    place.data.mkdir(mode=0o700, parents=True, exist_ok=True)
    content = sum(each["size"] for each in bundle.manifest.files)
    tenants = sum(each.stat().st_size for each in (place.data / "tenants").glob("*.db*"))
    needed = 2 * content + (tenants if bundle.manifest.migrations else 0) + RESERVE
    if (free := free_bytes(place.data)) < needed:
        raise ReleaseProblem(
            f"the disk of {place.data} has {free // 1_000_000} MB left, and a deploy with copies of the "
            f"tenants' databases takes {needed // 1_000_000} MB: make room, then deploy it again"
        )


def _write(file: Path, content: bytes) -> None:
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with file.open("xb") as into:
        into.write(content)
        into.flush()
        os.fsync(into.fileno())


def manifest_in(folder: Path) -> dict[str, object]:
    """Return the manifest of a release that was laid out, as JSON."""
    stated: dict[str, object] = json.loads((folder / MANIFEST).read_bytes())
    return stated
