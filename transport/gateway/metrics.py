"""The gateway's figures for Prometheus: /metrics, for addresses of the operator's networks alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from ipaddress import IPv4Network, IPv6Network, ip_address
from typing import TYPE_CHECKING, Final

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from transport.gateway.http_request import Scope, Send
from transport.gateway.http_response import respond, respond_refusal
from transport.gateway.statuses import OK, no_such_path

if TYPE_CHECKING:
    from transport.gateway.app import Gateway

PATH: Final = "/metrics"


class GatewayFigures:
    """What is counted on the way of a request."""

    def __init__(self) -> None:
        self.responses: Counter[int] = Counter()
        """HTTP responses by status."""
        self.replies: Counter[str] = Counter()
        """Replies over WebSockets, by error code; `ok` for the others."""


class GatewayMetrics(Collector):
    """The endpoint; reads everything when it is asked."""

    def __init__(self, gateway: Gateway, networks: Sequence[IPv4Network | IPv6Network]) -> None:
        self._gateway = gateway
        self._networks = networks
        self._registry = CollectorRegistry()
        self._registry.register(self)

    async def __call__(self, scope: Scope, send: Send) -> None:
        """Serve one request. Others than the operator's learn nothing, also that there is such a path."""
        peer = scope["client"][0] if scope["client"] else ""
        is_forwarded = any(name == b"x-forwarded-for" for name, _ in scope["headers"])
        if is_forwarded or not self._is_operator(peer):
            await respond_refusal(send, no_such_path(), "")
            return
        kind = b"text/plain; version=0.0.4; charset=utf-8"
        await respond(send, OK, [(b"content-type", kind)], generate_latest(self._registry))

    def collect(self) -> Iterator[Metric]:
        """Yield all figures."""
        gateway, figures = self._gateway, self._gateway.figures
        responses = CounterMetricFamily(
            "tenantry_gateway_responses", "HTTP responses.", labels=["status"]
        )
        for status, count in sorted(figures.responses.items()):
            responses.add_metric([str(status)], count)
        replies = CounterMetricFamily(
            "tenantry_gateway_socket_replies", "Replies over WebSockets.", labels=["code"]
        )
        for code, count in sorted(figures.replies.items()):
            replies.add_metric([code], count)
        yield from (responses, replies)
        for name, words, value in (
            ("connections", "Open connections that speak HTTP.", len(gateway.connections)),
            ("sockets", "Open WebSockets.", len(gateway.sockets)),
            ("in_flight", "Requests that wait for the server.", gateway.link.count),
            ("connected", "1 with a connection to the server.", int(gateway.link.is_connected)),
        ):
            yield GaugeMetricFamily(f"tenantry_gateway_{name}", words, value)

    def _is_operator(self, peer: str) -> bool:
        try:
            address = ip_address(peer)
        except ValueError:
            return False
        return any(address in network for network in self._networks)
