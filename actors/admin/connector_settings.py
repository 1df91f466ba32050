"""A tenant's settings for one connector as a value: how a patch changes them, what of them is shown. Pure.

The law: what `patched` returns fits the connector's schema, and what `shown` returns holds no secret: neither
what the schema or its name says is one, nor anything that the schema does not describe.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from actors.admin.config import is_deeper, merge_patch
from actors.errors import InvalidArgument
from actors.log.redaction import Redaction
from actors.profiles import thawed
from actors.schema.schema import Schema
from actors.schema.validation import summary
from transport.message import Problem

MOST_BYTES: Final = 16 * 1024
"""Of one tenant's settings for one connector as compact JSON: four keys with their certificates."""

MOST_DEPTH: Final = 8
"""Maps and lists within each other, the settings themselves being the first."""

SET: Final = "set"
"""What is shown in place of a secret that is set; null of one that is not."""

PLACE: Final = "params.settings"

TARGETS: Final = frozenset(
    {"host", "port", "endpoint", "url", "uri", "server", "address", "hostname"}
)
"""Last words of settings that say where is sent to: `host`, `smtp_host`, `baseUrl`."""

AGAIN: Final = "was kept for another host, port, endpoint or URL: give it again with the new one"

_LAST_WORD = re.compile(r"[A-Z]?[a-z0-9]+|[A-Z]+")


class Patched(NamedTuple):
    """What a patch makes of settings."""

    settings: dict[str, Any]
    dropped: tuple[str, ...]
    """Paths of secrets that were kept for another target."""


def patched(settings: Mapping[str, Any], patch: Mapping[str, Any], schema: Schema) -> Patched:
    """The settings that a patch makes.

    Where it changes a target (TARGETS), secrets that it does not name are dropped: what was told to one
    server is not sent to another. InvalidArgument names each field as the request has it, also one that was
    there before and fits no longer; never a value.
    """
    _refuse(_too_deep(patch))  # before the merge, which follows it down
    kept, given = thawed(settings), thawed(patch)
    dropped: tuple[str, ...] = ()
    merged: dict[str, Any] = merge_patch(kept, given)
    if list(_targets(merged)) != list(_targets(kept)):
        dropped = tuple(_drop_secrets(kept, given, shown(settings, schema)))
        merged = merge_patch(kept, given)
    _refuse(_too_large(merged))
    _refuse(_unfit(merged, schema, dropped))
    return Patched(merged, dropped)


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


def _unfit(
    settings: Mapping[str, Any], schema: Schema, dropped: Sequence[str] = ()
) -> Iterator[Problem]:
    try:
        schema.parse(settings)
    except InvalidArgument as error:
        for field, problem in error.refusal.details:
            lost = field.partition(".")[2] in dropped
            yield Problem(f"params.{field}", AGAIN if lost else problem)


def _targets(settings: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, Any]]:
    """What says where is sent to, at any depth, in the order of names."""
    for name, value in sorted(settings.items()):
        if isinstance(value, Mapping):
            yield from _targets(value, f"{path}{name}.")
        elif _LAST_WORD.findall(name)[-1:] and _LAST_WORD.findall(name)[-1].lower() in TARGETS:
            yield path + name, value


def _drop_secrets(
    kept: dict[str, Any], given: Mapping[str, Any], visible: Mapping[str, Any], path: str = ""
) -> Iterator[str]:
    """Take out what is not shown and not given anew; the path of each."""
    for name, value in list(kept.items()):
        seen, anew = visible.get(name), given.get(name)
        if isinstance(value, dict) and isinstance(seen, dict):
            below = anew if isinstance(anew, dict) else {}
            if name not in given or isinstance(anew, dict):
                yield from _drop_secrets(value, below, seen, f"{path}{name}.")
        elif name not in given and (seen != value or value == SET):
            del kept[name]
            yield path + name
