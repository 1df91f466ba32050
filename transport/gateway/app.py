"""The gateway's ASGI application: which path is served by what."""

from __future__ import annotations

from typing import Any

from transport.gateway.actions import Actions
from transport.gateway.admission import AddressAdmission
from transport.gateway.catalogue import Catalogue
from transport.gateway.cors import Cors
from transport.gateway.guarded_http import HttpConnections
from transport.gateway.health import Health
from transport.gateway.http_request import Receive, Scope, Send
from transport.gateway.http_response import respond_refusal
from transport.gateway.metrics import PATH as METRICS
from transport.gateway.metrics import GatewayFigures, GatewayMetrics
from transport.gateway.origins import Origins
from transport.gateway.proxies import TrustedProxies, networks_of
from transport.gateway.reference.endpoint import Reference
from transport.gateway.server_link import ServerLink
from transport.gateway.settings import GatewaySettings
from transport.gateway.statuses import no_such_path
from transport.gateway.websocket.registry import Sockets
from transport.validation import LIMITS


class Gateway:
    """Serves HTTP. The link to the server lives as long as the application does."""

    def __init__(self, settings: GatewaySettings) -> None:
        self.limits = LIMITS._replace(body_bytes=settings.body_bytes)
        self.link = ServerLink(settings.server, settings.keys())
        self.connections = HttpConnections(settings.connections, settings.connections_of_address)
        self.sockets = Sockets(settings.sockets, settings.sockets_of_address)
        self.origins = Origins(self.link, settings.origins)
        self.proxies = TrustedProxies(networks_of(settings.trusted_proxies))
        self.admission = AddressAdmission(settings.address_rate, self.proxies)
        catalogue = Catalogue(self.link)
        self._actions = Actions(
            self.link, catalogue, Cors(self.origins), self.admission, settings.body_bytes
        )
        self._reference = Reference(catalogue, self.admission)
        self._health = Health(self.link)
        self.figures = GatewayFigures()
        self._metrics = GatewayMetrics(self, networks_of(settings.metrics_networks))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, or start and stop with the process."""
        if scope["type"] == "http":
            await self._serve(scope, receive, send)
        elif scope["type"] == "lifespan":
            await self._live(receive, send)

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, and count its response."""

        async def counted(message: dict[str, Any]) -> None:
            if message["type"] == "http.response.start":
                self.figures.responses[message["status"]] += 1
            await send(message)

        await self._route(scope, receive, counted)

    async def _route(self, scope: Scope, receive: Receive, send: Send) -> None:
        path: str = scope["path"]
        if path.startswith("/v1/"):
            await self._actions(scope, receive, send)
        elif path in self._health.paths:
            await self._health(scope, receive, send)
        elif path in self._reference.paths:
            await self._reference(scope, send)
        elif path == METRICS:
            await self._metrics(scope, send)
        else:
            await respond_refusal(send, no_such_path(), "")

    async def _live(self, receive: Receive, send: Send) -> None:
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                self.link.start()
                self.sockets.start()
                self.connections.start()
                await send({"type": "lifespan.startup.complete"})
            else:
                self.connections.stop()
                self.sockets.stop()
                self.link.close()
                await send({"type": "lifespan.shutdown.complete"})
                return
