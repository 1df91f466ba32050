"""One request of a browser as pages read it: path, query, form, cookies, and where it comes from."""

from __future__ import annotations

from http.cookies import CookieError, SimpleCookie
from typing import Final
from urllib.parse import parse_qsl, urlencode

from transport.gateway.http_request import Headers, Receive, Scope, read_body
from transport.gateway.origins import is_same_host
from transport.gateway.statuses import HttpRefusal, invalid

FORM_BYTES: Final = 256 * 1024
"""Bytes of a form at most: as much as a message of the admin channel holds."""

MOST_FIELDS: Final = 200

FORM: Final = "application/x-www-form-urlencoded"

Form = dict[str, str]


class WebRequest:
    """A request whose body has been read."""

    def __init__(self, scope: Scope, headers: Headers, form: Form) -> None:
        """HttpRefusal if the query has too many fields."""
        self.method: str = scope["method"]
        self.path: str = scope["path"]
        self.query = _fields(scope["query_string"].decode("latin-1"), "query")
        self.form = form
        self.port: int = (scope.get("server") or ("", 0))[1]
        self._headers = headers

    @property
    def target(self) -> str:
        """Path and query, as the address has them."""
        return self.path + self.with_query()

    @property
    def has_origin(self) -> bool:
        """Whether a page of this dashboard sent it. Browsers name the origin of every POST."""
        origin = self._headers.text(b"origin")
        return origin is not None and is_same_host(origin, self._headers.text(b"host"))

    @property
    def is_from_elsewhere(self) -> bool:
        """Whether a link of another site led here: then the browser withholds the session's cookie."""
        return self._headers.text(b"sec-fetch-site") in ("cross-site", "same-site")

    def cookie(self, name: str) -> str | None:
        """Return a cookie's value."""
        try:
            found = SimpleCookie(self._headers.text(b"cookie") or "").get(name)
        except CookieError:
            return None
        return found.value if found is not None else None

    def with_query(self, **changes: object) -> str:
        """Return the query, from its question mark on, with other values; None takes one out."""
        merged = {**self.query, **changes}
        kept = {name: each for name, each in merged.items() if each not in (None, "")}
        return f"?{urlencode(kept)}" if kept else ""

    def params(self, *names: str) -> dict[str, str]:
        """Return those of the query's fields that are filled in."""
        return {name: self.query[name] for name in names if self.query.get(name)}


async def read_request(scope: Scope, receive: Receive) -> WebRequest:
    """Read a request whole. HttpRefusal if it is too long, slow, or no form."""
    headers = Headers(scope["headers"])
    form: Form = {}
    if scope["method"] == "POST":
        body = await read_body(receive, headers, FORM_BYTES)
        kind = (headers.text(b"content-type") or "").partition(";")[0].strip().lower()
        if body and kind != FORM:
            raise HttpRefusal(invalid(f"a form is {FORM}").refusal, 415)
        form = _fields(body.decode("utf-8", "replace"), "form")
    return WebRequest(scope, headers, form)


def _fields(text: str, place: str) -> dict[str, str]:
    try:
        return dict(parse_qsl(text, keep_blank_values=True, max_num_fields=MOST_FIELDS))
    except ValueError:
        raise invalid(f"the {place} has more than {MOST_FIELDS} fields") from None
