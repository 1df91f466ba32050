"""Subscriptions that a test's tenant has."""

from __future__ import annotations

from typing import Any

from actors.index.entries import Operation
from actors.profiles import Profile, Subscription


def subscribed(operation: Operation) -> None:
    """To all there are: nothing is refused."""


def subscribed_to(connector: str, **fields: Any) -> Profile:
    """Of a tenant that may use this connector at any time."""
    subscription = Subscription(connector, since=None, until=None)
    return Profile(subscriptions={connector: subscription}, **fields)
