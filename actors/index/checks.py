"""Checks between entries of an index: the `not_subscribed` action of a connector, which words a refusal."""

from __future__ import annotations

from collections.abc import Iterator

from actors.access import DATA
from actors.errors import InvalidArgument
from actors.index.entries import Action, Connector

WORDS = "user_message"
"""The property of its result that end users read."""


def check_not_subscribed_action(action: Action, connector: Connector) -> Iterator[str]:
    """Yield what keeps the action from being called while a request is refused."""
    if action.effect != "read" or action.channel != DATA:
        yield 'must have effect = "read" and channel = "data": what is refused leaves nothing'
    asked = {"connector": connector.name, "operation": f"{connector.name}.operation"}
    try:
        action.params.parse(asked)
    except InvalidArgument as problem:
        yield f"must take connector and operation, and nothing else has to be there: {problem}"
    result = action.result.source
    if WORDS not in result.get("properties", {}) or WORDS not in result.get("required", ()):
        yield f"must answer {WORDS}: required in its result"
