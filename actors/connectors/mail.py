"""Mail through a tenant's own SMTP relay (RFC 5321), encrypted unless the relay is on this machine.

The Message-ID is made of the delivery's key: should a mail arrive twice because an answer was lost, readers
see that the two are one.
"""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from typing import Any

from actors.connectors import fields
from actors.connectors.boundary import Boundary
from actors.connectors.contract import Delivery, Outer, Settings
from actors.connectors.letter import Letter, letter
from actors.connectors.relay import NONE, Relay
from actors.connectors.targets import MAIL_PORTS, relay


class MailConnector:
    """`mail.send`."""

    def __init__(self, boundary: Boundary) -> None:
        self._boundary = boundary
        self._trust: ssl.SSLContext | None = None

    def check(self, settings: Settings) -> None:
        """Permanent where these can never work."""
        target = relay(settings.host, settings.port, encrypted=settings.tls != NONE)
        self._boundary.require_possible(target, MAIL_PORTS)
        fields.named(settings.sender_name, fields.mailbox(settings.sender, "sender"), "sender_name")

    def outer(self, delivery: Delivery, params: Mapping[str, Any], settings: Settings) -> Outer:
        """The envelope, and the mail as it will be sent: ASCII, so that people can read it in a trace."""
        written = letter(delivery, params, settings.sender, settings.sender_name)
        return {
            **written._asdict(),
            "recipients": list(written.recipients),
            "content": written.content.decode("ascii"),
        }

    async def exchange(self, delivery: Delivery, outer: Outer, settings: Settings) -> Outer:
        """Hand it to the relay. Where it takes some recipients and not others, the mail is sent to those."""
        content = outer["content"].encode("ascii")
        written = Letter(outer["sender"], tuple(outer["recipients"]), outer["message_id"], content)
        refused = await Relay(self._boundary, self._context(), settings).hand_over(
            written, delivery
        )
        return {
            "message_id": written.message_id,
            "refused": [each._asdict() for each in refused],
        }

    def inner(self, delivery: Delivery, response: Outer) -> dict[str, Any]:  # noqa: ARG002 - as every connector
        """The Message-ID, and who will not get it."""
        return dict(response)

    async def close(self) -> None:
        """Nothing is held open."""

    def _context(self) -> ssl.SSLContext:
        if self._trust is None:
            self._trust = self._boundary.trust()
        return self._trust
