"""A tenant's profile: what the Directory records of it beyond its name, as one snapshot.

A profile has config, limits, connectors and tests. The Directory alone replaces snapshots; routers, the
console and tenants read the newest each time.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

EMPTY: Mapping[str, Any] = MappingProxyType({})


class Config(NamedTuple):
    """A tenant's config at one revision, frozen at every depth: read-only maps, tuples for lists."""

    revision: int = 0
    """0 before the first change; each change adds 1."""
    settings: Mapping[str, Any] = EMPTY
    whitelabel: Mapping[str, Any] = EMPTY
    origins: frozenset[str] = frozenset()
    """Origins of pages that may call the tenant's actions."""


class TenantLimits(NamedTuple):
    """Limits of one tenant; None for the server's own limit."""

    requests_per_second: float | None = None
    burst: int | None = None
    """Requests at once after a quiet time; None for those of one second, at least 1."""
    database_bytes: int | None = None
    """Largest database, in bytes, instead of the server's setting."""
    mailbox: int | None = None
    """Messages that may wait, instead of the server's setting."""
    function_ms_per_second: float | None = None
    """Milliseconds of CPU time that functions may use in each second, on average over ten."""


class Subscription(NamedTuple):
    """A tenant's right to use a connector, for a time."""

    connector: str
    since: float | None
    """Seconds since the epoch; None for no start."""
    until: float | None
    """Seconds since the epoch; None for no end."""

    def is_live(self, now: float) -> bool:
        """Return whether it holds at this time, in seconds since the epoch."""
        return (self.since is None or self.since <= now) and (
            self.until is None or now < self.until
        )


class ConnectorSettings(NamedTuple):
    """A tenant's settings for one connector at one revision, secrets included. Its repr shows no value."""

    connector: str
    revision: int
    """Of these settings; each change adds 1."""
    settings: Mapping[str, Any] = EMPTY
    """The settings, frozen at every depth; secrets in plain text, for the outside service alone."""
    problem: str | None = None
    """Why they cannot be read, such as a missing key; calls are `unavailable` then. None if they can."""

    def __repr__(self) -> str:
        told = f"names={sorted(self.settings)}" if self.problem is None else self.problem
        return f"ConnectorSettings({self.connector!r}, revision={self.revision}, {told})"


class Profile(NamedTuple):
    """All that the Directory records of one tenant, at one time."""

    config: Config = Config()
    limits: TenantLimits = TenantLimits()
    subscriptions: Mapping[str, Subscription] = EMPTY
    """By the connector's name, ended ones included."""
    tests: frozenset[str] = frozenset()
    """Actions whose versions under user test are served to this tenant."""
    is_active: bool = True
    """False while the tenant is suspended or waits for its deletion: its outbox is not delivered."""
    connectors: Mapping[str, ConnectorSettings] = EMPTY
    """Settings by the connector's name; a connector without an entry has none."""


DEFAULT_PROFILE = Profile()
"""The profile of a tenant without any record."""


def may_use(profile: Profile, connector: str, now: float) -> bool:
    """Return whether the tenant may use a connector at this time, in seconds since the epoch. Pure."""
    subscription = profile.subscriptions.get(connector)
    return subscription is not None and subscription.is_live(now)


class Profiles:
    """The newest snapshot of every tenant, by the tenant's id. Written by the Directory alone."""

    def __init__(self) -> None:
        self._by_id: dict[str, Profile] = {}

    def of(self, tenant_id: str) -> Profile:
        """Return a tenant's newest profile; DEFAULT_PROFILE if it has none."""
        return self._by_id.get(tenant_id, DEFAULT_PROFILE)

    def publish(self, tenant_id: str, profile: Profile) -> None:
        """Replace one tenant's profile."""
        if profile == DEFAULT_PROFILE:
            self._by_id.pop(tenant_id, None)
        else:
            self._by_id[tenant_id] = profile

    def replace(self, profiles: Mapping[str, Profile]) -> None:
        """Replace all profiles; a tenant that is not among them has DEFAULT_PROFILE."""
        self._by_id = dict(profiles)

    def forget(self, tenant_id: str) -> None:
        """Remove the profile of a deleted tenant."""
        self._by_id.pop(tenant_id, None)


def deep_freeze(value: Any) -> Any:
    """Return a JSON value that cannot be changed: read-only maps, tuples for lists, at every depth."""
    if isinstance(value, Mapping):
        return MappingProxyType({key: deep_freeze(each) for key, each in value.items()})
    if isinstance(value, list | tuple):
        return tuple(deep_freeze(each) for each in value)
    return value


def unfreeze(value: Any) -> Any:
    """Return a frozen JSON value as plain dicts and lists, for the wire."""
    if isinstance(value, Mapping):
        return {key: unfreeze(each) for key, each in value.items()}
    if isinstance(value, tuple):
        return [unfreeze(each) for each in value]
    return value
