"""One request of a person who is logged in, and what their pages are made of."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from jinja2 import Environment

from scripts.web.caller import Caller, Panel, now_text
from scripts.web.sessions import Session
from scripts.web.web_request import WebRequest
from scripts.web.web_response import Document

NAVIGATION: Final = (
    ("Overview", "/", "stats.tenants"),
    ("Tenants", "/tenants", "tenants.list"),
    ("Functions", "/functions", "functions.list"),
    ("Requests", "/requests", "requests.list"),
    ("Releases", "/releases", "releases.list"),
    ("Connectors", "/connectors", "connectors.calls"),
    ("Errors", "/errors", "logs.errors"),
    ("Audit", "/audit", "logs.audit"),
    ("Actors", "/actors", "actors.list"),
    ("Developers", "/developers", "developers.list"),
    ("Actions", "/actions", ""),
)
"""Each page of the first level with the action that it cannot do without, if there is one."""


class Wanted(NamedTuple):
    """One action that a page asks for."""

    action: str
    params: Mapping[str, Any] = {}
    tenant: str | None = None


class Visit:
    """A request, the session it belongs to, and the templates."""

    def __init__(self, request: WebRequest, session: Session, templates: Environment) -> None:
        self.request = request
        self.session = session
        self._templates = templates

    @property
    def caller(self) -> Caller:
        """Return who asks."""
        return self.session.caller

    @property
    def tenant(self) -> str | None:
        """Return the tenant that a page is about: an owner's own, or the one in the address."""
        return self.caller.who.tenant or self.request.query.get("tenant") or None

    def page(self, template: str, status: int = 200, **values: Any) -> Document:
        """Return a whole page."""
        return Document(self.html(template, **values).encode(), status)

    def html(self, template: str, **values: Any) -> str:
        """Return a template with these values."""
        found = self._templates.get_template(template)
        return found.render(
            visit=self,
            request=self.request,
            caller=self.caller,
            navigation=self.navigation(),
            read_at=now_text(),
            **values,
        )

    def navigation(self) -> list[tuple[str, str, bool]]:
        """Return the pages that the person may see: name, address, and whether it is this one."""
        pages = [
            (name, at) for name, at, action in NAVIGATION if not action or self.caller.may(action)
        ]
        if self.caller.who.tenant is not None:
            pages.insert(0, (self.caller.who.tenant, f"/tenants/{self.caller.who.tenant}"))
        here = self.request.path
        return [(name, at, _is_part(here, at)) for name, at in pages]

    async def panels(self, *wanted: Wanted) -> list[Panel]:
        """Return what each of these actions says now. Raises Unauthenticated."""
        return await self.caller.panels(*wanted)


def _is_part(here: str, address: str) -> bool:
    return here == address or (address != "/" and here.startswith(f"{address}/"))
