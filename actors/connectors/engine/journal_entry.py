"""The journal's row of a call: its four forms, without secrets, and limited in size.

A value is a secret by its schema, its name or its look (actors/log/redaction.py). The same text is masked in
the other forms, too: a tenant's password in the settings is a password in the outer request, under any name.

Replay passes a recorded call through the transformations of the version served now, without the exchange.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from actors.connectors.contract import Connector, Delivery
from actors.connectors.engine.calls import OperationCall
from actors.connectors.engine.instances import parse_settings
from actors.errors import FailedPrecondition
from actors.log.redaction import NO_NAMES, SUMMARY, Redaction, mask_secrets
from actors.routing.route import ConnectorRoute

MAX_FORM_BYTES: Final = 16 * 1024
"""Bytes of one form as JSON; a larger one is stored as an outline."""

MAX_MESSAGE: Final = 1000
"""Characters of an error."""

FORMS: Final = ("inner_request", "outer_request", "outer_response", "inner_result")
"""In order: each is made from the one before."""

Row = dict[str, Any]


class CallRedactor:
    """Masks the secrets of one call in its forms and texts."""

    def __init__(
        self,
        settings: Mapping[str, Any],
        schema: Mapping[str, Any],
        hide: frozenset[str] = NO_NAMES,
    ) -> None:
        """`schema` describes the settings; settings that it does not describe are secret."""
        self._hide = hide
        self._secrets: set[str] = set()
        """All secrets together: one may be part of another, and then the longer one is masked first."""
        self._walk = Redaction(schema, hide, described_only=True, secrets=self._secrets)
        self._walk.redact(settings)

    def add_secrets(self, form: Mapping[str, Any], schema: Mapping[str, Any]) -> None:
        """Mask the secrets of this form, too."""
        self._redaction(schema).redact(form)

    def redact_forms(
        self, forms: tuple[Mapping[str, Any] | None, ...], schemas: tuple[Any, ...]
    ) -> list[Row | None]:
        """Mask in each form its own secrets and the others'. The schema of a service's form is None."""
        shown = [self._redact_form(*each) for each in zip(forms, schemas, strict=True)]
        return [None if form is None else self._remove_secrets(form) for form in shown]

    def redact_text(self, text: str) -> str:
        """Mask secrets in a text about the forms."""
        return mask_secrets(self._walk.text(text), self._hide)[:MAX_MESSAGE]

    def _redact_form(self, form: Mapping[str, Any] | None, schema: Any) -> Row | None:
        if form is None:
            return None
        redaction = self._redaction(schema)
        whole = redaction.redact(form)
        return whole if len(encode_json(whole)) <= MAX_FORM_BYTES else redaction.params(form)

    def _remove_secrets(self, value: Any) -> Any:
        if isinstance(value, dict):
            return {
                self._walk.text(name): self._remove_secrets(each) for name, each in value.items()
            }
        if isinstance(value, list):
            return [self._remove_secrets(each) for each in value]
        return self._walk.text(value) if isinstance(value, str) else value

    def _redaction(self, schema: Mapping[str, Any] | None) -> Redaction:
        return Redaction(schema, self._hide, secrets=self._secrets)


def redactor_for(call: OperationCall, hide: frozenset[str]) -> CallRedactor:
    """Return a redactor with the secrets of the call's settings and inner request."""
    redactor = CallRedactor(call.settings, call.settings_schema, hide)
    redactor.add_secrets(call.request.params, call.schemas[0])
    return redactor


def row_of(call: OperationCall, hide: frozenset[str] = NO_NAMES) -> Row:
    """Return the call as a row of the table `calls`."""
    request, redactor = call.request, redactor_for(call, hide)
    params, result = call.schemas
    given = (request.params, call.outer, call.response, call.result)
    forms = redactor.redact_forms(given, (params, None, None, result))
    began = call.finished_at if call.started_at is None else call.started_at
    tries = [
        {**each._asdict(), "error": _redact_optional(redactor, each.error)}
        for each in call.attempts
    ]
    return {
        "at": call.at,
        "asked_at": request.at,
        "tenant_id": request.tenant.id,
        "tenant": request.tenant.name,
        "operation": request.operation,
        **call.served,
        "key": request.key,
        "trace_id": request.trace_id,
        "outcome": call.outcome,
        "message": _redact_optional(redactor, call.message),
        "attempts": encode_json(tries),
        "queued_ms": round((began - call.queued_at) * 1000, 3),
        "took_ms": round((call.finished_at - call.queued_at) * 1000, 3),
        **{name: encode_json(form) for name, form in zip(FORMS, forms, strict=True)},
    }


def encode_json(value: Any) -> str:
    """Encode a value as the journal stores JSON."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _redact_optional(redactor: CallRedactor, text: str | None) -> str | None:
    return None if text is None else redactor.redact_text(text)


REPLAY_SECONDS = 60.0
"""Seconds to the deadline that the transformations receive."""

MAX_DIFFERENCES = 200


def replay(
    row: Row,
    route: ConnectorRoute,
    connector: Connector,
    settings: Mapping[str, Any],
    hide: frozenset[str] = NO_NAMES,
) -> dict[str, Any]:
    """Make both forms again from a recorded call and return how they differ.

    A recorded call has no secrets, so the result has none either. FailedPrecondition if the call was too
    large to be recorded whole.
    """
    request, response = row["inner_request"], row["outer_response"]
    if SUMMARY in request or SUMMARY in (response or ()):
        raise FailedPrecondition(f"{row['id']} was too large to be recorded whole")
    deadline = time.monotonic() + REPLAY_SECONDS
    _, _, operation = row["operation"].partition(".")
    delivery = Delivery(
        operation, row["tenant"], row["key"], row["asked_at"], deadline, row["trace_id"]
    )
    schema = route.connector.settings
    outer = _capture(lambda: connector.outer(delivery, request, parse_settings(settings, schema)))
    inner = None if response is None else _capture(lambda: connector.inner(delivery, response))
    described = route.connector.operations.get(row["operation"])
    result = described and described.result.source
    redactor = CallRedactor(settings, schema.source, hide)
    shown = redactor.redact_forms(
        (outer, inner), (None, None if "error" in (inner or ()) else result)
    )
    now = dict(zip(("outer_request", "inner_result"), shown, strict=True))
    differences = [each for form in now for each in _differences(form, row[form], now[form])]
    return {
        "recorded": {"version": row["version"], **{form: row[form] for form in now}},
        "now": {"version": route.version, **now},
        "differences": differences[:MAX_DIFFERENCES],
        "same": not differences,
    }


def _capture(transform: Callable[[], Mapping[str, Any]]) -> Mapping[str, Any]:
    """Return the form, or the error: a replay shows errors as results."""
    try:
        return dict(transform())
    except Exception as error:  # noqa: BLE001 - as above
        return {"error": f"{type(error).__name__}: {error}"}


def _differences(at: str, before: Any, now: Any) -> Iterator[dict[str, Any]]:
    if isinstance(before, dict) and isinstance(now, dict):
        for name in {**before, **now}:
            yield from _differences(f"{at}.{name}", before.get(name), now.get(name))
    elif before != now:
        yield {"at": at, "recorded": before, "now": now}
