"""Figures as `stats.*` answers them: JSON maps, the busiest first."""

from __future__ import annotations

import heapq
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from actors.log.messages import OK
from actors.log.metrics.figures import Metrics, RateWindow, Series, TenantMetrics, Timings
from actors.log.metrics.histogram import BOUNDS_MS, Histogram

BUSIEST = 50
"""Tenants that are listed."""

PERCENTILES = {"p50": 0.5, "p95": 0.95, "p99": 0.99}
"""The percentiles that are told."""

RATE_PERIODS = {"minute": 60.0, "five_minutes": 300.0}
"""The times that rates are told for, in seconds."""

Counts = Mapping[Series, int]
"""How many messages of each series."""


class Summary:
    """What the figures say at one moment."""

    def __init__(self, figures: Metrics, now: float) -> None:
        """`now` in seconds of the clock that the figures go by."""
        self._metrics = figures
        self._now = now

    def of_all(self) -> dict[str, Any]:
        """All messages, and what no message tells."""
        events = sorted(self._metrics.events.items())
        return {
            "figures": self._of_series(self._metrics.series.values()),
            "events": [{"name": name, "count": count} for name, count in events],
        }

    def of_tenant(self, tenant_id: str) -> dict[str, Any]:
        """One tenant's messages."""
        return {"figures": self._of_tenant(tenant_id, self._tenant(tenant_id))}

    def of_actions(self, only: str | None) -> dict[str, Any]:
        """Each action by itself, the most frequent first; or only one, with how many took how long."""
        groups = _grouped(self._metrics.series.values(), only)
        return {
            "actions": _sorted(
                {
                    "action": action,
                    "figures": self._of_series(group),
                    **({"handled": _format_buckets(group)} if only else {}),
                }
                for action, group in groups.items()
            )
        }

    def of_tenants_actions(self, tenant_id: str, only: str | None) -> dict[str, Any]:
        """The same of one tenant: only counted, as no times are kept of each."""
        counts = self._tenant(tenant_id).outcomes
        groups = _grouped(counts, only)
        return {
            "actions": _sorted(
                {
                    "action": action,
                    "figures": _format_counts({each: counts[each] for each in group}),
                }
                for action, group in groups.items()
            )
        }

    def of_tenants(self) -> dict[str, Any]:
        """The busiest by themselves, and those that are not counted by themselves any more."""
        idle = self._metrics.idle
        return {
            "tenants": self._busiest(),
            "others": {"tenants": idle.tenants, "figures": _format_counts(idle.figures.outcomes)},
        }

    def _busiest(self) -> list[dict[str, Any]]:
        """By how much they asked for in the last five minutes, then by all they have."""
        tenants = self._metrics.tenants
        rated = (
            (self._five_minutes(tenant_id, tenant), tenant.requests, tenant_id)
            for tenant_id, tenant in tenants.items()
        )
        return [
            {
                "tenant": tenants[tenant_id].name,
                "figures": self._of_tenant(tenant_id, tenants[tenant_id]),
            }
            for _, _, tenant_id in heapq.nlargest(BUSIEST, rated)
        ]

    def _tenant(self, tenant_id: str) -> TenantMetrics:
        """Its figures; empty ones where it has asked for nothing."""
        return self._metrics.tenants.get(tenant_id) or TenantMetrics("")

    def _of_series(self, series: Collection[Series]) -> dict[str, Any]:
        timings = Timings()
        for each in series:
            timings.merge(each.timings)
        return {
            **_format_counts({each: each.requests for each in series}),
            "replayed": sum(each.replayed for each in series),
            "reply_bytes": sum(each.reply_bytes for each in series),
            **_format_timings(timings),
            "per_second": self._rates_of(series),
        }

    def _of_tenant(self, tenant_id: str, tenant: TenantMetrics) -> dict[str, Any]:
        window = self._metrics.by_tenant
        return {
            **_format_counts(tenant.outcomes),
            **_format_timings(tenant.timings),
            "per_second": self._rates(window, {tenant_id: tenant.requests}),
        }

    def _rates_of(self, series: Collection[Series]) -> dict[str, float]:
        """Of one or several actions together."""
        totals: Counter[str] = Counter()
        for each in series:
            totals[each.action] += each.requests
        return self._rates(self._metrics.by_action, totals)

    def _rates(self, window: RateWindow, totals: Mapping[str, int]) -> dict[str, float]:
        return {
            name: round(window.per_second(totals, self._now, seconds), 3)
            for name, seconds in RATE_PERIODS.items()
        }

    def _five_minutes(self, tenant_id: str, tenant: TenantMetrics) -> float:
        return self._metrics.by_tenant.per_second(
            {tenant_id: tenant.requests}, self._now, RATE_PERIODS["five_minutes"]
        )


def _grouped(series: Iterable[Series], only: str | None) -> dict[str, list[Series]]:
    """By their actions."""
    found = defaultdict(list)
    for each in series:
        if only in (None, each.action):
            found[each.action].append(each)
    return found


def _format_counts(counts: Counts) -> dict[str, Any]:
    """How many, how many of them were refused or failed, and each outcome."""
    outcomes: dict[str, int] = defaultdict(int)
    for series, count in counts.items():
        outcomes[series.outcome] += count
    total = sum(outcomes.values())
    return {
        "requests": total,
        "errors": total - outcomes.get(OK, 0),
        "outcomes": [
            {"outcome": outcome, "requests": count}
            for outcome, count in sorted(outcomes.items(), key=lambda each: (-each[1], each[0]))
        ],
    }


def _sorted(actions: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """The most frequent first."""
    return sorted(actions, key=lambda each: (-each["figures"]["requests"], each["action"]))


def _format_buckets(series: Iterable[Series]) -> list[dict[str, Any]]:
    """Return how many requests took how long, without the times that none took."""
    timings = Timings()
    for each in series:
        timings.merge(each.timings)
    bounds = (*BOUNDS_MS, None)
    return [
        {"up_to_ms": bound, "requests": count}
        for bound, count in zip(bounds, timings.handled.counts, strict=True)
        if count
    ]


def _format_timings(timings: Timings) -> dict[str, Any]:
    return {
        "queued_ms": _percentiles(timings.queued),
        "handled_ms": _percentiles(timings.handled),
    }


def _percentiles(histogram: Histogram) -> dict[str, float | None]:
    found = histogram.percentiles(PERCENTILES.values())
    return {
        name: value if value is None else round(value, 3)
        for name, value in zip(PERCENTILES, found, strict=True)
    }
