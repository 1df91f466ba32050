"""Calling a connector needs a subscription that holds now; without one the end user is told so, kindly.

The index names the action that words it (`not_subscribed` of the connector); that is the tenant's function
like any other, run on its database, where it may only read.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any, Final

import structlog

from actors.errors import NotSubscribed
from actors.index.entries import Operation
from actors.profiles import Profile, may_use
from actors.routing.table import RoutingTable

log = structlog.get_logger()

PLAIN: Final = (
    "This is not part of what {product_name} does for you so far. Please ask whoever manages your account "
    "to add it."
)
"""What end users are told where nobody has worded it."""

NAMELESS: Final = PLAIN.replace("{product_name}", "this service")

Run = Callable[[str, Mapping[str, Any]], Mapping[str, Any]]

RequireSubscribed = Callable[[Operation], None]
"""Raises Unsubscribed where the tenant may not use this operation at this moment."""


class Unsubscribed(NotSubscribed):
    """The tenant's subscription to this connector does not hold."""

    def __init__(self, operation: str) -> None:
        self.operation = operation
        self.connector = operation.partition(".")[0]
        super().__init__(
            f"{operation} needs a subscription to {self.connector}, which the tenant does not have now: its "
            "owners see to that with subscriptions.set"
        )


def require_subscribed(operation: Operation, profile: Profile, table: RoutingTable) -> None:
    """Unsubscribed, unless it holds at this moment; what is built in needs none."""
    connector = operation.name.partition(".")[0]
    if connector not in table.connectors:
        return
    if not may_use(profile, connector, time.time()):
        raise Unsubscribed(operation.name)


def user_message(
    error: Unsubscribed, profile: Profile, table: RoutingTable, run: Run
) -> str | None:
    """In the words of the action that the index names; None where whitelabel has words for the code.

    `run` runs an action, read-only, and gives its result. What goes wrong with that is logged, and leaves the
    plain sentence.
    """
    connector = table.connectors.get(error.connector)
    action = connector and connector.not_subscribed
    if action:
        params = {"connector": error.connector, "operation": error.operation}
        try:
            return str(run(action, params)["user_message"])
        except Exception as problem:
            log.error("nobody worded a missing subscription", action=action, exc_info=problem)
    whitelabel = profile.config.whitelabel
    texts = whitelabel.get("texts")
    if isinstance(texts, Mapping) and error.code in texts:
        return None
    return PLAIN if isinstance(whitelabel.get("product_name"), str) else NAMELESS
