"""A mail as bytes and its envelope, made of a function's params: pure, and the same each time it is made."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator, Mapping
from hashlib import sha256
from typing import Any, NamedTuple

from actors.connectors import fields
from actors.connectors.contract import Delivery, Permanent
from actors.connectors.mime import Part, file_part, joined, text_part

MOST_RECIPIENTS = 100
"""In to, cc and bcc together: what every server takes at a time (RFC 5321, section 4.5.3.1.8)."""

MOST_BYTES = 3 * 1024 * 1024
"""Of a whole mail as it is sent, where attachments are a third larger than as files."""

MOST_ATTACHMENTS = 20

LONGEST_FILENAME = 150
"""Characters."""

_TYPE = re.compile(r"[a-z0-9][a-z0-9.+-]{0,60}/[a-z0-9][a-z0-9.+-]{0,60}\Z", re.IGNORECASE)


class Letter(NamedTuple):
    """What a relay is handed."""

    sender: str
    recipients: tuple[str, ...]
    """Each once, those of bcc among them: they are in the envelope alone."""
    message_id: str
    content: bytes
    """Header and body (RFC 5322), 7-bit, with CRLF."""


def letter(
    delivery: Delivery, params: Mapping[str, Any], sender: str, sender_name: str | None
) -> Letter:
    """Write it; Permanent, naming the field, where it cannot be one."""
    given = {field: list(_mailboxes(params, field)) for field in ("to", "cc", "bcc", "reply_to")}
    recipients = tuple(dict.fromkeys([*given["to"], *given["cc"], *given["bcc"]]))
    if not 0 < len(recipients) <= MOST_RECIPIENTS:
        raise Permanent(f"a mail has 1 to {MOST_RECIPIENTS} recipients")
    origin = fields.mailbox(sender, "sender")
    message_id = f"<{_mark(delivery)}@{origin.rpartition('@')[2]}>"
    head = [
        ("Date", fields.date(delivery.at)),
        ("Message-ID", message_id),
        ("From", fields.named(sender_name, origin, "sender_name")),
        *(
            (name, fields.listed(given[field]))
            for name, field in (("To", "to"), ("Cc", "cc"), ("Reply-To", "reply_to"))
            if given[field]
        ),
        ("Subject", fields.text(params["subject"], "subject")),
        *fields.further(params.get("headers") or {}),
    ]
    content = fields.block(head) + _body(delivery, params)
    if len(content) > MOST_BYTES:
        raise Permanent(f"the mail is larger than {MOST_BYTES} bytes")
    return Letter(origin, recipients, message_id, content)


def _mailboxes(params: Mapping[str, Any], field: str) -> Iterator[str]:
    for at, address in enumerate(params.get(field) or ()):
        yield fields.mailbox(address, f"{field}[{at}]")


def _mark(delivery: Delivery) -> str:
    """Names a delivery to the world, and tells nothing of it."""
    return sha256(f"{delivery.tenant}\0{delivery.key}".encode(errors="replace")).hexdigest()[:40]


def _body(delivery: Delivery, params: Mapping[str, Any]) -> bytes:
    """Text, HTML where there is some, and attachments, with the MIME fields that describe them."""
    texts = [text_part(params["text"], "plain", "text")]
    if params.get("html") is not None:
        texts.append(text_part(params["html"], "html", "html"))
    mark = _mark(delivery)
    files = [_file(each, f"attachments[{at}]") for at, each in enumerate(_attachments(params))]
    whole = joined("mixed", mark, [joined("alternative", mark, texts), *files])
    return b"MIME-Version: 1.0\r\n" + bytes(whole)


def _attachments(params: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    found = list(params.get("attachments") or ())
    if len(found) > MOST_ATTACHMENTS:
        raise Permanent(f"a mail has at most {MOST_ATTACHMENTS} attachments")
    return found


def _file(attachment: Mapping[str, Any], field: str) -> Part:
    name, kind = attachment["name"], attachment["content_type"]
    fields.check(name, f"{field}.name", LONGEST_FILENAME)
    if not name.strip() or "/" in name or "\\" in name:
        raise Permanent(f"{field}.name must be the name of a file, without a path")
    if not _TYPE.match(kind) or kind.lower().startswith(("multipart/", "message/")):
        raise Permanent(f"{field}.content_type must be one such as application/pdf")
    try:
        return file_part(name, kind.lower(), base64.b64decode(attachment["content"], validate=True))
    except (binascii.Error, ValueError):
        raise Permanent(f"{field}.content is not base64") from None
