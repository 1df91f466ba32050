"""Mail through a tenant's own SMTP relay (RFC 5321), encrypted unless the relay is on this machine.

The Message-ID is made from the delivery's key: if a mail arrives twice because a reply was lost, mail
programs see that both are one mail.

SmtpClient runs one session: connect to a checked address, encrypt, log in, send, quit.

A server's text is made safe before an error repeats it: short, printable and without secrets.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple

import aiosmtplib
from aiosmtplib import SMTP

from actors.connectors import mail_headers
from actors.connectors.contract import (
    ConnectorProblem,
    Delivery,
    Outer,
    Permanent,
    Settings,
    Transient,
)
from actors.connectors.mime import MailMessage, mail_message
from actors.connectors.outbound.boundary import EgressPolicy, remaining
from actors.connectors.outbound.targets import MAIL_PORTS, parse_host
from actors.log.redaction import SECRET, mask_secrets

MAX_PEER_TEXT = 200
"""Characters."""


def sanitise_peer_text(text: str, secrets: Iterable[str] = ()) -> str:
    """Return the start of a server's text on one line, with secrets masked."""
    for secret in sorted(filter(None, secrets), key=len, reverse=True):
        text = text.replace(secret, SECRET)
    line = " ".join("".join(sign if sign.isprintable() else " " for sign in text).split())
    return mask_secrets(line[:MAX_PEER_TEXT])


STARTTLS = "starttls"
IMPLICIT = "implicit"
NONE = "none"


class RejectedRecipient(NamedTuple):
    """A recipient that the server rejected while it accepted others."""

    address: str
    code: int
    said: str


class SmtpClient:
    """A client of a tenant's SMTP server. `known` are its settings as attributes."""

    def __init__(self, egress: EgressPolicy, trust: ssl.SSLContext, known: Any) -> None:
        self._egress = egress
        self._tls_context = trust
        self._known = known
        self._secrets = [text for text in (known.password, known.username) if text]

    async def send(self, message: MailMessage, delivery: Delivery) -> list[RejectedRecipient]:
        """Send a mail and return the rejected recipients, if others were accepted. Transient, Permanent."""
        phase = _Phase()
        try:
            async with asyncio.timeout(remaining(delivery, self._known.timeout)):
                client = await self._connected(message)
                try:
                    return await self._session(client, message, phase)
                finally:
                    _leave(client, politely=phase.name == "over")
        except TimeoutError:
            raise self._connection_lost("did not answer in time", phase) from None
        except (aiosmtplib.SMTPException, OSError, ValueError) as error:
            raise self._error(error, phase) from None

    async def _connected(self, message: MailMessage) -> SMTP:
        known = self._known
        target = parse_host(known.host, known.port, encrypted=known.tls != NONE)
        addresses = await self._egress.addresses(target, MAIL_PORTS)
        return SMTP(
            hostname=target.host,
            sock=await _socket([str(each) for each in addresses], target.port),
            local_hostname=message.sender.rpartition("@")[2],
            use_tls=known.tls == IMPLICIT,
            start_tls=known.tls == STARTTLS,
            tls_context=self._tls_context if known.tls != NONE else None,
            timeout=None,
        )

    async def _session(
        self, client: SMTP, message: MailMessage, phase: _Phase
    ) -> list[RejectedRecipient]:
        await client.connect()
        if self._known.username:
            phase.name = "login"
            await client.login(self._known.username, self._known.password or "")
        phase.name = "envelope"
        await client.ehlo()
        size = [f"size={len(message.content)}"] if client.supports_extension("size") else []
        await client.mail(message.sender, options=size)
        refused = await self._send_recipients(client, message)
        phase.name = "content"
        await client.data(message.content)
        phase.name = "over"
        return refused

    async def _send_recipients(self, client: SMTP, message: MailMessage) -> list[RejectedRecipient]:
        refused = []
        for recipient in message.recipients:
            try:
                await client.rcpt(recipient)
            except aiosmtplib.SMTPRecipientRefused as error:
                refused.append(
                    RejectedRecipient(recipient, error.code, self._peer_text(error.message))
                )
        if len(refused) < len(message.recipients):
            return refused
        first = min(refused, key=lambda each: each.code)
        raise self._reply_error(first.code, f"refused every recipient: {first.code} {first.said}")

    def _error(self, error: Exception, phase: _Phase) -> ConnectorProblem:
        if isinstance(error, ssl.SSLCertVerificationError) or isinstance(
            error.__cause__, ssl.SSLCertVerificationError
        ):
            return self._transient("has no certificate for that name that is trusted here")
        if isinstance(error, aiosmtplib.SMTPResponseException) and error.code > 0:
            if phase.name == "login":  # what is said about a login may repeat it
                return self._reply_error(error.code, f"refused the login: {error.code}")
            return self._reply_error(
                error.code, f"said {error.code} {self._peer_text(error.message)}"
            )
        if isinstance(error, OSError | aiosmtplib.SMTPResponseException):
            return self._connection_lost("cannot be reached, or closed the connection", phase)
        if "STARTTLS" in str(error):
            return Permanent(f"{self._known.host} offers no STARTTLS, and nothing is sent without")
        return Permanent(f"{self._known.host} offers nothing that fits the settings ({phase.name})")

    def _reply_error(self, code: int, what: str) -> ConnectorProblem:
        return self._transient(what) if code < 500 else Permanent(f"{self._known.host} {what}")

    def _connection_lost(self, what: str, phase: _Phase) -> Transient:
        if phase.name != "content":
            return self._transient(what)
        what = f"{what} while it got the mail; it may have taken it all the same"
        return self._transient(what)

    def _transient(self, what: str) -> Transient:
        return Transient(f"{self._known.host} {what}")

    def _peer_text(self, text: str) -> str:
        return sanitise_peer_text(text, self._secrets)


class _Phase:
    """The phase of a session: connect, login, envelope, content, over."""

    name = "connect"


async def _socket(addresses: list[str], port: int) -> socket.socket:
    """Return a socket connected to the first address that answers; OSError if none does."""
    loop = asyncio.get_running_loop()
    for address in addresses:
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        with _closed_on_failure(socket.socket(family, socket.SOCK_STREAM)) as opened:
            opened.setblocking(False)
            try:
                await loop.sock_connect(opened, (address, port))
            except OSError:
                opened.close()
                continue
            return opened
    raise ConnectionError("no address answers")


@contextmanager
def _closed_on_failure(opened: socket.socket) -> Iterator[socket.socket]:
    try:
        yield opened
    except BaseException:
        opened.close()
        raise


def _leave(client: SMTP, *, politely: bool) -> None:
    """Send QUIT without waiting for the reply; or abort, if unsent data could delay the close."""
    if isinstance(client.transport, asyncio.WriteTransport):
        if politely:
            client.transport.write(b"QUIT\r\n")
        else:
            client.transport.abort()
    client.close()


class MailConnector:
    """`mail.send`."""

    def __init__(self, egress: EgressPolicy) -> None:
        self._egress = egress
        self._tls_context: ssl.SSLContext | None = None

    def check(self, settings: Settings) -> None:
        """Raise Permanent if these settings can never work."""
        target = parse_host(settings.host, settings.port, encrypted=settings.tls != NONE)
        self._egress.require_possible(target, MAIL_PORTS)
        mail_headers.display_name(
            settings.sender_name,
            mail_headers.parse_address(settings.sender, "sender"),
            "sender_name",
        )

    def outer(self, delivery: Delivery, params: Mapping[str, Any], settings: Settings) -> Outer:
        """Return the envelope and the mail to send: ASCII, so that people can read it in a trace."""
        written = mail_message(delivery, params, settings.sender, settings.sender_name)
        return {
            **written._asdict(),
            "recipients": list(written.recipients),
            "content": written.content.decode("ascii"),
        }

    async def exchange(self, delivery: Delivery, outer: Outer, settings: Settings) -> Outer:
        """Send the mail to the relay. If it accepts only some recipients, the mail goes to those."""
        content = outer["content"].encode("ascii")
        written = MailMessage(
            outer["sender"], tuple(outer["recipients"]), outer["message_id"], content
        )
        refused = await SmtpClient(self._egress, self._context(), settings).send(written, delivery)
        return {
            "message_id": written.message_id,
            "refused": [each._asdict() for each in refused],
        }

    def inner(self, delivery: Delivery, response: Outer) -> dict[str, Any]:  # noqa: ARG002 - as every connector
        """Return the Message-ID and the rejected recipients."""
        return dict(response)

    async def close(self) -> None:
        """Nothing is held open."""

    def _context(self) -> ssl.SSLContext:
        if self._tls_context is None:
            self._tls_context = self._egress.tls_context()
        return self._tls_context
