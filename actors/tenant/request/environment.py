"""The environment of one tenant's requests: what they are served with, adopted between two of them.

That is the routing table, and the tenant's profile: config, limits, subscriptions.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

from actors.index.entries import Operation
from actors.messages import Principal, TenantRecord, TenantRequest
from actors.profiles import DEFAULT_PROFILE, Config, Profile, Profiles
from actors.registry.snapshot import RoutingSnapshot, select_healthy
from actors.routing.route import Route
from actors.routing.table import RoutingTable
from actors.runtime.rate_limit import CpuBudget, cpu_budget
from actors.screening.fields import FieldScreen
from actors.screening.turn import SMALL_BYTES, Params
from actors.tenant.database.constants import allowed_sql
from actors.tenant.database.database import TenantDatabase
from actors.tenant.request.connector_calls import require_subscribed
from actors.tenant.storage.files import Storage


class TenantEnvironment:
    """Belongs to the tenant's turn alone, and lives as long as its open database."""

    def __init__(
        self,
        record: TenantRecord,
        storage: Storage,
        snapshot: RoutingSnapshot,
        profiles: Profiles,
        database: TenantDatabase,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`clock` returns the seconds since the epoch."""
        self.record = record
        """The tenant."""
        self.database = database
        """Its open database."""
        self.snapshot = snapshot
        """What the Registry publishes."""
        self.profile = DEFAULT_PROFILE
        """The profile adopted last."""
        self.cpu_budget: CpuBudget | None = None
        """The CPU budget of functions; None if they have no limit."""
        self._storage = storage
        self._profiles = profiles
        self._clock = clock
        self._adopt_table(snapshot.current)

    def refresh(self) -> None:
        """Adopt what was published last; each request does so first, when no function is running."""
        profile = self._profiles.of(self.record.id)
        if profile is not self.profile:
            self._adopt_profile(profile)
        if self.snapshot.current is not self.table:
            self._adopt_table(self.snapshot.current)

    @property
    def config(self) -> Config:
        """The config adopted last."""
        return self.profile.config

    def now(self) -> datetime:
        """Return the time that a function gets, in UTC."""
        return datetime.fromtimestamp(self._clock(), UTC)

    def version(self, action: str, caller: Principal) -> Route:
        """Return the version for this tenant: a tester's own first, and none that was taken out.

        Raises Unimplemented if there is no such action.
        """
        route = self.table.routes.get(action) or self.table.find(action, caller)
        if action in self.profile.tests:
            route = self.table.testers.get(action, route)
        detector = route.detector
        if detector is None or not (detector.is_tripped or detector.by_tenant):
            return route
        return select_healthy(route, self.record.id)

    def to_screen(self, mail: Sequence[Any]) -> dict[FieldScreen, list[Params]]:
        """Return the params of the small requests in a turn's mail, by what screens them."""
        by_action: dict[str, list[Params]] = {}
        for each in mail:
            if type(each) is TenantRequest and each.size <= SMALL_BYTES:
                request = each.request
                by_action.setdefault(request.action, []).append(request.params)
        routes = self.table.routes
        return {
            route.screen: several
            for action, several in by_action.items()
            if (route := routes.get(action)) is not None
            and route.screen is not None
            and route.screen.flat
        }

    def require_subscribed(self, operation: Operation) -> None:
        """Raise NotSubscribed if the tenant may not use this operation now."""
        require_subscribed(operation, self._profiles.of(self.record.id), self.table)

    def _adopt_profile(self, profile: Profile) -> None:
        before, now = self.profile.limits, profile.limits
        if now.database_bytes != before.database_bytes:
            self.database.limit_size(now.database_bytes or self._storage.database_bytes)
        if now.function_ms_per_second != before.function_ms_per_second:
            self.cpu_budget = cpu_budget(self.record.name, now.function_ms_per_second)
        self.profile = profile

    def _adopt_table(self, table: RoutingTable) -> None:
        self.table = table
        """The routing table in use."""
        self.database.allowed_sql = allowed_sql(table.modules)
