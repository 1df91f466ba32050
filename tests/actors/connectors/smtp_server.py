"""A real SMTP server, aiosmtpd, that does what a test wants at each step."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any, NamedTuple

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session


class Received(NamedTuple):
    """A mail that it took."""

    sender: str
    recipients: list[str]
    content: bytes
    encrypted: bool

    @property
    def message(self) -> EmailMessage:
        """As a mail reader understands it."""
        parsed = message_from_bytes(self.content, policy=policy.default)
        assert isinstance(parsed, EmailMessage)
        return parsed


class PostOffice:
    """Its port, what it took, and what it says instead of yes."""

    def __init__(self, says: Mapping[str, str] = {}) -> None:
        self.port = 0
        self.received: list[Received] = []
        self.logins: list[tuple[bytes, bytes]] = []
        self.connections = 0
        self._says = says
        """By what it is asked: `rcpt`, `data`, `auth`, or an address; `close` closes the connection."""

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        said = self._says.get(address, self._says.get("rcpt"))
        if said is None:
            envelope.rcpt_tos.append(address)
        return said or "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802 - the same
        said = self._says.get("data", "250 OK")
        if said == "close":
            hang_up(server)
        elif said == "silence":
            await asyncio.Event().wait()
        assert isinstance(envelope.content, bytes)
        content, recipients = envelope.content, list(envelope.rcpt_tos)
        self.received.append(
            Received(str(envelope.mail_from), recipients, content, session.ssl is not None)
        )
        return said

    def authenticate(
        self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: Any
    ) -> AuthResult:
        """Anyone who has the right password."""
        assert isinstance(data, LoginPassword)
        self.logins.append((data.login, data.password))
        right = data.password == b"s3cret-of-acme"
        said = None if right else self._says.get("auth")
        return AuthResult(success=right, handled=False, message=said)

    def protocol(self, trust: ssl.SSLContext | None, *, login: bool) -> SMTP:
        """For one connection."""
        self.connections += 1
        return SMTP(
            self,
            hostname="relay.example",
            tls_context=trust,
            require_starttls=trust is not None,
            auth_required=login,
            authenticator=self.authenticate,
            enable_SMTPUTF8=False,
        )


def hang_up(server: SMTP) -> None:
    """Close a connection at once, whatever is unsent."""
    if isinstance(server.transport, asyncio.WriteTransport):
        server.transport.abort()


@asynccontextmanager
async def post_office(
    trust: ssl.SSLContext | None = None,
    *,
    login: bool = False,
    implicit: ssl.SSLContext | None = None,
    says: Mapping[str, str] = {},
) -> AsyncIterator[PostOffice]:
    """Runs one on loopback while the test does; with `trust` it insists on STARTTLS."""
    office = PostOffice(says)
    made: list[SMTP] = []

    def protocol() -> SMTP:
        made.append(office.protocol(trust, login=login))
        return made[-1]

    loop = asyncio.get_running_loop()
    server = await loop.create_server(protocol, "127.0.0.1", 0, ssl=implicit)
    office.port = server.sockets[0].getsockname()[1]
    async with server:
        yield office
        for each in made:
            task = each._handler_coroutine
            if task is not None:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
            hang_up(each)
    await asyncio.sleep(0)
