"""A recorded call once more, through the transformations of what is served now; nobody is called."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from actors.connectors.contract import Connector, Delivery
from actors.connectors.entry import Discretion, Row
from actors.connectors.tenant_settings import fitting
from actors.errors import FailedPrecondition
from actors.log.redaction import NO_NAMES, SUMMARY
from actors.routing.route import Service

SECONDS = 60.0
"""From now to the deadline that the transformations are told."""

MOST_DIFFERENCES = 200


def replayed(
    row: Row,
    service: Service,
    connector: Connector,
    settings: Mapping[str, Any],
    hide: frozenset[str] = NO_NAMES,
) -> dict[str, Any]:
    """Both forms that are made from what was recorded, and where they differ from it.

    What was recorded has no secrets, so what is made of it has none either. FailedPrecondition where it was
    too large to be recorded whole.
    """
    request, response = row["inner_request"], row["outer_response"]
    if SUMMARY in request or SUMMARY in (response or ()):
        raise FailedPrecondition(f"{row['id']} was too large to be recorded whole")
    deadline = time.monotonic() + SECONDS
    _, _, operation = row["operation"].partition(".")
    delivery = Delivery(
        operation, row["tenant"], row["key"], row["asked_at"], deadline, row["trace_id"]
    )
    schema = service.connector.settings
    outer = _outcome(lambda: connector.outer(delivery, request, fitting(settings, schema)))
    inner = None if response is None else _outcome(lambda: connector.inner(delivery, response))
    described = service.connector.operations.get(row["operation"])
    result = described and described.result.source
    discretion = Discretion(settings, schema.source, hide)
    shown = discretion.forms((outer, inner), (None, None if "error" in (inner or ()) else result))
    now = dict(zip(("outer_request", "inner_result"), shown, strict=True))
    differences = [each for form in now for each in _differences(form, row[form], now[form])]
    return {
        "recorded": {"version": row["version"], **{form: row[form] for form in now}},
        "now": {"version": service.version, **now},
        "differences": differences[:MOST_DIFFERENCES],
        "same": not differences,
    }


def _outcome(transform: Callable[[], Mapping[str, Any]]) -> Mapping[str, Any]:
    """What goes wrong in it is what is asked for."""
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
