"""Whether a WebSocket may be opened: its path, its subprotocol, its page, and how many there are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qsl

from websockets.datastructures import Headers
from websockets.typing import Subprotocol

from transport.gateway.actions import TENANT
from transport.gateway.statuses import invalid, no_such_path

if TYPE_CHECKING:
    from transport.gateway.app import Gateway
    from transport.gateway.websocket.connection import WebSocket

PATH: Final = "/v1/ws"

SUBPROTOCOL: Final = Subprotocol("tenantry.v1")


async def admit(gateway: Gateway, socket: WebSocket, target: str, headers: Headers) -> str | None:
    """Return the only tenant that the socket may name; None for any.

    `target` is the path with its query. HttpRefusal if it may not be opened.
    """
    path, _, query = target.partition("?")
    if path != PATH:
        raise no_such_path()
    tenant = _tenant_in(query)
    offered = ",".join(headers.get_all("Sec-WebSocket-Protocol")).split(",")
    if SUBPROTOCOL not in (each.strip() for each in offered):
        raise invalid(f"offer the subprotocol {SUBPROTOCOL}", "sec-websocket-protocol")
    origins = headers.get_all("Origin")
    if len(origins) > 1:
        raise invalid("came twice", "origin")
    socket.address = gateway.proxies.client(socket.peer, headers.get_all("X-Forwarded-For"))
    gateway.sockets.add(socket)
    if not origins:
        return None
    hosts = headers.get_all("Host")
    await gateway.origins.require(origins[0], hosts[0] if hosts else None, tenant)
    return tenant


def _tenant_in(query: str) -> str | None:
    """Return the tenant that a query names. It may name nothing else: URLs end up in logs."""
    pairs = parse_qsl(query, keep_blank_values=True)
    if not query:
        return None
    if len(pairs) != 1 or pairs[0][0] != "tenant":
        raise invalid("the query may be tenant=NAME alone; a token is sent in a message")
    if not TENANT.match(pairs[0][1]):
        raise invalid("is no name of a tenant", "tenant")
    return pairs[0][1]
