"""Whatever text a mail is made of: it is refused, or arrives as that text in that one field."""

from __future__ import annotations

from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from actors.connectors import mail_headers
from actors.connectors.contract import Delivery, Permanent
from actors.connectors.mime import MailMessage, mail_message

DELIVERY = Delivery("send", "acme", "k-1", 1_764_000_000.5, 0.0, "0123abcd")

NAMES = ["Date", "Message-ID", "From", "To", "Cc", "Reply-To", "Subject", "MIME-Version"]

HOSTILE = st.lists(
    st.one_of(
        st.text(max_size=20),
        st.sampled_from(
            [
                "\r\n",
                "\n",
                "\r",
                "\0",
                "\u2028",
                "\x85",
                "\x0b",
                "=?utf-8?q?=0D=0ABcc:_x?=",
                "?=",
                "\\",
            ]
        ),
        st.sampled_from(
            ["Bcc: eve@evil.example", '"', "<eve@evil.example>", ",", ";", "@", " ", "\t"]
        ),
    ),
    max_size=12,
).map("".join)


def written(**change: Any) -> MailMessage | None:
    """A letter with this in it; None where it is refused."""
    params = {
        "to": ["ada@example.com"],
        "cc": ["bob@example.com"],
        "reply_to": ["help@example.com"],
        "subject": "Hello",
        "text": "Text.",
        **change,
    }
    name = params.pop("sender_name", None)
    try:
        return mail_message(DELIVERY, params, params.pop("sender", "desk@acme.example"), name)
    except Permanent:
        return None


def read(found: MailMessage) -> EmailMessage:
    """As a mail reader does."""
    message = message_from_bytes(found.content, policy=policy.default)
    assert isinstance(message, EmailMessage)
    return message


def assert_nobody_else_gets_it(found: MailMessage) -> None:
    """Every line is one of the header's own, and the recipients are those that were given."""
    assert found.recipients == ("ada@example.com", "bob@example.com")
    head = found.content.partition(b"\r\n\r\n")[0]
    lines = head.split(b"\r\n")
    assert all(b"\r" not in line and b"\n" not in line and len(line) <= 998 for line in lines)
    own = [line.partition(b":")[0].decode() for line in lines if not line.startswith(b" ")]
    assert own[: len(NAMES) - 1] == NAMES[:-1]
    assert "bcc" not in {name.lower() for name in own}
    assert found.content.isascii()


def plain(text: str) -> str:
    """A text as every reader shows it: space at its ends is not told apart."""
    return " ".join(text.split())


def squeezed(text: str) -> str:
    """A text without space: Python's reader puts some between the encoded words of a name (others do not)."""
    return "".join(text.split())


@given(HOSTILE)
@example("a, b@evil.example" * 20)
@example("é," * 100)
def test_a_subject_is_a_subject(text: str) -> None:
    """Nothing of it becomes another header."""
    found = written(subject=text)
    if found is not None:
        assert_nobody_else_gets_it(found)
        assert plain(str(read(found)["subject"])) == plain(text)


@given(HOSTILE)
@example("a, b@evil.example" * 20)
@example('é", <eve@evil.example>, "' * 10)
def test_a_name_is_a_name(text: str) -> None:
    """Nothing of it becomes another address."""
    found = written(sender_name=text)
    if found is not None:
        assert_nobody_else_gets_it(found)
        (origin,) = read(found)["from"].addresses
        assert origin.addr_spec == "desk@acme.example"
        assert squeezed(origin.display_name) == squeezed(text)


@given(HOSTILE)
def test_an_address_is_an_address(text: str) -> None:
    """One, and the one that was given."""
    for field in ("reply_to", "sender"):
        found = written(**{field: [text] if field == "reply_to" else text})
        if found is not None:
            assert_nobody_else_gets_it(found)
            header = read(found)["reply-to" if field == "reply_to" else "from"]
            (address,) = header.addresses
            assert address.addr_spec == mail_headers.parse_address(text, field)
    found = written(bcc=[text])
    if found is not None:
        assert found.recipients[2:] == (mail_headers.parse_address(text, "bcc"),)


@given(HOSTILE, HOSTILE)
def test_a_further_header_is_one_header(name: str, value: str) -> None:
    """With its own name and its own value."""
    found = written(headers={f"X-{name}": value})
    if found is not None:
        assert_nobody_else_gets_it(found)
        assert read(found).get_all(f"X-{name}") == [value]


@given(HOSTILE)
@example("=_" + "0" * 40 + "_0--\r\n\r\nnext part")
def test_a_text_is_a_text(text: str) -> None:
    """It ends no part and begins none."""
    found = written(text=text, html=text)
    if found is not None:
        assert_nobody_else_gets_it(found)
        message = read(found)
        assert [part.get_content_type() for part in message.walk()] == [
            "multipart/alternative",
            "text/plain",
            "text/html",
        ]
        body = message.get_body(("plain",))
        assert body is not None
        assert body.get_content().split() == text.encode().decode().split()


@given(HOSTILE)
def test_a_filename_is_a_filename(text: str) -> None:
    """It adds no parameter and no header to its part."""
    file = {"name": text, "content_type": "text/csv", "content": "YQ=="}
    found = written(attachments=[file])
    if found is not None:
        assert_nobody_else_gets_it(found)
        (part,) = read(found).iter_attachments()
        assert {name.lower() for name in part} == {
            "content-type",
            "content-transfer-encoding",
            "content-disposition",
        }
        assert plain(part["content-disposition"].params["filename"]) == plain(text)
