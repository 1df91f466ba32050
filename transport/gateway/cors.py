"""What browsers ask before a page of another origin may call (CORS), and the headers of its answers."""

from __future__ import annotations

from typing import Final

from transport.gateway.http_request import Headers, Scope
from transport.gateway.http_response import Pairs
from transport.gateway.origins import Origins

PREFLIGHT_SECONDS: Final = 600
"""Seconds for which a browser may keep the answer to a preflight."""

_PREFLIGHT: Final[Pairs] = [
    (b"access-control-allow-methods", b"GET, POST"),
    (
        b"access-control-allow-headers",
        b"authorization, content-type, idempotency-key, if-none-match, timeout-ms, traceparent",
    ),
    (b"access-control-max-age", b"%d" % PREFLIGHT_SECONDS),
]

_EXPOSED: Final = (b"access-control-expose-headers", b"etag, idempotency-key, retry-after")


class Cors:
    """Checks the origin of a request that has one."""

    def __init__(self, origins: Origins) -> None:
        self._origins = origins

    async def check(self, headers: Headers, tenant: str | None) -> Pairs:
        """Return the headers of the answer. HttpRefusal if the page may not call."""
        origin = headers.text(b"origin")
        if origin is None:
            return []
        await self._origins.require(origin, headers.text(b"host"), tenant)
        return _allowed(origin)

    def remembered(self, scope: Scope) -> Pairs:
        """Return the headers of a refusal that comes before the check, so that the page can read it.

        The server is not asked: the page's origin was checked before, or the page cannot read it.
        """
        given = {name: value.decode("latin-1").strip() for name, value in scope["headers"]}
        origin = given.get(b"origin")
        tenant = scope["path"].split("/")[2]
        if origin is None or not self._origins.remembers(origin, given.get(b"host"), tenant):
            return []
        return _allowed(origin)


def _allowed(origin: str) -> Pairs:
    allowed = (b"access-control-allow-origin", origin.encode("latin-1"))
    return [allowed, _EXPOSED, (b"vary", b"origin")]


def preflight_headers(allowed: Pairs) -> Pairs:
    """Return the headers of the answer to a preflight from an origin that was checked."""
    return [*allowed, *_PREFLIGHT]
