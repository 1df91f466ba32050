"""The parts of a mail's body (RFC 2045, 2046, 2231), written by hand: mail_headers.py says why.

Python's generator decodes encoded words in a file name and writes their content, line breaks included.

mail_message makes a mail and its envelope from a function's params: pure, with the same result each time.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator, Mapping, Sequence
from hashlib import sha256
from typing import Any, NamedTuple
from urllib.parse import quote

from actors.connectors import mail_headers as fields
from actors.connectors.contract import Delivery, Permanent

_LINE_ENDS = re.compile(r"\r\n?|\n")
_PLAIN_NAME = re.compile(r"[A-Za-z0-9_.-]{1,60}\Z")
_CHUNK = 50
"""Characters or escapes of an encoded name on one line; an escape is never split."""


class MimePart(NamedTuple):
    """Header fields and the body that they describe; 7-bit, with CRLF."""

    fields: tuple[str, ...]
    body: bytes

    def __bytes__(self) -> bytes:
        head = "".join(f"{field}\r\n" for field in self.fields)
        return head.encode("ascii") + b"\r\n" + self.body


def text_part(text: str, subtype: str, field: str) -> MimePart:
    """Return a text part in quoted-printable; Permanent if the text is not valid Unicode."""
    try:
        plain = _LINE_ENDS.sub("\n", text).encode()
    except UnicodeError:
        raise Permanent(f"{field} holds what UTF-8 cannot say") from None
    described = (
        f'Content-Type: text/{subtype}; charset="utf-8"',
        "Content-Transfer-Encoding: quoted-printable",
    )
    body = binascii.b2a_qp(plain, istext=True).replace(b"\n", b"\r\n")
    return MimePart(described, body if body.endswith(b"\r\n") else body + b"\r\n")


def file_part(name: str, content_type: str, content: bytes) -> MimePart:
    """Return a file as an attachment in base64, with this name."""
    described = (
        f"Content-Type: {content_type}",
        "Content-Transfer-Encoding: base64",
        f"Content-Disposition: attachment;{_filename(name)}",
    )
    return MimePart(described, base64.encodebytes(content).replace(b"\n", b"\r\n"))


def multipart(kind: str, token: str, parts: Sequence[MimePart]) -> MimePart:
    """Join parts in one multipart/`kind`; a single part is returned unchanged.

    The delimiter cannot occur in a part: `=_` is in neither quoted-printable nor base64.
    """
    if len(parts) == 1:
        return parts[0]
    boundary = f"=_{token}_{kind}"
    between = f"--{boundary}\r\n".encode("ascii")
    body = b"".join(between + bytes(part) + b"\r\n" for part in parts)
    end = f"--{boundary}--\r\n".encode("ascii")
    return MimePart((f'Content-Type: multipart/{kind};\r\n boundary="{boundary}"',), body + end)


def _filename(name: str) -> str:
    """Return the parameter, in several pieces if it is long (RFC 2231, section 4.1)."""
    if _PLAIN_NAME.match(name):
        return f' filename="{name}"'
    units = re.findall(r"%..|.", quote(name, safe=""))
    pieces = ["".join(units[at : at + _CHUNK]) for at in range(0, len(units), _CHUNK)]
    start = "utf-8''"
    if len(pieces) == 1:
        return f"\r\n filename*={start}{pieces[0]}"
    return ";".join(
        f"\r\n filename*{at}*={'' if at else start}{piece}" for at, piece in enumerate(pieces)
    )


MAX_RECIPIENTS = 100
"""Recipients in to, cc and bcc together: every server accepts so many (RFC 5321, section 4.5.3.1.8)."""

MAX_MAIL_BYTES = 3 * 1024 * 1024
"""Bytes of a whole mail as it is sent; attachments are a third larger than the files."""

MAX_ATTACHMENTS = 20

MAX_FILENAME = 150
"""Characters."""

_TYPE = re.compile(r"[a-z0-9][a-z0-9.+-]{0,60}/[a-z0-9][a-z0-9.+-]{0,60}\Z", re.IGNORECASE)


class MailMessage(NamedTuple):
    """A mail with its envelope, ready for the relay."""

    sender: str
    recipients: tuple[str, ...]
    """Each address once, with those of bcc, which are only in the envelope."""
    message_id: str
    content: bytes
    """Header and body (RFC 5322), 7-bit, with CRLF."""


def mail_message(
    delivery: Delivery, params: Mapping[str, Any], sender: str, sender_name: str | None
) -> MailMessage:
    """Make a mail from params; Permanent with the field's name if they do not make one."""
    given = {field: list(_addresses(params, field)) for field in ("to", "cc", "bcc", "reply_to")}
    recipients = tuple(dict.fromkeys([*given["to"], *given["cc"], *given["bcc"]]))
    if not 0 < len(recipients) <= MAX_RECIPIENTS:
        raise Permanent(f"a mail has 1 to {MAX_RECIPIENTS} recipients")
    origin = fields.parse_address(sender, "sender")
    message_id = f"<{_delivery_hash(delivery)}@{origin.rpartition('@')[2]}>"
    head = [
        ("Date", fields.date(delivery.at)),
        ("Message-ID", message_id),
        ("From", fields.display_name(sender_name, origin, "sender_name")),
        *(
            (name, fields.address_list(given[field]))
            for name, field in (("To", "to"), ("Cc", "cc"), ("Reply-To", "reply_to"))
            if given[field]
        ),
        ("Subject", fields.text(params["subject"], "subject")),
        *fields.extra_headers(params.get("headers") or {}),
    ]
    content = fields.header_block(head) + _body(delivery, params)
    if len(content) > MAX_MAIL_BYTES:
        raise Permanent(f"the mail is larger than {MAX_MAIL_BYTES} bytes")
    return MailMessage(origin, recipients, message_id, content)


def _addresses(params: Mapping[str, Any], field: str) -> Iterator[str]:
    for at, address in enumerate(params.get(field) or ()):
        yield fields.parse_address(address, f"{field}[{at}]")


def _delivery_hash(delivery: Delivery) -> str:
    """Return a public id of the delivery that discloses nothing about it."""
    return sha256(f"{delivery.tenant}\0{delivery.key}".encode(errors="replace")).hexdigest()[:40]


def _body(delivery: Delivery, params: Mapping[str, Any]) -> bytes:
    """Return text, HTML if there is some, and attachments, with the MIME fields that describe them."""
    texts = [text_part(params["text"], "plain", "text")]
    if params.get("html") is not None:
        texts.append(text_part(params["html"], "html", "html"))
    token = _delivery_hash(delivery)
    files = [_file(each, f"attachments[{at}]") for at, each in enumerate(_attachments(params))]
    whole = multipart("mixed", token, [multipart("alternative", token, texts), *files])
    return b"MIME-Version: 1.0\r\n" + bytes(whole)


def _attachments(params: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    found = list(params.get("attachments") or ())
    if len(found) > MAX_ATTACHMENTS:
        raise Permanent(f"a mail has at most {MAX_ATTACHMENTS} attachments")
    return found


def _file(attachment: Mapping[str, Any], field: str) -> MimePart:
    name, kind = attachment["name"], attachment["content_type"]
    fields.check(name, f"{field}.name", MAX_FILENAME)
    if not name.strip() or "/" in name or "\\" in name:
        raise Permanent(f"{field}.name must be the name of a file, without a path")
    if not _TYPE.match(kind) or kind.lower().startswith(("multipart/", "message/")):
        raise Permanent(f"{field}.content_type must be one such as application/pdf")
    try:
        return file_part(name, kind.lower(), base64.b64decode(attachment["content"], validate=True))
    except (binascii.Error, ValueError):
        raise Permanent(f"{field}.content is not base64") from None
