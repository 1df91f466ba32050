"""A line of a tenant's log: JSON, UTF-8, the same members in the same order in every line.

Params are redacted here. If the schema of an action leaves no room for a secret and the params fit it, they
are written unchanged: to search them costs four times as much as everything else.

RequestLogClient sends lines to the TenantLog. It never blocks, and drops lines (counted) when the log's
mailbox is full.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from json.encoder import encode_basestring as quoted
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from msgspec import Struct
from msgspec.structs import replace
from pydantic_core import to_json as quick_json

from actors.log.closed_schema import is_closed_schema
from actors.log.messages import Line, LostLines, TurnLines
from actors.log.redaction import (
    MAX_BYTES,
    NO_NAMES,
    NOTHING_KNOWN,
    TOKEN_START,
    Redaction,
    mask_tokens,
)
from actors.messages import TenantRecord, TenantRequest
from actors.routing.route import Route
from actors.runtime.mailbox import Mailbox
from transport.fit import fit_text
from transport.message import Refusal

MEMBERS = (
    *("at", "tenant", "action", "version", "state", "reason", "outcome", "message", "caller"),
    *("person", "role", "params", "replayed", "source", "queued_ms", "handled_ms", "reply_bytes"),
    *("request_id", "trace_id"),
)
"""Of every line of a tenant's log, in their order."""

MAX_MESSAGE = 1000
"""Characters of a refusal's message that the log keeps."""

MAX_REFUSED = 1024
"""Bytes of refused params as JSON that are shown whole: nothing came of them, and anyone can send more."""

MAX_REMEMBERED = 4096
"""Schemas, and texts of members that come again and again, of each kind."""

OK = "ok"
"""The outcome that says that the params fitted their schema."""

PLAIN = frozenset({str, int, float, bool, type(None)})
"""Types of values that hold no names."""

CONTAINERS = frozenset({list, tuple, dict})

MANY = 50
"""Elements of a param from which on it takes long to look for secrets in it."""

NAN, INFINITY, NUL = "NaN", "Infinity", "\\u0000"
"""One of them is in JSON that holds a number which JSON does not know, or a NUL."""

to_json = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode


class SchemaCheck(NamedTuple):
    """What a schema says of params that keep to it."""

    schema: Mapping[str, Any]
    """Held, so that no other one can get its address meanwhile."""
    names: frozenset[str] | None
    """All that params can have at the top; None where the schema leaves room for a secret."""


class Parts(Struct, frozen=True, gc=False):
    """Members that many lines have alike, as JSON without the braces."""

    what: str
    """From `tenant` to `outcome`."""
    who: str
    """From `caller` to `role`."""
    how: str
    """`replayed` and `source`."""


class Formatter:
    """Makes lines; for one actor."""

    def __init__(
        self,
        zone: ZoneInfo,
        hide: frozenset[str] = NO_NAMES,
        before_long: Callable[[], object] = lambda: None,
    ) -> None:
        """`hide` are further names of secrets, as `normalise_names` makes them.

        `before_long` is called before a line that takes milliseconds.
        """
        self._before_long = before_long
        self._zone = zone
        self._hide = hide
        self._checks: dict[int, SchemaCheck] = {}
        self._parts: dict[tuple[Any, ...], Parts] = {}
        self._second: tuple[int, str, str] = (-1, "", "")
        """The last second that was asked for, its text, and the zone's offset then."""
        self._moment: tuple[float, str] = (-1.0, "")
        """The last time that was asked for, and its text."""

    def format(self, tenant: str, line: Line) -> bytes:
        """The line without its break; `tenant` is the tenant's name."""
        if self._is_safe(line):
            quick = self._verbatim(tenant, line)
            if quick is not None:
                return quick
        return self._redacted(tenant, line)

    def moment(self, seconds: float) -> str:
        """RFC 3339 with milliseconds and the zone's offset, of seconds since the epoch."""
        if seconds == self._moment[0]:  # all lines of a turn have the same
            return self._moment[1]
        second, rest = divmod(round(seconds * 1_000_000), 1_000_000)
        if second != self._second[0]:
            text = datetime.fromtimestamp(second, self._zone).isoformat()
            self._second = (second, text[:19], text[19:])
        text = f"{self._second[1]}.{rest // 1000:03}{self._second[2]}"
        self._moment = (seconds, text)
        return text

    def _verbatim(self, tenant: str, line: Line) -> bytes | None:
        """None where something in it has to be looked at after all."""
        try:
            params = quick_json(line.params, inf_nan_mode="constants").decode()
            if NAN in params or INFINITY in params or NUL in params:
                return None
            text = self._text(tenant, line, params, line.message)
            encoded = text.encode()
        except (TypeError, ValueError, RecursionError):  # no JSON: msgpack holds more
            return None
        return None if len(encoded) > _max_params(line) or TOKEN_START in text else encoded

    def _redacted(self, tenant: str, line: Line) -> bytes:
        if any(type(each) in CONTAINERS and len(each) > MANY for each in line.params.values()):
            self._before_long()
        redaction = Redaction(NOTHING_KNOWN if line.schema is None else line.schema, self._hide)
        params = redaction.params(line.params, _max_params(line))
        clean = replace(
            line,
            message=None if line.message is None else _truncate(redaction.text(line.message)),
            action=mask_tokens(line.action),
            request_id=mask_tokens(line.request_id),
        )
        return self._text(tenant, clean, to_json(params), clean.message).encode()

    def _text(self, tenant: str, line: Line, params: str, message: str | None) -> str:
        kind = (
            *(tenant, line.action, line.version, line.state, line.reason, line.outcome),
            *(line.caller, line.person, line.role, line.replayed, line.source),
        )
        parts = self._parts.get(kind) or self._part(kind)
        at = line.at
        moment = self._moment[1] if at == self._moment[0] else self.moment(at)
        return (
            f'{{"at":"{moment}",{parts.what},"message":'
            f"{'null' if message is None else quoted(_truncate(message))},{parts.who},"
            f'"params":{params},{parts.how},"queued_ms":{line.queued_ms:.3f},'
            f'"handled_ms":{line.handled_ms:.3f},"reply_bytes":{line.reply_bytes},'
            f'"request_id":{quoted(line.request_id)},"trace_id":{quoted(line.trace_id)}}}'
        )

    def _part(self, kind: tuple[Any, ...]) -> Parts:
        if len(self._parts) >= MAX_REMEMBERED:
            self._parts.clear()
        what, who, how = kind[:6], kind[6:9], kind[9:]
        parts = self._parts[kind] = Parts(
            _members(MEMBERS[1:7], what),
            _members(MEMBERS[8:11], who),
            _members(MEMBERS[12:14], how),
        )
        return parts

    def _is_safe(self, line: Line) -> bool:
        """Whether no param can be a secret: they fitted their schema, or are plain and have its names."""
        schema = line.schema
        if schema is None:
            return False
        names = (self._checks.get(id(schema)) or self._check_schema(schema)).names
        return names is not None and (line.outcome == OK or _is_plain(line.params, names))

    def _check_schema(self, schema: Mapping[str, Any]) -> SchemaCheck:
        if len(self._checks) >= MAX_REMEMBERED:
            self._checks.clear()
        names = (
            frozenset(schema.get("properties", ()))
            if is_closed_schema(schema, self._hide)
            else None
        )
        verdict = self._checks[id(schema)] = SchemaCheck(schema, names)
        return verdict


def _is_plain(params: Mapping[str, Any], names: frozenset[str]) -> bool:
    return params.keys() <= names and all(type(each) in PLAIN for each in params.values())


def _max_params(line: Line) -> int:
    """Bytes of its params that are shown whole."""
    return MAX_BYTES if line.outcome == OK else MAX_REFUSED


def _members(names: Sequence[str], values: Sequence[Any]) -> str:
    return to_json(dict(zip(names, values, strict=True)))[1:-1]


def _truncate(message: object) -> str:
    text = fit_text(message)
    return text if len(text) <= MAX_MESSAGE else text[: MAX_MESSAGE - 1] + "…"


class RequestLogClient:
    """Client of the request log, for one actor. It never blocks.

    If the log's mailbox is full, lines are dropped and counted. The count is sent as soon as the mailbox
    takes mail again, or when the client is closed.
    """

    def __init__(
        self, log: Mailbox, clock: Callable[[], float] = time.time, wake_at: int = 1
    ) -> None:
        """`clock` returns seconds since the epoch; fewer than `wake_at` waiting turns do not wake the log."""
        self._log = log
        self._wake_at = wake_at
        self.clock = clock
        self._lost: dict[str, LostLines] = {}

    def tell(self, tenant: TenantRecord, lines: tuple[Line, ...]) -> None:
        """Send the lines of one turn of a tenant: at least one."""
        if self._log.try_enqueue(TurnLines(tenant, lines)):
            if len(self._log) >= self._wake_at:
                self._log.schedule()
            if self._lost:
                self.close()
        else:
            self._drop(tenant, lines)

    def close(self) -> None:
        """Send the number of dropped lines."""
        lost, self._lost = self._lost, {}
        for message in lost.values():
            self._log.tell(message)

    def _drop(self, tenant: TenantRecord, lines: tuple[Line, ...]) -> None:
        before = self._lost.get(tenant.id) or LostLines(tenant, 0, lines[0].at, 0.0)
        self._lost[tenant.id] = before._replace(lines=before.lines + len(lines), last=lines[-1].at)


def refused_line(
    source: str,
    at: float,
    work: TenantRequest,
    refusal: Refusal,
    route: Route | None,
    reply_bytes: int,
) -> Line:
    """Return the line of a message that was refused before it started; `at` is seconds since the epoch."""
    request, caller = work.request, work.principal
    return Line(
        at=at,
        source=source,
        action=request.action,
        version=None if route is None else route.version,
        state=None if route is None else route.state,
        reason=None if route is None else route.reason,
        params=request.params,
        schema=None if route is None else route.params.source,
        caller=caller.id,
        person=caller.person,
        role=caller.role,
        outcome=refusal.code,
        message=refusal.logged,
        replayed=False,
        request_id=request.id,
        trace_id=work.trace_id,
        queued_ms=(time.monotonic() - work.received) * 1000.0,
        handled_ms=0.0,
        reply_bytes=reply_bytes,
        traceparent=request.traceparent,
    )
