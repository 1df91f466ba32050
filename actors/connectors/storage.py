"""Files in a tenant's bucket of an S3-compatible service.

obstore signs requests (AWS Signature Version 4, in the query), and our own HTTP client sends them: so only
checked addresses are reached, no redirect is followed, and the environment (AWS_*, proxies) has no effect.

An object's name is a path below a prefix, in canonical form, that cannot leave the prefix.
"""

from __future__ import annotations

import base64
import binascii
import re
import time
import unicodedata
from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import obstore
from obstore.exceptions import BaseError
from obstore.store import S3Store

from actors.connectors.contract import Delivery, Outer, Permanent, Settings, Transient
from actors.connectors.outbound.boundary import EgressPolicy
from actors.connectors.outbound.http import Http, OutboundRequest, Response, refuse
from actors.connectors.outbound.targets import Target, parse_url

if TYPE_CHECKING:
    from obstore.store import S3Credential


MAX_KEY_BYTES = 900
"""Bytes of UTF-8, prefix included, of the 1,024 that S3 allows: a URL must hold them, too."""

_FORBIDDEN = frozenset("\\\u2028\u2029")


def object_key(prefix: str, key: str) -> str:
    """Return the whole key, composed (NFC); Permanent unless both are paths of plain parts."""
    whole = f"{_path(prefix, 'prefix')}/{_path(key, 'key')}"
    if len(whole.encode()) > MAX_KEY_BYTES:
        raise Permanent(f"the key with its prefix is longer than {MAX_KEY_BYTES} bytes")
    return whole


def _path(text: str, field: str) -> str:
    path = unicodedata.normalize("NFC", text)
    if any(unicodedata.category(sign) in ("Cc", "Cs") or sign in _FORBIDDEN for sign in path):
        raise Permanent(f"{field} holds a control character or a backslash")
    if any(part in ("", ".", "..") for part in path.split("/")):
        raise Permanent(
            f"{field} must be a path such as invoices/7.pdf: no / around it, no . and no .."
        )
    return path


MAX_OBJECT_BYTES = 2 * 1024 * 1024
"""Bytes of one object: as base64 it still fits a row of a tenant's database."""

MAX_LINK_SECONDS = 7 * 24 * 3600
"""Seconds; the signature allows no more."""

REQUEST_SECONDS = 300
"""Seconds for which our own requests are signed: clocks differ."""

METHODS = {"put": "PUT", "get": "GET", "remove": "DELETE"}
"""HTTP methods by operation; a link has the requested one."""

BINARY = "application/octet-stream"

_CODE = re.compile(rb"<Code>([A-Za-z]{1,60})</Code>")
_TYPE = re.compile(r"[ -~]{1,200}\Z")
_KEY = re.compile(r"[!-~]{1,500}\Z")


class StorageConnector:
    """`storage.put`, `storage.get`, `storage.link`, `storage.remove`."""

    def __init__(self, egress: EgressPolicy) -> None:
        self._http = Http(egress)

    def check(self, settings: Settings) -> None:
        """Raise Permanent if these settings can never work."""
        self._http.check(settings.endpoint)
        _endpoint(settings)
        for name in ("access_key", "secret_key"):
            if not _KEY.match(getattr(settings, name)):
                raise Permanent(f"{name} holds a space, a line end or another sign that no key has")
        if settings.prefix is not None:
            object_key(settings.prefix, "x")

    def outer(self, delivery: Delivery, params: Mapping[str, Any], settings: Settings) -> Outer:
        """Return method, whole key and content; the request is signed when it is sent."""
        prefix = delivery.tenant if settings.prefix is None else settings.prefix
        whole = {"key": object_key(prefix, params["key"])}
        if delivery.operation == "link":
            return {**whole, "method": params.get("method", "GET"), "seconds": _seconds(params)}
        whole["method"] = METHODS[delivery.operation]
        if delivery.operation == "put":
            whole["content_type"] = _content_type(params)
            whole["content"] = base64.b64encode(_content(params)).decode()
        return whole

    async def exchange(self, delivery: Delivery, outer: Outer, settings: Settings) -> Outer:
        """Sign the request, and send it unless it is a link. Every operation is idempotent."""
        if delivery.operation == "link":
            url = await _signed_url(settings, outer, outer["seconds"])
            return {"url": url, "expires_at": time.time() + outer["seconds"]}
        url = await _signed_url(settings, outer, REQUEST_SECONDS)
        headers = {"content-type": outer["content_type"]} if "content" in outer else {}
        content = base64.b64decode(outer.get("content", ""))
        request = OutboundRequest(outer["method"], url, headers, content, MAX_OBJECT_BYTES)
        response = await self._http.exchange(request, delivery, settings.timeout)
        _refuse(parse_url(url)[1].host, response)
        return {
            "bytes": len(response.body or content),
            **_object_fields(response, delivery.operation),
        }

    def inner(self, delivery: Delivery, response: Outer) -> dict[str, Any]:
        """Return the response; nothing for `remove`."""
        return {} if delivery.operation == "remove" else dict(response)

    async def close(self) -> None:
        """Nothing is held open."""


async def _signed_url(known: Any, outer: Outer, seconds: int) -> str:
    """Return a signed URL, valid for so many seconds. It is a secret: it grants the access."""
    endpoint, target = _endpoint(known)
    try:
        store = _store(known, endpoint, allow_http=not target.encrypted)
        signed = await obstore.sign_async(
            store, outer["method"], outer["key"], timedelta(seconds=seconds)
        )
    except (BaseError, ValueError, TypeError):
        raise Permanent("the settings are none that a request can be signed with") from None
    if not signed.startswith(f"{endpoint}/{known.bucket}/"):
        raise Permanent("the endpoint is not spelt as it is used")
    return signed


def _endpoint(known: Any) -> tuple[str, Target]:
    url, target = parse_url(known.endpoint)
    if url.query or url.fragment or url.path.strip("/"):
        raise Permanent("the endpoint is a URL without a path, such as https://s3.example.com")
    return f"{url.scheme}://{url.netloc.decode('ascii')}", target


def _store(known: Any, endpoint: str, *, allow_http: bool) -> S3Store:
    """Return a store with every setting given, so that obstore reads none from the environment."""
    return S3Store(
        known.bucket,
        aws_endpoint_url_s3=endpoint,
        region=known.region,
        virtual_hosted_style_request=False,
        skip_signature=False,
        s3_express=False,
        request_payer=False,
        credential_provider=lambda: _credential(known),
        client_options={"allow_http": allow_http},
    )


def _credential(known: Any) -> S3Credential:
    return {
        "access_key_id": known.access_key,
        "secret_access_key": known.secret_key,
        "token": None,
        "expires_at": None,
    }


def _refuse(host: str, response: Response) -> None:
    """Raise if the service refuses, with its error code, or if an object is incomplete."""
    named = _CODE.search(response.body[:4096]) if response.status >= 300 else None
    said = f"{host} ({named[1].decode()})" if named else host
    refuse(said, response, time.time())
    if response.ending == "cut":
        raise Permanent(f"the object is larger than {MAX_OBJECT_BYTES} bytes")
    if response.ending == "lost":
        raise Transient(f"{host} closed the connection before all had come")


def _object_fields(response: Response, operation: str) -> dict[str, Any]:
    described = {"etag": response.headers.get("etag", "")[:200]}
    if operation != "get":
        return described
    kind = response.headers.get("content-type", BINARY)[:200]
    return {**described, "content_type": kind, "content": base64.b64encode(response.body).decode()}


def _content(params: Mapping[str, Any]) -> bytes:
    text, encoded = params.get("text"), params.get("content", "")
    if (text is None) == ("content" not in params):
        raise Permanent("give the content as text or as base64 in content, and not both")
    try:
        content = text.encode() if text is not None else base64.b64decode(encoded, validate=True)
    except (UnicodeError, binascii.Error, ValueError):
        raise Permanent("content is not base64, or text is not UTF-8") from None
    if len(content) > MAX_OBJECT_BYTES:
        raise Permanent(f"the object is larger than {MAX_OBJECT_BYTES} bytes")
    return bytes(content)


def _content_type(params: Mapping[str, Any]) -> str:
    fallback = BINARY if params.get("text") is None else "text/plain; charset=utf-8"
    kind: str = params.get("content_type") or fallback
    if not _TYPE.match(kind):
        raise Permanent("content_type must be one such as application/pdf")
    return kind


def _seconds(params: Mapping[str, Any]) -> int:
    seconds = int(params.get("seconds", 900))
    if not 0 < seconds <= MAX_LINK_SECONDS or params.get("method", "GET") not in ("GET", "PUT"):
        raise Permanent(f"a link is for GET or PUT, and for 1 to {MAX_LINK_SECONDS} seconds")
    return seconds
