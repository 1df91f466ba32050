"""A line of the log of errors: JSON, UTF-8, the members of every record first, in the same order."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from actors.log.exception import MOST_MESSAGE, MOST_STACK, cut, said
from actors.log.line import to_json
from actors.log.redaction import NO_NAMES, Redaction, scrubbed
from transport.fit import text_of

MEMBERS = (
    "at",
    "level",
    "event",
    "source",
    "tenant",
    "tenant_id",
    "action",
    "trace_id",
    "exception",
)
"""What every record has, null where nothing is known. What else it says follows."""

OWN = ("at", "event", "exception")
"""Made in a way of their own; of the others together there is an outline where they are large."""


def encoded(
    record: Mapping[str, Any], zone: ZoneInfo, hide: frozenset[str] = NO_NAMES
) -> tuple[float, bytes]:
    """Its time, and its line without the break; whatever the record holds, the line holds no secret.

    `hide` are further names of secrets, as `folded_names` makes them.
    """
    at = float(record["at"])
    rest = {name: value for name, value in record.items() if name not in OWN}
    members = {
        **dict.fromkeys(MEMBERS),
        **_texts(clean(Redaction(None, hide).params(rest), hide)),
        "at": datetime.fromtimestamp(at, zone).isoformat(timespec="milliseconds"),
        "event": clean(str(record["event"]), hide),
        "exception": _exception(record.get("exception"), hide),
    }
    return at, to_json(members).encode()


def _texts(rest: dict[str, Any]) -> dict[str, Any]:
    """With text in all members that every record has, whatever was logged under these names."""
    return {
        name: value if value is None or name not in MEMBERS else text_of(value)
        for name, value in rest.items()
    }


def clean(value: Any, hide: frozenset[str]) -> Any:
    """JSON with every text as a program may say it, and none too long."""
    if isinstance(value, dict):
        return {name: clean(each, hide) for name, each in value.items()}
    if isinstance(value, list):
        return [clean(each, hide) for each in value]
    return cut(said(value, hide), MOST_MESSAGE) if isinstance(value, str) else value


def _exception(exception: Any, hide: frozenset[str]) -> dict[str, Any] | None:
    """Described by whoever met it, and so without secrets; tokens are looked for all the same."""
    if not isinstance(exception, Mapping):
        return None
    return {
        "type": cut(scrubbed(str(exception.get("type"))), MOST_MESSAGE),
        "message": cut(said(str(exception.get("message")), hide), MOST_MESSAGE),
        "stack": cut(scrubbed(str(exception.get("stack"))), MOST_STACK),
    }
