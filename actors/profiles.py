"""What the Directory says of a tenant besides its name, as one snapshot: config, limits, connectors, tests.

The Directory alone replaces snapshots; routers, the console and tenants read them, each time anew.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

EMPTY: Mapping[str, Any] = MappingProxyType({})


class Config(NamedTuple):
    """A tenant's config at one revision, frozen at every depth: maps that cannot be set, tuples for lists."""

    revision: int = 0
    """0 before the first change; each change adds 1."""
    settings: Mapping[str, Any] = EMPTY
    whitelabel: Mapping[str, Any] = EMPTY


class TenantLimits(NamedTuple):
    """What one tenant may use; None where nothing but the server's own limits holds."""

    requests_per_second: float | None = None
    burst: int | None = None
    """Requests at once, where the tenant was quiet before; None for one second's worth, at least 1."""
    database_bytes: int | None = None
    """Largest database, in bytes; in place of the server's setting."""
    mailbox: int | None = None
    """Messages that may wait; in place of the server's setting."""
    function_ms_per_second: float | None = None
    """Milliseconds of the processor's time that functions may take in each second, on average over ten."""


class Subscription(NamedTuple):
    """A tenant's right to use a connector, for a time."""

    connector: str
    since: float | None
    """Seconds since the epoch; None for always before."""
    until: float | None
    """Seconds since the epoch; None for as long as nobody ends it."""

    def is_live(self, now: float) -> bool:
        """Whether it holds at this moment, in seconds since the epoch."""
        return (self.since is None or self.since <= now) and (
            self.until is None or now < self.until
        )


class ConnectorSettings(NamedTuple):
    """What a tenant has set for one connector at one revision, its secrets among it. Shows none of them."""

    connector: str
    revision: int
    """Of these settings; each change adds 1."""
    settings: Mapping[str, Any] = EMPTY
    """As they were set, frozen at every depth; secrets as they are, for the outside service alone."""
    problem: str | None = None
    """Why they cannot be read, such as a missing key: `unavailable` until then. None where they can."""

    def __repr__(self) -> str:
        told = f"names={sorted(self.settings)}" if self.problem is None else self.problem
        return f"ConnectorSettings({self.connector!r}, revision={self.revision}, {told})"


class Profile(NamedTuple):
    """All of it, at one moment."""

    config: Config = Config()
    limits: TenantLimits = TenantLimits()
    subscriptions: Mapping[str, Subscription] = EMPTY
    """By the connector's name, those that are over included."""
    tests: frozenset[str] = frozenset()
    """Actions whose versions under user test this tenant gets."""
    is_active: bool = True
    """False while it is suspended, or waits for its deletion: nothing of its outbox leaves."""
    connectors: Mapping[str, ConnectorSettings] = EMPTY
    """What is set, by the connector's name; one that is not here has nothing set."""


DEFAULT_PROFILE = Profile()
"""Of a tenant that nobody has said anything about."""


def may_use(profile: Profile, connector: str, now: float) -> bool:
    """Whether the tenant may use a connector at this moment, in seconds since the epoch; pure."""
    subscription = profile.subscriptions.get(connector)
    return subscription is not None and subscription.is_live(now)


class Profiles:
    """The newest snapshot of every tenant, by the tenant's id. Written by the Directory alone."""

    def __init__(self) -> None:
        self._by_id: dict[str, Profile] = {}

    def of(self, tenant_id: str) -> Profile:
        """The newest; DEFAULT_PROFILE where there is none."""
        return self._by_id.get(tenant_id, DEFAULT_PROFILE)

    def publish(self, tenant_id: str, profile: Profile) -> None:
        """Replace one tenant's."""
        if profile == DEFAULT_PROFILE:
            self._by_id.pop(tenant_id, None)
        else:
            self._by_id[tenant_id] = profile

    def replace(self, profiles: Mapping[str, Profile]) -> None:
        """Replace every tenant's: whoever is not among these is DEFAULT_PROFILE."""
        self._by_id = dict(profiles)

    def forget(self, tenant_id: str) -> None:
        """The tenant has gone."""
        self._by_id.pop(tenant_id, None)


def deep_freeze(value: Any) -> Any:
    """A JSON value that nobody can change: read-only maps, tuples for lists, at every depth."""
    if isinstance(value, Mapping):
        return MappingProxyType({key: deep_freeze(each) for key, each in value.items()})
    if isinstance(value, list | tuple):
        return tuple(deep_freeze(each) for each in value)
    return value


def unfreeze(value: Any) -> Any:
    """A frozen JSON value as plain dicts and lists, for the wire."""
    if isinstance(value, Mapping):
        return {key: unfreeze(each) for key, each in value.items()}
    if isinstance(value, tuple):
        return [unfreeze(each) for each in value]
    return value
