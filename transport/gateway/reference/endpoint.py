"""Serves the reference: /openapi.json, of what the caller may see, and a page that shows it, /docs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

from transport.gateway.admission import AddressAdmission
from transport.gateway.catalogue import Catalogue
from transport.gateway.http_request import Headers, Scope, Send
from transport.gateway.http_response import Pairs, respond, respond_refusal
from transport.gateway.reference.openapi import openapi
from transport.gateway.statuses import OK, HttpRefusal, wrong_method

DOCUMENT: Final = "/openapi.json"

_HERE: Final = Path(__file__).parent

_FILES: Final = {
    "/docs": (_HERE / "page.html", b"text/html; charset=utf-8"),
    "/docs/page.js": (_HERE / "page.js", b"text/javascript; charset=utf-8"),
    "/docs/page.css": (_HERE / "page.css", b"text/css; charset=utf-8"),
}

_POLICY: Final = (
    b"default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    b"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""Nothing comes from outside, and nothing in an action's texts is run."""


class Reference:
    """The endpoint of the document and of the page's files, for GET and HEAD."""

    paths = frozenset({DOCUMENT, *_FILES})

    def __init__(self, catalogue: Catalogue, admission: AddressAdmission) -> None:
        self._catalogue = catalogue
        self._admission = admission
        self._files = {path: (file.read_bytes(), kind) for path, (file, kind) in _FILES.items()}

    async def __call__(self, scope: Scope, send: Send) -> None:
        """Serve one request."""
        try:
            if scope["method"] not in ("GET", "HEAD"):
                raise wrong_method("GET, HEAD")
            if scope["path"] == DOCUMENT:
                body, kind = await self._document(scope), b"application/json"
            else:
                body, kind = self._files[scope["path"]]
        except HttpRefusal as refused:
            await respond_refusal(send, refused, "")
        else:
            await respond(send, OK, _headers(kind), body)

    async def _document(self, scope: Scope) -> bytes:
        token = Headers(scope["headers"]).token()
        await self._admission.admit(scope, token)
        entries = [each async for each in self._catalogue.all(None, token)]
        return json.dumps(openapi(entries), ensure_ascii=False).encode()


def _headers(kind: bytes) -> Pairs:
    return [
        (b"content-type", kind),
        (b"cache-control", b"no-cache"),
        (b"vary", b"authorization"),
        (b"content-security-policy", _POLICY),
        (b"referrer-policy", b"no-referrer"),
        (b"x-content-type-options", b"nosniff"),
    ]
