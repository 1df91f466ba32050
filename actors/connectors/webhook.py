"""Webhooks: an event as JSON to a URL of the tenant, signed as Standard Webhooks specifies.

Source: standard-webhooks, spec/standard-webhooks.md, version 1.0.0. The signature covers the id, the time of
the attempt and the body. The id is the delivery's key: a receiver recognises a repeated event by it.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

from standardwebhooks import Webhook

from actors.connectors.contract import Delivery, Outer, Permanent, Settings
from actors.connectors.outbound.boundary import EgressPolicy
from actors.connectors.outbound.http import Http, OutboundRequest, Response, refuse
from actors.connectors.outbound.targets import parse_url
from actors.host.clocks import rfc3339
from transport.fit import fit_text

MAX_PAYLOAD = 256 * 1024
"""Bytes of JSON at most; the specification recommends less than 20 KB."""

MAX_RESPONSE = 4096
"""Bytes of the response that are kept."""

KEPT_HEADERS = ("content-type", "x-request-id")
"""Headers of the response that are kept, at most LONGEST_HEADER characters of each."""

MAX_HEADER = 200

SECRET_START = "whsec_"  # noqa: S105 - what every secret begins with, and no secret
SECRET_BYTES = range(24, 65)
"""Bytes of a secret (specification, Signature scheme)."""

_ID = re.compile(r"[!-\-/-~]{1,200}\Z")
"""Visible characters without the full stop, which separates the signed values."""

GONE = 410
"""Status of a receiver that wants no further events (specification, Responses)."""


class WebhookConnector:
    """`webhook.post`."""

    def __init__(self, egress: EgressPolicy) -> None:
        self._http = Http(egress)

    def check(self, settings: Settings) -> None:
        """Raise Permanent if these settings can never work."""
        for secret in settings.secrets:
            _key(secret)
        if settings.url is not None:
            self._http.check(settings.url)

    def outer(self, delivery: Delivery, params: Mapping[str, Any], settings: Settings) -> Outer:
        """Return id and body, and the URL if the function named one: the tenant's own URL is a secret."""
        url = params.get("url")
        if url is None and settings.url is None:
            raise Permanent("there is no url, neither in the params nor in the settings")
        parse_url(url or settings.url)
        when = rfc3339(delivery.at, "auto")
        event = {"type": params["type"], "timestamp": when, "data": params.get("payload") or {}}
        body = _json(event)
        if len(body.encode()) > MAX_PAYLOAD:
            raise Permanent(f"the event is larger than {MAX_PAYLOAD} bytes as JSON")
        return {"url": url, "id": _id(delivery.key), "body": body}

    async def exchange(self, delivery: Delivery, outer: Outer, settings: Settings) -> Outer:
        """Sign, post, and read the start of the response. An accepted event counts, even if reading fails."""
        headers = signed_headers(outer["id"], outer["body"], settings.secrets, time.time())
        url = outer["url"] or settings.url
        if url is None:
            raise Permanent("the settings have no url any more")
        request = OutboundRequest("POST", url, headers, outer["body"].encode(), MAX_RESPONSE)
        response = await self._http.exchange(request, delivery, settings.timeout)
        host = parse_url(url)[1].host
        if response.status == GONE:
            raise Permanent(f"{host} answered {GONE}: it wants no events any more")
        refuse(host, response, time.time())
        return _outer_response(response)

    def inner(self, delivery: Delivery, response: Outer) -> dict[str, Any]:  # noqa: ARG002 - as every connector
        """Return the response with its body as text."""
        body = fit_text(base64.b64decode(response["body"]).decode("utf-8", errors="replace"))
        return {**response, "body": body}

    async def close(self) -> None:
        """Nothing is held open."""


def signed_headers(message_id: str, body: str, secrets: list[str], now: float) -> dict[str, str]:
    """Return the headers of an attempt made now: a signature for each secret. Permanent if one is invalid."""
    moment = datetime.fromtimestamp(int(now), UTC)
    signatures = [Webhook(_key(secret)).sign(message_id, moment, body) for secret in secrets]
    return {
        "content-type": "application/json",
        "webhook-id": message_id,
        "webhook-timestamp": str(int(now)),
        "webhook-signature": " ".join(signatures),
    }


def _key(secret: str) -> bytes:
    try:
        key = base64.b64decode(secret.removeprefix(SECRET_START), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) not in SECRET_BYTES or not secret.startswith(SECRET_START):
        raise Permanent(
            f"a secret is {SECRET_START} and the base64 of {SECRET_BYTES.start} to {SECRET_BYTES[-1]} bytes"
        )
    return key


def _id(key: str) -> str:
    """Return the key if it can be signed and sent, otherwise its digest."""
    return key if _ID.match(key) else f"msg_{sha256(key.encode(errors='replace')).hexdigest()[:40]}"


def _json(event: dict[str, Any]) -> str:
    try:
        text = json.dumps(event, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
        text.encode()
    except (TypeError, ValueError, RecursionError):
        raise Permanent("the payload is no JSON") from None
    return text


def _outer_response(response: Response) -> Outer:
    kept = {name: response.headers.get(name) for name in KEPT_HEADERS}
    return {
        "status": response.status,
        "headers": {name: value[:MAX_HEADER] for name, value in kept.items() if value},
        "body": base64.b64encode(response.body).decode(),
        "truncated": response.ending != "whole",
    }
