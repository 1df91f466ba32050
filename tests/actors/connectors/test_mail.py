"""Mail against a real SMTP server: aiosmtpd."""

from __future__ import annotations

import asyncio
import base64
import socket
from contextlib import closing
from typing import Any

import pytest

from actors.connectors.contract import ConnectorProblem, Permanent, Transient
from actors.connectors.mail import MailConnector
from actors.connectors.outbound.boundary import EgressPolicy
from tests.actors.connectors.authority import Authority
from tests.actors.connectors.deliveries import LOOPBACK, deliver, delivery, known, names, run
from tests.actors.connectors.smtp_server import PostOffice, post_office

LETTER = {"to": ["ada@example.com"], "subject": "Hello", "text": "Line one.\n.\n.two\r\n"}
PASSWORD = "s3cret-of-acme"


async def send(
    office: PostOffice,
    params: dict[str, Any] | None = None,
    egress: EgressPolicy = LOOPBACK,
    **settings: Any,
) -> dict[str, Any]:
    """Send a letter through the office."""
    given = {
        "host": "127.0.0.1",
        "port": office.port,
        "tls": "none",
        "sender": "desk@acme.example",
        **settings,
    }
    return await deliver(MailConnector(egress), delivery("send"), params or LETTER, given)


def problem_with(**says: str) -> ConnectorProblem:
    """How a letter fails at an office that says this."""

    async def main() -> ConnectorProblem:
        async with post_office(says=says) as office:
            with pytest.raises(ConnectorProblem) as problem:
                await send(office)
            return problem.value

    return run(main())


def test_a_mail_arrives_as_it_was_written() -> None:
    """Text, HTML and files; lines that are a dot by themselves; bcc in the envelope alone."""
    letter = {
        "to": ["ada@example.com", "bob@bücher.example"],
        "cc": ["carol@example.com"],
        "bcc": ["dan@example.com", "ada@example.com"],
        "reply_to": ["help@acme.example"],
        "subject": "Grüße · 文 " * 20,
        "text": LETTER["text"],
        "html": "<p>Zoë</p>",
        "attachments": [
            {
                "name": "Rechnung · 7.pdf",
                "content_type": "application/pdf",
                "content": base64.b64encode(bytes(range(256)) * 4).decode(),
            }
        ],
        "headers": {"X-Ticket": "7", "Auto-Submitted": "auto-generated"},
    }

    async def main() -> None:
        async with post_office() as office:
            result = await send(office, letter, sender_name='Desk "A", of Zoë')
        (received,) = office.received
        message = received.message
        assert received.sender == "desk@acme.example"
        assert received.recipients == [
            "ada@example.com",
            "bob@xn--bcher-kva.example",
            "carol@example.com",
            "dan@example.com",
        ]
        assert b"dan@" not in received.content
        assert message["subject"] == letter["subject"]
        assert message["from"].addresses[0].display_name == 'Desk "A", of Zoë'
        assert message["from"].addresses[0].addr_spec == "desk@acme.example"
        assert [each.addr_spec for each in message["to"].addresses] == received.recipients[:2]
        assert message["reply-to"] == "help@acme.example"
        assert (message["x-ticket"], message["auto-submitted"]) == ("7", "auto-generated")
        assert message["date"].datetime.isoformat() == "2025-11-24T16:00:00+00:00"
        assert result == {"message_id": message["message-id"], "refused": []}
        plain, html = message.get_body(("plain",)), message.get_body(("html",))
        assert plain is not None
        assert html is not None
        assert plain.get_content().splitlines() == ["Line one.", ".", ".two"]
        assert html.get_content().splitlines() == ["<p>Zoë</p>"]
        (attachment,) = message.iter_attachments()
        assert attachment.get_filename() == "Rechnung · 7.pdf"
        assert attachment.get_content() == bytes(range(256)) * 4

    run(main())


def test_a_mail_sent_again_is_the_same_to_the_last_byte() -> None:
    """So that readers, and the journal, know it; another delivery has another Message-ID."""
    connector = MailConnector(LOOPBACK)
    settings = known("mail", host="mx.example", port=587, sender="desk@acme.example")
    params = {**LETTER, "html": "<p>", "bcc": ["dan@example.com"]}
    first, again, other = (
        connector.outer(delivery("send", key=key), params, settings) for key in ("k", "k", "l")
    )
    assert first == again
    assert first["message_id"] != other["message_id"]


def test_it_is_encrypted_and_logged_in(authority: Authority) -> None:
    """With STARTTLS, and with TLS from the first byte; the certificate is the name's."""

    async def main() -> None:
        trust = authority.server("relay.example")
        resolve = names({"relay.example": ["127.0.0.1"]})
        egress = LOOPBACK._replace(resolve=resolve, ca_file=authority.ca_file)
        known: dict[str, Any] = {"host": "relay.example", "username": "acme", "password": PASSWORD}
        async with post_office(trust, login=True) as office:
            await send(office, egress=egress, tls="starttls", **known)
        assert office.received[0].encrypted
        assert office.logins == [(b"acme", PASSWORD.encode())]
        async with post_office(implicit=trust) as office:
            await send(office, egress=egress, tls="implicit", host="relay.example")
        assert len(office.received) == 1

    run(main())


@pytest.mark.parametrize("tls", ["starttls", "implicit"])
def test_a_certificate_of_somebody_else_ends_it(authority: Authority, tls: str) -> None:
    """Before the login, and before anything of the mail."""

    async def main() -> None:
        trust = authority.server("other.example")
        resolve = names({"relay.example": ["127.0.0.1"]})
        egress = LOOPBACK._replace(resolve=resolve, ca_file=authority.ca_file)
        given = {"starttls": trust} if tls == "starttls" else {"implicit": trust}
        async with post_office(given.get("starttls"), implicit=given.get("implicit")) as office:
            with pytest.raises(Transient, match="no certificate"):
                await send(
                    office,
                    egress=egress,
                    tls=tls,
                    host="relay.example",
                    username="acme",
                    password=PASSWORD,
                )
        assert (office.logins, office.received) == ([], [])

    run(main())


def test_a_relay_without_starttls_gets_nothing() -> None:
    """There is no falling back to plain."""

    async def main() -> None:
        async with post_office() as office:
            with pytest.raises(Permanent, match="offers no STARTTLS"):
                await send(office, tls="starttls")
        assert office.received == []

    run(main())


def test_plain_connections_stay_on_this_machine() -> None:
    """Unless the operator lets them leave; then the network has to be admitted, too."""

    async def main() -> None:
        resolve = names({"relay.example": ["10.0.0.1"]})
        egress = EgressPolicy.from_settings(["10.0.0.0/8"])._replace(resolve=resolve)
        async with post_office() as office:
            with pytest.raises(Permanent, match="without TLS only this machine"):
                await send(office, egress=egress, host="relay.example")

    run(main())


def test_a_wrong_password_is_final_and_not_repeated_to_anybody(authority: Authority) -> None:
    """Even where the relay repeats it."""

    async def main() -> None:
        trust = authority.server("127.0.0.1")
        egress = LOOPBACK._replace(ca_file=authority.ca_file)
        said = "535 acme may not come in with wr0ng-password"
        async with post_office(trust, login=True, says={"auth": said}) as office:
            with pytest.raises(Permanent, match="refused the login: 535") as problem:
                await send(
                    office,
                    egress=egress,
                    tls="starttls",
                    username="acme",
                    password="wr0ng-password",
                )
        assert "wr0ng" not in str(problem.value)
        assert office.received == []

    run(main())


def test_a_relay_that_is_busy_is_tried_again() -> None:
    """Codes below 500, at whichever step."""
    for says in ({"rcpt": "450 busy"}, {"data": "451 try later"}):
        problem = problem_with(**says)
        assert isinstance(problem, Transient)
        assert "may have" not in str(problem)
        assert next(iter(says.values()))[:3] in str(problem)


def test_a_relay_that_refuses_is_not_asked_again() -> None:
    """Codes from 500 on."""
    for says in ({"rcpt": "550 nobody here"}, {"data": "554 looks like spam"}):
        problem = problem_with(**says)
        assert isinstance(problem, Permanent)
        assert next(iter(says.values())) in str(problem)


def test_who_is_refused_while_others_are_not_is_in_the_result() -> None:
    """The mail has gone to the others; again would be twice for them."""

    async def main() -> None:
        letter = {**LETTER, "cc": ["bob@example.com"]}
        async with post_office(says={"bob@example.com": "550 no Bob"}) as office:
            result = await send(office, letter)
        assert office.received[0].recipients == ["ada@example.com"]
        assert result["refused"] == [{"address": "bob@example.com", "code": 550, "said": "no Bob"}]

    run(main())


def test_a_relay_that_goes_while_it_has_the_mail_may_have_taken_it() -> None:
    """No one knows; the Message-ID stays the same over attempts."""
    problem = problem_with(data="close")
    assert isinstance(problem, Transient)
    assert "may have" in str(problem)
    assert "may have taken it" in str(problem)


def test_a_relay_that_says_nothing_is_left_in_time() -> None:
    """While it has the mail, and at the beginning: the one is unknown, the other is not."""

    async def main() -> None:
        async with post_office(says={"data": "silence"}) as office:
            with pytest.raises(Transient, match="in time") as problem:
                await send(office, timeout=1)
            assert "may have" in str(problem.value)
        with closing(socket.create_server(("127.0.0.1", 0))) as silent:
            office.port = silent.getsockname()[1]
            with pytest.raises(Transient, match="in time") as problem:
                await send(office, timeout=1)
            assert "may have" not in str(problem.value)

    run(main())


@pytest.mark.parametrize(
    "greeting",
    [
        *(b"", b"220 hi\r\n", b"no number\r\n", b"554 go\r\n", b"421 full\r\n"),
        *(b"2" * 100_000, b"220-and more\r\n" * 100_000),
    ],
)
def test_what_does_not_speak_smtp_is_no_relay(greeting: bytes) -> None:
    """It closes at once, or says what no relay says; nothing of the mail is sent."""

    async def main() -> None:
        async def serve(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(greeting)
            writer.close()

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        async with server:
            office = PostOffice()
            office.port = server.sockets[0].getsockname()[1]
            with pytest.raises(ConnectorProblem) as problem:
                await send(office)
        final = greeting.startswith(b"554")
        assert isinstance(problem.value, Permanent if final else Transient)
        assert "may have" not in str(problem.value)

    run(main())


def test_if_no_server_listens_it_is_tried_again() -> None:
    """The port is one that was free a moment ago."""

    async def main() -> None:
        async with post_office() as office:
            pass
        with pytest.raises(Transient, match="cannot be reached"):
            await send(office)

    run(main())


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"to": []}, "1 to 100 recipients"),
        ({"to": [f"a{n}@example.com" for n in range(101)]}, "1 to 100 recipients"),
        ({"to": ["jörg@example.com"]}, "SMTPUTF8"),
        ({"to": ["a@b\r\nRCPT TO:<eve@example.com>"]}, r"to\[0\]"),
        ({"to": ["a@example.com> size=1"]}, r"to\[0\]"),
        ({"cc": ['"a b"@example.com']}, r"cc\[0\]"),
        ({"to": ["ada"]}, r"to\[0\]"),
        ({"to": ["ada@[127.0.0.1]"]}, "no domain"),
        ({"to": ["ada@127.0.0.1"]}, "no domain"),
        ({"to": ["a" * 65 + "@example.com"]}, r"to\[0\]"),
        ({"subject": "a\r\nBcc: eve@example.com"}, "subject holds a line break"),
        ({"subject": "a\u2028b"}, "subject holds"),
        ({"subject": "\ud800"}, "subject holds"),
        ({"text": "\ud800"}, "text holds"),
        ({"headers": {"Bcc": "eve@example.com"}}, "cannot be set"),
        ({"headers": {"X-A\r\nBcc": "eve@example.com"}}, "cannot be set"),
        ({"headers": {"X-A": "1\r\nBcc: eve@example.com"}}, "line break"),
        ({"headers": {"X-A": "1", "x-a": "2"}}, "twice"),
        ({"headers": {"X-A": "ä"}}, "ASCII"),
    ],
)
def test_what_could_become_another_mail_is_refused_before_connecting(
    change: dict[str, Any], words: str
) -> None:
    """With the name of the field."""
    connector = MailConnector(LOOPBACK)
    settings = known("mail", host="mx.example", port=587, sender="desk@acme.example")
    with pytest.raises(Permanent, match=words):
        connector.outer(delivery("send"), {**LETTER, **change}, settings)


@pytest.mark.parametrize(
    "change",
    [
        {"name": "../../etc/passwd"},
        {"name": "a\r\nb"},
        {"name": " "},
        {"content_type": "text/plain; charset=x"},
        {"content_type": "multipart/mixed"},
        {"content_type": "message/rfc822"},
        {"content_type": "text"},
        {"content": "not base64"},
        {"content": "A" * 4_000_000},
    ],
)
def test_attachments_are_files_with_a_plain_name_and_type(change: dict[str, str]) -> None:
    """And not too large."""
    file = {"name": "a.txt", "content_type": "text/plain", "content": "YQ==", **change}
    connector = MailConnector(LOOPBACK)
    settings = known("mail", host="mx.example", port=587, sender="desk@acme.example")
    with pytest.raises(Permanent):
        connector.outer(delivery("send"), {**LETTER, "attachments": [file]}, settings)
