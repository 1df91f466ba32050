"""Release notes, written from the requests that the versions answer."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from actors.index.entries import Index
from scripts.releasing.bundle import Manifest, ReleasedVersion
from scripts.releasing.problem import ReleaseProblem


def read_texts(file: Path) -> dict[str, str]:
    """Return texts of requests by id, from what `requests.list --json` printed; ReleaseProblem."""
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
        rows = content.get("result", content)["requests"]
        return {str(row.get("id") or row["request"]): _text(row) for row in rows}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ReleaseProblem(
            f"{file} is not what requests.list --json prints ({type(error).__name__}: {error})"
        ) from None


def _text(row: Mapping[str, Any]) -> str:
    """Return the title that every tenant reads, if there is one: a tenant's words are its own."""
    return str(row.get("title") or row["text"])


def notes(manifest: Manifest, index: Index, texts: Mapping[str, str]) -> str:
    """Return the notes of a release as Markdown."""
    return "\n".join(_lines(manifest, index, texts)) + "\n"


def _lines(manifest: Manifest, index: Index, texts: Mapping[str, str]) -> Iterator[str]:
    yield f"# {manifest.release}, for {manifest.environment}"
    if manifest.commit:
        yield f"\nCommit {manifest.commit['id']} of {manifest.commit['date']}."
    fresh = [each for each in manifest.versions if each.chosen]
    asked = dict.fromkeys(request for each in fresh for request in each.requests)
    if asked:
        yield "\n## What was asked for\n"
    for request in asked:
        yield f"- {request}{_told(texts.get(request))}"
        yield from (f"  - {_said(each, index)}" for each in fresh if request in each.requests)
    others = [each for each in fresh if not each.requests]
    if others:
        yield "\n## What is new\n"
        yield from (f"- {_said(each, index)}" for each in others)
    if manifest.breaks:
        yield "\n## What callers have to look at\n"
        yield from (f"- {each}" for each in manifest.breaks)
    if manifest.migrations:
        yield f"\nTenants' databases are at revision {manifest.migrations[-1]['revision']} with it."


def _told(text: str | None) -> str:
    """The request's text in one line."""
    return "" if text is None else f": {' '.join(text.split())}"


def _said(version: ReleasedVersion, index: Index) -> str:
    owner = index.actions.get(version.name) or index.connectors.get(version.name)
    summary = owner.summary if owner else ""
    return f"{version.name} version {version.version} ({version.to_state}): {summary}".rstrip(": ")
