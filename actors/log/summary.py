"""Figures as `stats.*` answers them: JSON maps, the busiest first."""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from actors.log.figures import Figures, Series, TenantFigures, Timings
from actors.log.histogram import Histogram
from actors.log.messages import OK
from actors.log.window import Window

BUSIEST = 50
"""Tenants that are listed."""

SHARES = {"p50": 0.5, "p95": 0.95, "p99": 0.99}
"""The percentiles that are told."""

Counts = Mapping[Series, int]
"""How many messages of each series."""


class Summary:
    """What the figures say at one moment."""

    def __init__(self, figures: Figures, now: float) -> None:
        """`now` in seconds of the clock that the figures go by."""
        self._figures = figures
        self._now = now

    def of_all(self, action: str | None = None) -> dict[str, Any]:
        """All messages, or those of one action."""
        series = [each for each in self._figures.series.values() if action in (None, each.action)]
        return {
            "figures": self._of_series(series, self._rates_of(series)),
            "actions": self._by_action(series),
            "tenants": self._busiest(),
            "others": {
                "tenants": self._figures.quiet.tenants,
                "figures": _counted(self._figures.quiet.figures.outcomes),
            },
            "events": [
                {"name": name, "count": count}
                for name, count in sorted(self._figures.events.items())
            ],
        }

    def of_tenant(self, tenant_id: str, action: str | None = None) -> dict[str, Any]:
        """One tenant's messages, or those of one action: these only counted, as no times are kept of them."""
        tenant = self._figures.tenants.get(tenant_id) or TenantFigures("")
        counts = {
            series: count
            for series, count in tenant.outcomes.items()
            if action in (None, series.action)
        }
        figures = self._of_tenant(tenant_id, tenant) if action is None else _counted(counts)
        return {"figures": figures, "actions": _counted_by_action(counts)}

    def _by_action(self, series: Iterable[Series]) -> list[dict[str, Any]]:
        window = self._figures.by_action
        listed = [
            {
                "action": action,
                "figures": self._of_series(group, self._rates(window, action, _sum(group))),
            }
            for action, group in _grouped(series).items()
        ]
        return _ordered(listed)

    def _busiest(self) -> list[dict[str, Any]]:
        """By how much they asked for in the last five minutes, then by all they have."""
        tenants = self._figures.tenants
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

    def _of_series(
        self, series: Iterable[Series], per_second: Mapping[str, float]
    ) -> dict[str, Any]:
        group = list(series)
        timings = Timings()
        for each in group:
            timings.merge(each.timings)
        return {
            **_counted({each: each.requests for each in group}),
            "replayed": sum(each.replayed for each in group),
            "reply_bytes": sum(each.reply_bytes for each in group),
            **_timed(timings),
            "per_second": per_second,
        }

    def _of_tenant(self, tenant_id: str, tenant: TenantFigures) -> dict[str, Any]:
        window = self._figures.by_tenant
        return {
            **_counted(tenant.outcomes),
            **_timed(tenant.timings),
            "per_second": self._rates(window, tenant_id, tenant.requests),
        }

    def _rates_of(self, series: Iterable[Series]) -> dict[str, float]:
        """Of several actions together."""
        window = self._figures.by_action
        rates = [
            self._rates(window, action, _sum(group)) for action, group in _grouped(series).items()
        ]
        return {
            name: round(sum(each[name] for each in rates), 3) for name in ("minute", "five_minutes")
        }

    def _rates(self, window: Window, key: str, total: int) -> dict[str, float]:
        return {
            "minute": round(window.per_second(key, total, self._now, 60.0), 3),
            "five_minutes": round(window.per_second(key, total, self._now, 300.0), 3),
        }

    def _five_minutes(self, tenant_id: str, tenant: TenantFigures) -> float:
        return self._figures.by_tenant.per_second(tenant_id, tenant.requests, self._now, 300.0)


def _grouped(series: Iterable[Series]) -> dict[str, list[Series]]:
    found = defaultdict(list)
    for each in series:
        found[each.action].append(each)
    return found


def _sum(series: Iterable[Series]) -> int:
    return sum(each.requests for each in series)


def _counted(counts: Counts) -> dict[str, Any]:
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


def _counted_by_action(counts: Counts) -> list[dict[str, Any]]:
    listed = [
        {"action": action, "figures": _counted({each: counts[each] for each in group})}
        for action, group in _grouped(counts).items()
    ]
    return _ordered(listed)


def _ordered(actions: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """The most frequent first."""
    return sorted(actions, key=lambda each: (-each["figures"]["requests"], each["action"]))


def _timed(timings: Timings) -> dict[str, Any]:
    return {
        "queued_ms": _percentiles(timings.queued),
        "handled_ms": _percentiles(timings.handled),
    }


def _percentiles(histogram: Histogram) -> dict[str, float | None]:
    found = histogram.percentiles(SHARES.values())
    return {
        name: value if value is None else round(value, 3)
        for name, value in zip(SHARES, found, strict=True)
    }
