"""The dashboard's ASGI application: who is logged in, which path is which page, what failed."""

from __future__ import annotations

import asyncio
from typing import Any, Final

import structlog

from scripts.cli.target import Unreachable
from scripts.web.caller import Caller, words_of
from scripts.web.login import Logins, cookie_name, forgotten
from scripts.web.routes import PUBLIC, find
from scripts.web.sessions import Session, Sessions
from scripts.web.settings import DashboardSettings
from scripts.web.static_files import StaticFiles
from scripts.web.templating import make_environment
from scripts.web.visit import Visit
from scripts.web.web_request import WebRequest, read_request
from scripts.web.web_response import Document, Response, redirect
from transport.errors import CallError, Unauthenticated
from transport.gateway.envelope import problem
from transport.gateway.guarded_http import HttpConnections
from transport.gateway.http_request import Receive, Scope, Send
from transport.gateway.statuses import STATUSES, HttpRefusal, invalid
from transport.message import PERMISSION_DENIED

log = structlog.get_logger()

FORGED: Final = (
    "this form was not sent from a page of this session, or the session has ended; nothing was done. "
    "Open the page again, and send it from there"
)


class Dashboard:
    """Serves the pages. Sessions live as long as the application does."""

    def __init__(self, settings: DashboardSettings) -> None:
        """InvalidSettings if a key cannot be read."""
        self.connections = HttpConnections(settings.connections, settings.connections_of_address)
        self._templates = make_environment()
        self._sessions = Sessions(settings)
        self._logins = Logins(settings, self._sessions, self._templates)
        self._files = StaticFiles()
        self._is_secure = settings.is_secure
        self._is_stopping = asyncio.Event()

    def end_streams(self) -> None:
        """End the streams of events, which would hold up the end of the process."""
        self._is_stopping.set()

    def _until_stop(self, receive: Receive) -> Receive:
        """Return a `receive` for which the browser has left when the process is about to end."""

        async def receive_or_stop() -> dict[str, Any]:
            waiting = asyncio.ensure_future(receive())
            stopping = asyncio.ensure_future(self._is_stopping.wait())
            try:
                await asyncio.wait((waiting, stopping), return_when=asyncio.FIRST_COMPLETED)
                return waiting.result() if waiting.done() else {"type": "http.disconnect"}
            finally:
                waiting.cancel()
                stopping.cancel()

        return receive_or_stop

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, or start and stop with the process."""
        if scope["type"] == "http":
            response = await self._answer(scope, receive)
            await response.send(self._until_stop(receive), send)
        elif scope["type"] == "lifespan":
            await self._live(receive, send)

    async def _answer(self, scope: Scope, receive: Receive) -> Response:
        """Return the response of a request, whatever fails."""
        session: Session | None = None
        try:
            request = await read_request(scope, receive)
            session = self._sessions.find(request.cookie(cookie_name(request, self._is_secure)))
            return await self._serve(scope, request, session)
        except Unauthenticated:
            assert session is not None
            self._sessions.end(session)
            return self._ended(request)
        except HttpRefusal as refused:
            return self._failure(refused.status, refused.refusal.message)
        except CallError as error:
            return self._failure(STATUSES.get(error.code, 503), words_of(error))
        except Unreachable as error:
            return self._failure(503, str(error))
        except Exception as error:
            log.error("a page failed", path=scope["path"], exc_info=error)
            return self._failure(500, "the dashboard has a defect; its log says more")

    async def _serve(self, scope: Scope, request: WebRequest, session: Session | None) -> Response:
        if request.method not in ("GET", "HEAD", "POST"):
            return self._failure(405, "pages take GET and POST")
        if request.path.startswith("/static/"):
            return self._files.find(request.path)
        if request.method == "POST" and not request.has_origin:
            return self._failure(403, FORGED)
        if request.path in PUBLIC:
            return await self._logins.serve(scope, request)
        if session is None:
            return self._logins.ask(request)
        if request.method == "POST" and not session.owns_form(request.form.get("csrf")):
            return self._failure(403, FORGED)
        return await self._visit(request, session)

    async def _visit(self, request: WebRequest, session: Session) -> Response:
        if request.path == "/logout":
            if request.method != "POST":
                raise invalid("log out with the button", status=405)
            self._sessions.end(session)
            return redirect("/login", forgotten(request, self._is_secure))
        route, names = find(request)
        await session.caller.refresh()
        _require(session.caller, route.action, names.get("tenant"))
        return await route.handler(Visit(request, session, self._templates), **names)

    def _ended(self, request: WebRequest) -> Response:
        """Return the way to the login after a token has ended: for a stream a status, for pages a page."""
        if request.path.endswith("/live"):
            return Document(b"", 401)
        return redirect("/login?ended=1", forgotten(request, self._is_secure))

    def _failure(self, status: int, words: str) -> Document:
        html = self._templates.get_template("failure.html").render(status=status, words=words)
        return Document(html.encode(), status)

    async def _live(self, receive: Receive, send: Send) -> None:
        while True:
            message: dict[str, Any] = await receive()
            if message["type"] == "lifespan.startup":
                self._sessions.start()
                self.connections.start()
                await send({"type": "lifespan.startup.complete"})
            else:
                self.connections.stop()
                await self._sessions.stop()
                await send({"type": "lifespan.shutdown.complete"})
                return


def _require(caller: Caller, action: str, tenant: str | None) -> None:
    """Raise HttpRefusal if a page is not for this person; the server decides about all that is on it."""
    if action and action not in caller.entries:
        words = (
            f"this page is not for you: the server does not list {action} for your role and areas"
        )
        raise HttpRefusal(problem(PERMISSION_DENIED, words))
    if tenant is not None and caller.who.tenant not in (None, tenant):
        words = f"this page is another tenant's; yours is {caller.who.tenant}"
        raise HttpRefusal(problem(PERMISSION_DENIED, words))
