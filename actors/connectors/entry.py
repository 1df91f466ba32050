"""What the journal keeps of a call: its four forms, without secrets, and no more than is of use.

A secret is what its schema, its name or its look says (actors/log/redaction.py), and wherever the same text
turns up in another form it is taken out there, too: what was a tenant's password in the settings is one in
the outer request, under whatever name.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from actors.connectors.call import Call
from actors.log.redaction import NO_NAMES, Redaction, discreet

MOST_BYTES: Final = 16 * 1024
"""Bytes of one form as JSON; of a larger one there is an outline."""

MOST_MESSAGE: Final = 1000
"""Characters of an error."""

FORMS: Final = ("inner_request", "outer_request", "outer_response", "inner_result")
"""In the order in which each is made from the one before."""

Row = dict[str, Any]


class Discretion:
    """Takes the secrets of one call out of all that is told of it."""

    def __init__(
        self,
        settings: Mapping[str, Any],
        schema: Mapping[str, Any],
        hide: frozenset[str] = NO_NAMES,
    ) -> None:
        """`schema` is of the settings; what it does not describe is secret."""
        self._hide = hide
        self._secrets: set[str] = set()
        """All together: one may be part of another, and then the longer one goes first."""
        self._walk = Redaction(schema, hide, described_only=True, secrets=self._secrets)
        self._walk.whole(settings)

    def learn(self, form: Mapping[str, Any], schema: Mapping[str, Any]) -> None:
        """Its secrets must not be told either."""
        self._redaction(schema).whole(form)

    def forms(
        self, forms: tuple[Mapping[str, Any] | None, ...], schemas: tuple[Any, ...]
    ) -> list[Row | None]:
        """Each without secrets, its own and the others'. A schema is None for the service's forms."""
        shown = [self._shown(*each) for each in zip(forms, schemas, strict=True)]
        return [None if form is None else self._without(form) for form in shown]

    def text(self, text: str) -> str:
        """What was said of them."""
        return discreet(self._walk.text(text), self._hide)[:MOST_MESSAGE]

    def _shown(self, form: Mapping[str, Any] | None, schema: Any) -> Row | None:
        if form is None:
            return None
        redaction = self._redaction(schema)
        whole = redaction.whole(form)
        return whole if len(to_text(whole)) <= MOST_BYTES else redaction.params(form)

    def _without(self, value: Any) -> Any:
        if isinstance(value, dict):
            return {self._walk.text(name): self._without(each) for name, each in value.items()}
        if isinstance(value, list):
            return [self._without(each) for each in value]
        return self._walk.text(value) if isinstance(value, str) else value

    def _redaction(self, schema: Mapping[str, Any] | None) -> Redaction:
        return Redaction(schema, self._hide, secrets=self._secrets)


def discretion_of(call: Call, hide: frozenset[str]) -> Discretion:
    """For this call's settings and its inner request."""
    discretion = Discretion(call.settings, call.settings_schema, hide)
    discretion.learn(call.operate.params, call.schemas[0])
    return discretion


def row_of(call: Call, hide: frozenset[str] = NO_NAMES) -> Row:
    """A row of the table `calls`."""
    operate, discretion = call.operate, discretion_of(call, hide)
    params, result = call.schemas
    given = (operate.params, call.outer, call.response, call.result)
    forms = discretion.forms(given, (params, None, None, result))
    began = call.ended if call.began is None else call.began
    tries = [{**each._asdict(), "error": _maybe(discretion, each.error)} for each in call.attempts]
    return {
        "at": call.at,
        "asked_at": operate.at,
        "tenant_id": operate.tenant.id,
        "tenant": operate.tenant.name,
        "operation": operate.operation,
        **call.service,
        "key": operate.key,
        "trace_id": operate.trace_id,
        "outcome": call.outcome,
        "message": _maybe(discretion, call.message),
        "attempts": to_text(tries),
        "queued_ms": round((began - call.came) * 1000, 3),
        "took_ms": round((call.ended - call.came) * 1000, 3),
        **{name: to_text(form) for name, form in zip(FORMS, forms, strict=True)},
    }


def to_text(value: Any) -> str:
    """As the journal keeps JSON."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _maybe(discretion: Discretion, text: str | None) -> str | None:
    return None if text is None else discretion.text(text)
