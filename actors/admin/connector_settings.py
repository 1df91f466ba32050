"""A tenant's settings for one connector as a value: how a patch changes them, what of them is shown. Pure.

The law: what `patched` returns fits the connector's schema, and what `shown` returns holds no secret: neither
what the schema or its name says is one, nor anything that the schema does not describe.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

from actors.admin.config import is_deeper, merge_patch
from actors.errors import InvalidArgument
from actors.index.schema import Schema
from actors.index.wording import summary
from actors.log.redaction import Redaction
from actors.profiles import thawed
from transport.message import Problem

MOST_BYTES: Final = 16 * 1024
"""Of one tenant's settings for one connector as compact JSON: four keys with their certificates."""

MOST_DEPTH: Final = 8
"""Maps and lists within each other, the settings themselves being the first."""

SET: Final = "set"
"""What is shown in place of a secret that is set; null of one that is not."""

PLACE: Final = "params.settings"


def patched(
    settings: Mapping[str, Any], patch: Mapping[str, Any], schema: Schema
) -> dict[str, Any]:
    """The settings that a patch makes.

    InvalidArgument names each field as the request has it, also one that was there before and fits no
    longer; never a value.
    """
    _refuse(_too_deep(patch))  # before the merge, which follows it down
    merged: dict[str, Any] = merge_patch(thawed(settings), thawed(patch))
    _refuse(_too_large(merged))
    _refuse(_unfit(merged, schema))
    return merged


def shown(settings: Mapping[str, Any], schema: Schema | None) -> dict[str, Any]:
    """What its owner may see of it, null for what could be set besides; None for a schema nobody knows."""
    source = {} if schema is None else schema.source
    visible = Redaction(source, described_only=True, mark=SET).whole(settings)
    return dict.fromkeys(source.get("properties", ())) | visible


def _refuse(found: Iterator[Problem]) -> None:
    problems = tuple(found)
    if problems:
        message = summary("connectors.configure", "it cannot be like this", problems)
        raise InvalidArgument(message, details=problems)


def _too_deep(patch: Mapping[str, Any]) -> Iterator[Problem]:
    if is_deeper(patch, MOST_DEPTH):
        yield Problem(PLACE, f"is more than {MOST_DEPTH} maps and lists deep")


def _too_large(settings: Mapping[str, Any]) -> Iterator[Problem]:
    yield from _too_deep(settings)
    size = len(json.dumps(settings, ensure_ascii=False, separators=(",", ":")).encode())
    if size > MOST_BYTES:
        yield Problem(PLACE, f"makes {size} bytes as JSON, and {MOST_BYTES} are the most")


def _unfit(settings: Mapping[str, Any], schema: Schema) -> Iterator[Problem]:
    try:
        schema.parse(settings)
    except InvalidArgument as error:
        for field, problem in error.refusal.details:
            yield Problem(f"params.{field}", problem)
