"""Logging in: a token becomes a session, and the browser gets the session's cookie, never the token."""

from __future__ import annotations

from typing import Final

from jinja2 import Environment

from scripts.cli.console.connection import ConsoleConnection
from scripts.cli.target import Unreachable
from scripts.web.caller import Caller, words_of
from scripts.web.sessions import Sessions
from scripts.web.settings import DashboardSettings
from scripts.web.web_request import WebRequest
from scripts.web.web_response import Document, redirect
from transport.errors import CallError
from transport.gateway.admission import AddressAdmission
from transport.gateway.envelope import TOKEN_CHARACTERS
from transport.gateway.http_request import Scope
from transport.gateway.proxies import TrustedProxies, networks_of
from transport.gateway.statuses import STATUSES

CALL_SECONDS: Final = 10.0
"""Seconds that the server has for one answer."""

ADMINISTERS: Final = ("developer", "developer admin", "owner", "admin owner")
"""Roles that there are pages for."""

NOT_FOR_MEMBERS: Final = (
    "permission_denied: this token is a member's; the dashboard is for owners and developers"
)


class Logins:
    """Begins sessions."""

    def __init__(
        self, settings: DashboardSettings, sessions: Sessions, templates: Environment
    ) -> None:
        """InvalidSettings if a key cannot be read."""
        self._target = settings.target()
        self._keys = settings.keys()
        self._is_secure = settings.is_secure
        self._sessions = sessions
        self._templates = templates
        proxies = TrustedProxies(networks_of(settings.trusted_proxies))
        self._admission = AddressAdmission(settings.login_rate, proxies)

    def ask(self, request: WebRequest) -> Document:
        """Return what a person sees who is not logged in.

        To a request that a link of another site has led here, the browser adds no cookie. So it is sent here
        once more, by a page of the dashboard itself.
        """
        if request.method == "GET" and request.is_from_elsewhere:
            return self._page("continue.html", target=request.target)
        if request.path.endswith("/live"):
            return Document(b"", 401)
        return self._form(request.target if request.method == "GET" else "/", status=401)

    async def serve(self, scope: Scope, request: WebRequest) -> Document:
        """Show the form, or take it. HttpRefusal if its address tries too often."""
        if request.method != "POST":
            problem = (
                "your token or session has ended; log in again"
                if request.query.get("ended")
                else ""
            )
            return self._form(request.query.get("next", "/"), problem)
        token, following = request.form.get("token", "").strip(), request.form.get("next", "/")
        if not token.isascii() or not token.isprintable() or not 0 < len(token) <= TOKEN_CHARACTERS:
            return self._form(following, "this is no token: it is one line, such as tnt_…", 400)
        await self._admission.admit(scope, None)
        caller = Caller(self._connection(token))
        try:
            await caller.log_in()
        except (CallError, Unreachable) as error:
            await caller.close()
            status = STATUSES.get(error.code, 503) if isinstance(error, CallError) else 503
            return self._form(following, words_of(error), status)
        if caller.who.role not in ADMINISTERS:
            await caller.close()
            return self._form(following, NOT_FOR_MEMBERS, 403)
        session = self._sessions.begin(caller)
        return redirect(local(following), cookie(request, session.id, is_secure=self._is_secure))

    def _connection(self, token: str) -> ConsoleConnection:
        return ConsoleConnection(
            self._target._replace(token=token),
            server_key=self._keys.server,
            keys=self._keys.own,
            timeout=CALL_SECONDS,
        )

    def _form(self, following: str, problem: str = "", status: int = 200) -> Document:
        return self._page(
            "login.html",
            status,
            problem=problem,
            next=local(following),
            target=self._target.endpoint,
        )

    def _page(self, template: str, status: int = 200, **values: object) -> Document:
        return Document(self._templates.get_template(template).render(**values).encode(), status)


def local(address: str) -> str:
    """Return an address of the dashboard, or its first page if it leads elsewhere."""
    is_here = address.startswith("/") and not address.startswith(("//", "/\\"))
    return address if is_here and address.isascii() and address.isprintable() else "/"


def cookie_name(request: WebRequest, is_secure: bool) -> str:
    """Return the name of the session's cookie: browsers keep one jar for all ports of a host."""
    return "__Host-tenantry" if is_secure else f"tenantry-{request.port}"


def cookie(request: WebRequest, value: str, *, is_secure: bool) -> tuple[bytes, bytes]:
    """Return the header that sets the cookie: out of reach of scripts and of other sites."""
    secure = "; Secure" if is_secure else ""
    text = f"{cookie_name(request, is_secure)}={value}; Path=/; HttpOnly; SameSite=Strict{secure}"
    return b"set-cookie", text.encode("ascii")


def forgotten(request: WebRequest, is_secure: bool) -> tuple[bytes, bytes]:
    """Return the header that takes the cookie away."""
    name, value = cookie(request, "", is_secure=is_secure)
    return name, value + b"; Max-Age=0"
