"""An exception as a log has it: type, message and stack, as text and without secrets.

It is made in the thread where the exception is: a traceback would take every local variable along.

A line of the log of errors: JSON, UTF-8, the members of every record first, in the same order.

What a log could not keep: how much, and between which times.
"""

from __future__ import annotations

import traceback
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from structlog.typing import ExcInfo

from actors.host.clocks import rfc3339
from actors.log.lines import to_json
from actors.log.redaction import NO_NAMES, Redaction, mask_secrets, mask_tokens
from transport.fit import text_of

MAX_MESSAGE = 4096
"""Characters of an event, an exception's message, or any other text."""

MAX_STACK = 32_768
"""Characters of a stack, with the exceptions that led to this one."""

MAX_RAW = 256 * 1024
"""Characters that are looked through for secrets; what is behind them is dropped unseen."""

MAX_FRAMES = 200
"""Calls of each exception: of endless recursion the first and the last tell all."""

NO_REQUEST = Redaction(None)
"""Where it is not known which request an exception comes from."""


def exception_record(
    raised: ExcInfo, hide: frozenset[str] = NO_NAMES, asked: Redaction = NO_REQUEST
) -> dict[str, Any]:
    """{"type", "message", "stack"}; `asked` knows the secrets of the request that led to it."""
    kind, error, trace = raised
    whole = traceback.TracebackException(kind, error, trace, limit=-MAX_FRAMES, compact=True)
    stack = "".join(_mask_part(part, hide, asked) for part in whole.format())
    return {
        "type": f"{kind.__module__}.{kind.__qualname__}".removeprefix("builtins."),
        "message": truncate(mask_text(text_of(error), hide, asked), MAX_MESSAGE),
        "stack": truncate(stack, MAX_STACK),
    }


def mask_text(text: str, hide: frozenset[str] = NO_NAMES, asked: Redaction = NO_REQUEST) -> str:
    """What a program says, without secrets."""
    return mask_secrets(asked.text(text[:MAX_RAW]), hide)


def truncate(text: str, most: int) -> str:
    """At most so many characters, a quarter of them from the beginning. Only of text without secrets."""
    if len(text) <= most:
        return text
    gap = " … "
    before = most // 4
    return f"{text[:before]}{gap}{text[before + len(gap) - most :]}"


def _mask_part(part: str, hide: frozenset[str], asked: Redaction) -> str:
    """Frames show lines of code, in which `token = …` is no secret; the rest of the text may hold one."""
    is_frame = part.startswith('  File "')
    return mask_tokens(part[:MAX_RAW]) if is_frame else mask_text(part, hide, asked)


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


def encode_record(
    record: Mapping[str, Any], zone: ZoneInfo, hide: frozenset[str] = NO_NAMES
) -> tuple[float, bytes]:
    """Its time, and its line without the break; whatever the record holds, the line holds no secret.

    `hide` are further names of secrets, as `normalise_names` makes them.
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
    return truncate(mask_text(value, hide), MAX_MESSAGE) if isinstance(value, str) else value


def _exception(exception: Any, hide: frozenset[str]) -> dict[str, Any] | None:
    """Described by the code that met it, and so without secrets; tokens are looked for all the same."""
    if not isinstance(exception, Mapping):
        return None
    return {
        "type": truncate(mask_tokens(str(exception.get("type"))), MAX_MESSAGE),
        "message": truncate(mask_text(str(exception.get("message")), hide), MAX_MESSAGE),
        "stack": truncate(mask_tokens(str(exception.get("stack"))), MAX_STACK),
    }


class LossCounter:
    """Counted until it can be told."""

    def __init__(self) -> None:
        self.count = 0
        self._first = 0.0
        self._last = 0.0

    def add(self, first: float, last: float | None = None, count: int = 1) -> None:
        """So many more records, of these times, in seconds since the epoch."""
        last = first if last is None else last
        self._first = min(self._first, first) if self.count else first
        self._last = max(self._last, last) if self.count else last
        self.count += count

    def record(self, at: float, **more: Any) -> dict[str, Any]:
        """What to tell the ErrorLog at this time."""
        first, last = rfc3339(self._first), rfc3339(self._last)
        lost = f"{self.count} records lost between {first} and {last}"
        return {"at": at, "level": "error", "event": lost, "lost": self.count, **more}
