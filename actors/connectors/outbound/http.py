"""One HTTP exchange with a checked address: no redirect, no proxy, no more bytes and time than given.

A client of httpx2 would parse cookies and redirect targets even if it does not follow them; a peer may send
anything there and make it raise. So the transport does the exchange: it reads neither.

The request goes to a checked address, as a URL; the host's name is in the Host header and in the TLS
handshake, and the certificate must be valid for it. Each exchange has its own connection: a connection that
was checked for another name is never reused.

The Retry-After header says how long a service asks clients to wait (RFC 9110, section 10.2.3).
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from actors.connectors.contract import Delivery, Permanent, Transient
from actors.connectors.outbound.boundary import EgressPolicy, remaining
from actors.connectors.outbound.targets import WEB_PORTS, Address, Target, parse_url
from transport.fit import fit_text

if TYPE_CHECKING:
    import httpx2

MAX_RETRY_AFTER = 24 * 3600.0
"""Seconds; a service that asks for more is called again after a day."""

MAX_DIGITS = 9


def retry_after(header: str | None, now: float) -> float | None:
    """Return seconds from now, from either form of the header; None if it is missing or invalid."""
    if header is None:
        return None
    text = header.strip()
    if text.isascii() and text.isdigit():
        return min(float(text[:MAX_DIGITS]), MAX_RETRY_AFTER)
    try:
        date = parsedate_to_datetime(text)
        at = (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp()
    except (ValueError, TypeError, OverflowError, IndexError):
        return None
    return min(max(at - now, 0.0), MAX_RETRY_AFTER)


USER_AGENT = "Tenantry"
"""The User-Agent, without a version."""

REQUEST_STARTED = "http11.send_request_headers.started"
"""The event of httpcore after which the peer may have got the request."""

Ending = Literal["whole", "cut", "lost"]

RETRYABLE = frozenset({408, 425, 429})
"""Statuses below 500 after which a retry may succeed."""


class OutboundRequest(NamedTuple):
    """An HTTP request."""

    method: str
    url: str
    headers: Mapping[str, str] = {}
    body: bytes = b""
    max_bytes: int = 65536
    """Bytes of the response's body that are read at most."""


class Response(NamedTuple):
    """An HTTP response, unchanged: no compressed body is asked for, and none is decompressed."""

    status: int
    headers: Mapping[str, str]
    """By names in lower case."""
    body: bytes
    ending: Ending
    """Whether the body is whole, was cut at `most_bytes`, or was lost on the way."""


class Http:
    """An HTTP client for all tenants; it keeps no connection and no cookie."""

    def __init__(self, egress: EgressPolicy) -> None:
        self._egress = egress
        self._tls_context: ssl.SSLContext | None = None

    def check(self, url: str) -> None:
        """Raise Permanent if the URL can never be reached."""
        self._egress.require_possible(parse_url(url)[1], WEB_PORTS)

    async def exchange(
        self, request: OutboundRequest, delivery: Delivery, seconds: float
    ) -> Response:
        """Send the request and return the response, within so many seconds and the deadline.

        Permanent if the target is refused. Transient if no status was received; its text says whether the
        request may have arrived. Every status is a response.
        """
        url, target = parse_url(request.url)
        attempt = _Attempt(url, target, request)
        try:
            async with asyncio.timeout(remaining(delivery, seconds)):
                return await self._first_reached(attempt)
        except TimeoutError:
            return attempt.response("did not answer in time")

    async def _first_reached(self, attempt: _Attempt) -> Response:
        import httpx2

        addresses = await self._egress.addresses(attempt.target, WEB_PORTS)
        for address in addresses:
            try:
                await attempt.send_to(address, self._context())
            except httpx2.ConnectError as error:
                attempt.record_error(error)
            except (httpx2.HTTPError, OSError, ValueError):
                return attempt.response("closed the connection or did not speak HTTP")
            else:
                return attempt.response("")
        return attempt.response(attempt.problem)

    def _context(self) -> ssl.SSLContext:
        if self._tls_context is None:
            self._tls_context = self._egress.tls_context()
        return self._tls_context


class _Attempt:
    """One request and its progress."""

    def __init__(self, url: httpx2.URL, target: Target, request: OutboundRequest) -> None:
        self.target = target
        self.problem = "cannot be reached"
        self._url = url
        self._request = request
        self._begun = False
        self._head: httpx2.Response | None = None
        self._body = bytearray()
        self._ending: Ending = "lost"

    async def send_to(self, address: Address, trust: ssl.SSLContext) -> None:
        """Send the request to this address and read the response up to its limit."""
        import httpx2

        request = httpx2.Request(
            self._request.method,
            self._url.copy_with(host=str(address)),
            headers=self._headers(),
            content=self._request.body,
            extensions={"sni_hostname": self.target.host, "trace": self._trace},
        )
        async with httpx2.AsyncHTTPTransport(verify=trust, trust_env=False) as transport:
            self._head = await transport.handle_async_request(request)
            try:
                await self._read(self._head)
            finally:
                await self._head.aclose()

    def record_error(self, error: httpx2.ConnectError) -> None:
        """Record why an address could not be reached."""
        if "CERTIFICATE_VERIFY_FAILED" in str(error):
            self.problem = "has no certificate for that name that is trusted here"

    def response(self, trouble: str) -> Response:
        """Return the response received so far; Transient if there is no status."""
        if self._head is None:
            lost = "; it may have got the request all the same" if self._begun else ""
            said = f"{self.target.host} {trouble}{lost}"
            raise Transient(said) from None
        headers = {name.lower(): fit_text(value) for name, value in self._head.headers.items()}
        return Response(self._head.status_code, headers, bytes(self._body), self._ending)

    async def _read(self, response: httpx2.Response) -> None:
        async for piece in response.aiter_raw():
            self._body += piece
            if len(self._body) > self._request.max_bytes:
                del self._body[self._request.max_bytes :]
                self._ending = "cut"
                return
        self._ending = "whole"

    def _headers(self) -> dict[str, str]:
        own = {"host": self._url.netloc.decode("ascii"), "user-agent": USER_AGENT, "accept": "*/*"}
        return {
            **own,
            "accept-encoding": "identity",
            "connection": "close",
            **self._request.headers,
        }

    async def _trace(self, event: str, _: Mapping[str, Any]) -> None:
        self._begun = self._begun or event == REQUEST_STARTED


def refuse(host: str, response: Response, now: float) -> None:
    """Raise Transient or Permanent unless the status is a success (2xx). `now` is time.time()."""
    status = response.status
    if 200 <= status < 300:
        return
    said = f"{host} answered {status}"
    if status in RETRYABLE or status >= 500:
        raise Transient(said, retry_after(response.headers.get("retry-after"), now))
    if 300 <= status < 400:
        raise Permanent(f"{said}: redirects are not followed, give the address it moved to")
    raise Permanent(said)
