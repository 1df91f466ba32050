"""Who is logged in: each session has its caller, a secret for its forms, and ends by itself.

Sessions live in this process alone: they end with it. A token never leaves it towards the browser.
"""

from __future__ import annotations

import asyncio
import hmac
import secrets
import time
from typing import Final

from scripts.web.caller import Caller
from scripts.web.settings import DashboardSettings

SWEEP_SECONDS: Final = 15.0

MOST_STREAMS: Final = 8
"""Streams of events that one session may have open."""


class Session:
    """One person in one browser."""

    def __init__(self, caller: Caller) -> None:
        self.id = secrets.token_urlsafe(32)
        self.caller = caller
        self.csrf = secrets.token_urlsafe(32)
        """What each form of the session's pages carries, and no other site can."""
        self.began = self.used = time.monotonic()
        self.streams = 0

    def owns_form(self, csrf: str | None) -> bool:
        """Return whether a form came from a page of this session."""
        return csrf is not None and hmac.compare_digest(self.csrf.encode(), csrf.encode())


class Sessions:
    """All sessions; for one event loop."""

    def __init__(self, settings: DashboardSettings) -> None:
        self._idle = settings.idle_minutes * 60
        self._whole = settings.session_hours * 3600
        self._most = settings.sessions
        self._open: dict[str, Session] = {}
        self._closing: set[asyncio.Task[None]] = set()

    def __len__(self) -> int:
        return len(self._open)

    def start(self) -> None:
        """End sessions whose time is over from now on."""
        self._sweeper = asyncio.get_running_loop().call_later(SWEEP_SECONDS, self._sweep)

    async def stop(self) -> None:
        """End all."""
        self._sweeper.cancel()
        for session in list(self._open.values()):
            self.end(session)
        await asyncio.gather(*self._closing, return_exceptions=True)

    def begin(self, caller: Caller) -> Session:
        """Begin a session; where there are too many, the one that was idle longest ends."""
        while len(self._open) >= self._most:
            self.end(min(self._open.values(), key=lambda each: each.used))
        session = Session(caller)
        self._open[session.id] = session
        return session

    def find(self, id: str | None) -> Session | None:
        """Return the session of a cookie, which is used now; None if there is none any more."""
        session = self._open.get(id or "")
        if session is not None and self._is_over(session, time.monotonic()):
            self.end(session)
            return None
        if session is not None:
            session.used = time.monotonic()
        return session

    def end(self, session: Session) -> None:
        """Forget a session and its token, and disconnect."""
        if self._open.pop(session.id, None) is not None:
            closing = asyncio.ensure_future(session.caller.close())
            self._closing.add(closing)
            closing.add_done_callback(self._closing.discard)

    def _is_over(self, session: Session, now: float) -> bool:
        return now - session.used > self._idle or now - session.began > self._whole

    def _sweep(self) -> None:
        now = time.monotonic()
        for session in [each for each in self._open.values() if self._is_over(each, now)]:
            self.end(session)
        self._sweeper = asyncio.get_running_loop().call_later(SWEEP_SECONDS, self._sweep)
