"""Formats log records for a terminal: one record a line, and its further members below if asked for.

Text from a server is data: it is never taken for markup, no control sequence in it reaches the terminal, and
it cannot look like another record.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from rich.text import Text

from scripts.cli.tables import safe_text

Record = Mapping[str, Any]

ACTION_WIDTH = 20
OUTCOME_WIDTH = 18
LOG_WIDTH = 7

STYLES = {
    "ok": "green",
    "internal": "bold red",
    "unavailable": "red",
    "deadline_exceeded": "red",
    "error": "red",
    "critical": "bold red",
}
"""Colours of outcomes and levels; all other outcomes are the caller's to correct."""

OTHER = "yellow"

TOLD = frozenset(
    {"at", "tenant", "tenant_id", "action", "version", "state", "reason", "outcome", "message"}
    | {"caller", "person", "role", "token", "capacity", "kind", "level", "event", "source"}
    | {"queued_ms", "handled_ms", "trace_id", "exception", "prev", "hash"}
)
"""Members that the line shows already, or that its reader knows."""


def line_of(log: str, record: Record) -> Text:
    """Return the line of one record of the log `tenant`, `errors` or `audit`."""
    words = {"tenant": _answered, "errors": _gone_wrong, "audit": _administered}[log](record)
    return Text("  ").join([_word(time_of(record), "dim"), *words])


def story_of(log: str, record: Record) -> Iterator[Text]:
    """Yield the line of a record with the name of its log, then its further members."""
    yield Text("  ").join([_padded(log, LOG_WIDTH, "cyan"), line_of(log, record)])
    for name, value in record.items():
        if name not in TOLD and value not in (None, False, {}, ""):
            shown = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
            yield _below(f"{name} {shown}", "dim")
    exception = record.get("exception")
    if exception:
        yield _below(str(exception.get("stack") or exception), "red")


def time_of(record: Record) -> str:
    """Return the server's day and time, without the year and the offset."""
    return datetime.fromisoformat(record["at"]).isoformat(" ", "milliseconds")[5:23]


def _answered(record: Record) -> Iterator[Text]:
    """Yield the words of a record in a tenant's log."""
    if record["action"] is None:  # what sums up lines that were left out
        yield _padded(str(record["source"]), ACTION_WIDTH)
        yield from _message(record["message"])
        return
    version = "" if record["version"] is None else f"@{record['version']}"
    yield _padded(f"{record['action']}{version}", ACTION_WIDTH)
    yield _outcome(record["outcome"])
    yield from _message(record["message"])
    yield _word(_joined(record["role"], record["person"], record["caller"]) or "anonymous")
    yield _word(f"{record['queued_ms'] or 0:.1f}+{record['handled_ms'] or 0:.1f} ms")
    if record["replayed"]:
        yield _word("replayed", "dim")
    yield _trace(record)


def _gone_wrong(record: Record) -> Iterator[Text]:
    """Yield the words of a record in the error log."""
    yield _padded(str(record["action"] or record["source"]), ACTION_WIDTH)
    yield _padded(str(record["level"]), OUTCOME_WIDTH, STYLES.get(str(record["level"]), OTHER))
    yield _word(_joined(record["tenant"], record["source"]))
    exception = record.get("exception") or {}
    said = f"{exception.get('type')}: {exception.get('message')}" if exception else None
    reason = record.get("error")
    yield from _message(": ".join(str(each) for each in (record["event"], reason, said) if each))
    yield _trace(record)


def _administered(record: Record) -> Iterator[Text]:
    """Yield the words of an audit record."""
    yield _padded(str(record["action"]), ACTION_WIDTH)
    yield _outcome(record["outcome"] or record["kind"])
    yield from _message(record["message"])
    yield _word(_joined(record["capacity"], record["person"], record["tenant"]))
    yield _trace(record)


def _outcome(outcome: str | None) -> Text:
    return _padded(str(outcome), OUTCOME_WIDTH, STYLES.get(str(outcome), OTHER))


def _trace(record: Record) -> Text:
    return _word(record["trace_id"] or "no trace id", "dim")


def _message(message: str | None) -> Iterator[Text]:
    """On the line, whatever it has in it."""
    if message:
        yield _word(" ".join(message.split()), OTHER)


def _word(words: str, style: str = "") -> Text:
    """Return the text without line breaks: callers choose some of it."""
    return safe_text(words.replace("\n", "\\n").replace("\t", "\\t"), style)


def _padded(words: str, width: int, style: str = "") -> Text:
    return _word(words.ljust(width), style)


def _joined(*words: str | None) -> str:
    return " ".join(filter(None, words))


def _below(words: str, style: str) -> Text:
    text = "\n".join(" " * (LOG_WIDTH + 2) + line for line in words.rstrip().splitlines())
    return safe_text(text, style)
