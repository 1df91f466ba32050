"""Webhooks against a real HTTP server, one that behaves and ones that do not."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Sequence
from email.utils import formatdate
from typing import Any

import pytest
from standardwebhooks import Webhook

from actors.connectors.contract import ConnectorProblem, Permanent, Transient
from actors.connectors.outbound.boundary import EgressPolicy
from actors.connectors.outbound.http import MAX_RETRY_AFTER, retry_after
from actors.connectors.webhook import MAX_RESPONSE, WebhookConnector
from tests.actors.connectors.authority import Authority
from tests.actors.connectors.deliveries import LOOPBACK, deliver, delivery, known, names, run
from tests.actors.connectors.web_peer import (
    OK,
    Answer,
    WebPeer,
    endlessly,
    saying,
    silence,
    status,
    web_peer,
)

SECRET = "whsec_" + base64.b64encode(b"k" * 32).decode()
OLDER = "whsec_" + base64.b64encode(b"o" * 32).decode()

EVENT = {"type": "ticket.closed", "payload": {"id": 7, "subject": "Zoë · 文"}}


async def post(peer: WebPeer, egress: EgressPolicy = LOOPBACK, **settings: Any) -> dict[str, Any]:
    """Post the event to the peer."""
    connector = WebhookConnector(egress)
    given = {"url": peer.url, "secrets": [SECRET], **settings}
    return await deliver(connector, delivery("post"), EVENT, given)


def refused(answer: Answer, **settings: Any) -> ConnectorProblem:
    """How the event failed there."""

    async def main() -> ConnectorProblem:
        async with web_peer(answer) as peer:
            with pytest.raises(ConnectorProblem) as problem:
                await post(peer, **settings)
            return problem.value

    return run(main())


def test_an_event_arrives_signed() -> None:
    """With the library that receivers use; under each of the secrets."""

    async def main() -> None:
        async with web_peer(saying(OK)) as peer:
            result = await post(peer, secrets=[SECRET, OLDER])
        (seen,) = peer.seen
        for secret in (SECRET, OLDER):
            event = Webhook(secret).verify(seen.body, seen.headers)
            assert event["data"] == EVENT["payload"]
        assert seen.headers["webhook-id"] == "k-1"
        assert json.loads(seen.body)["timestamp"] == "2025-11-24T16:00:00.500000Z"
        assert seen.target == "/hooks?a=1"
        assert seen.headers["host"] == f"127.0.0.1:{peer.port}"
        assert result == {
            "status": 200,
            "headers": {"content-type": "text/plain"},
            "body": "ok",
            "truncated": False,
        }

    run(main())


def test_an_event_sent_again_is_the_same_event() -> None:
    """Id and body stay, so that the receiver knows it; only the time of the attempt is new."""
    connector = WebhookConnector(LOOPBACK)
    settings = known("webhook", url="https://example.com/", secrets=[SECRET])
    first, again = (connector.outer(delivery("post"), EVENT, settings) for _ in range(2))
    assert first == again


def test_the_journal_holds_no_secret() -> None:
    """Neither a signing secret, nor the address in the settings, which may hold a key."""
    settings = known("webhook", url="https://example.com/key-1234", secrets=[SECRET])
    outer = WebhookConnector(LOOPBACK).outer(delivery("post"), EVENT, settings)
    assert "key-1234" not in json.dumps(outer)
    assert SECRET not in json.dumps(outer)


@pytest.mark.parametrize(
    ("key", "kept"), [("t_1:a-b", True), ("a.b", False), ("a\r\nb", False), ("ä", False)]
)
def test_an_id_that_could_not_be_signed_is_replaced_by_its_digest(key: str, kept: bool) -> None:
    """A full stop stands between what is signed; line breaks would begin another header."""
    settings = known("webhook", url="https://example.com/", secrets=[SECRET])
    outer = WebhookConnector(LOOPBACK).outer(delivery("post", key=key), EVENT, settings)
    assert (outer["id"] == key) is kept
    assert kept or outer["id"].startswith("msg_")


@pytest.mark.parametrize("line", ["429 Slow Down", "503 Busy", "502 Bad", "500 Oops", "408 Late"])
def test_busy_services_are_tried_again(line: str) -> None:
    """They have answered, so it is known that they did not take it."""
    problem = refused(status(line))
    assert isinstance(problem, Transient)
    assert problem.retry_after_s is None
    assert "may have" not in str(problem)


@pytest.mark.parametrize("line", ["429 Slow Down", "503 Busy"])
def test_how_long_to_wait_is_read_in_both_forms(line: str) -> None:
    """Seconds, and a date."""
    problem = refused(status(line, "retry-after: 120"))
    assert isinstance(problem, Transient)
    assert problem.retry_after_s == 120
    problem = refused(status(line, f"retry-after: {formatdate(time.time() + 300, usegmt=True)}"))
    assert isinstance(problem, Transient)
    assert problem.retry_after_s == pytest.approx(300, abs=30)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, None),
        ("soon", None),
        ("-5", None),
        ("٣", None),
        ("0", 0.0),
        ("9" * 400, MAX_RETRY_AFTER),
        ("Thu, 01 Jan 1970 00:00:10 GMT", 10.0),
        ("Wed, 31 Dec 1969 23:59:00 GMT", 0.0),
        ("Fri, 31 Dec 9999 23:59:59 GMT", MAX_RETRY_AFTER),
        ("Fri, 99 Dec 2999 23:59:59 GMT", None),
    ],
)
def test_a_wait_is_never_negative_and_never_longer_than_a_day(
    header: str | None, seconds: float | None
) -> None:
    """What cannot be read is as if it were not there."""
    assert retry_after(header, 0.0) == seconds


def test_a_service_that_is_gone_says_so() -> None:
    """410: the specification asks to send nothing more."""
    problem = refused(status("410 Gone"))
    assert isinstance(problem, Permanent)
    assert "wants no events any more" in str(problem)


@pytest.mark.parametrize("line", ["400 Bad", "401 Who", "404 Where", "422 What"])
def test_a_refusal_is_final(line: str) -> None:
    """The same event would be refused again."""
    problem = refused(status(line))
    assert isinstance(problem, Permanent)
    assert "any more" not in str(problem)


def test_redirects_are_not_followed() -> None:
    """Neither to another server nor at all; anyone who was named in it receives nothing."""

    async def main() -> None:
        async with web_peer(saying(OK)) as other:
            there = f"location: {other.url}"
            async with web_peer(status("307 Moved", there)) as peer:
                with pytest.raises(Permanent, match="redirects are not followed"):
                    await post(peer)
            assert other.connections == 0

    run(main())


def test_an_endless_answer_is_cut_while_it_comes() -> None:
    """It was accepted: that much is known from the first line on."""

    async def main() -> None:
        async with web_peer(endlessly) as peer:
            result = await post(peer)
        assert result["truncated"]
        assert result["body"] == "x" * MAX_RESPONSE

    run(main())


def test_an_answer_that_breaks_off_was_accepted_all_the_same() -> None:
    """Sending it again would tell the receiver twice."""

    async def main() -> None:
        async with web_peer(saying(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhal")) as peer:
            result = await post(peer)
        assert (result["truncated"], result["body"]) == (True, "hal")

    run(main())


@pytest.mark.parametrize("answer", [saying(b""), saying(b"\x16\x03 no HTTP\r\n\r\n"), silence])
def test_where_no_answer_comes_the_outcome_is_unknown(answer: Answer) -> None:
    """It closed after it had read, spoke something else, or said nothing in time."""
    problem = refused(answer, timeout=1)
    assert isinstance(problem, Transient)
    assert "may have" in str(problem)
    assert "may have got" in str(problem)


def test_if_no_server_listens_it_is_known_that_nothing_arrived() -> None:
    """The port is one that was free a moment ago."""

    async def main() -> None:
        async with web_peer(saying(OK)) as peer:
            pass
        with pytest.raises(Transient, match="cannot be reached") as problem:
            await post(peer)
        assert "may have" not in str(problem.value)

    run(main())


def test_an_attempt_ends_at_its_deadline_whatever_the_settings_say() -> None:
    """And is not begun after it."""

    async def main() -> None:
        connector = WebhookConnector(LOOPBACK)
        async with web_peer(silence) as peer:
            settings = {"url": peer.url, "secrets": [SECRET], "timeout": 60}
            for seconds in (1.0, 0.0):
                with pytest.raises(Transient, match=r"in time|no time left"):
                    await deliver(connector, delivery("post", seconds=seconds), EVENT, settings)
            assert peer.connections == 1

    run(main())


def test_the_address_that_was_checked_is_the_one_connected_to() -> None:
    """A name that leads to this machine the second time leads nowhere: it is asked for once."""
    asked: list[str] = []

    async def rebinding(name: str) -> Sequence[str]:
        asked.append(name)
        return ["127.0.0.1"] if len(asked) == 1 else ["10.0.0.1"]

    async def main() -> None:
        egress = LOOPBACK._replace(resolve=rebinding)
        async with web_peer(saying(OK)) as peer:
            url = f"http://hooks.example:{peer.port}/"
            await post(peer, egress, url=url)
            assert peer.seen[0].headers["host"] == f"hooks.example:{peer.port}"
            with pytest.raises(Transient, match=r"hooks\.example has no address that is reached"):
                await post(peer, egress, url=url)
        assert asked == ["hooks.example"] * 2

    run(main())


def test_certificates_are_checked_for_the_name_and_not_for_the_address(
    authority: Authority,
) -> None:
    """Connected to by its address, it has to prove that it is the host of the URL."""

    async def main() -> None:
        resolve = names({"hooks.example": ["127.0.0.1"], "other.example": ["127.0.0.1"]})
        egress = LOOPBACK._replace(resolve=resolve, ca_file=authority.ca_file)
        async with web_peer(saying(OK), authority.server("hooks.example")) as peer:
            result = await post(peer, egress, url=f"https://hooks.example:{peer.port}/")
            assert result["status"] == 200
            for other in (
                (egress, "other.example"),
                (egress._replace(ca_file=None), "hooks.example"),
            ):
                with pytest.raises(Transient, match="no certificate"):
                    await post(peer, other[0], url=f"https://{other[1]}:{peer.port}/")
            assert len(peer.seen) == 1

    run(main())


def test_the_second_address_is_tried_where_the_first_is_not_there() -> None:
    """And those that may not be reached are passed over."""

    async def main() -> None:
        async with web_peer(saying(OK)) as peer:
            resolve = names({"hooks.example": ["10.0.0.1", "127.0.0.9", "127.0.0.1"]})
            egress = LOOPBACK._replace(resolve=resolve)
            result = await post(peer, egress, url=f"http://hooks.example:{peer.port}/")
        assert result["status"] == 200

    run(main())


@pytest.mark.parametrize("secret", ["whsec_", "whsec_!!!", "whsec_aGk=", SECRET[6:], "whsec_é"])
def test_a_secret_that_is_none_is_refused_without_being_named(secret: str) -> None:
    """Base64 of 24 to 64 bytes, as the specification says."""
    problem = refused(saying(OK), secrets=[secret])
    assert isinstance(problem, Permanent)
    assert (
        secret.removeprefix("whsec_")[:8] not in str(problem).replace("whsec_", "")
        or not secret[6:]
    )


def test_settings_that_do_not_fit_are_named_without_their_values() -> None:
    """The same for all connectors."""
    with pytest.raises(Permanent, match="secrets") as problem:
        known("webhook", secrets="my-own-secret")
    assert "my-own" not in str(problem.value)


def test_what_is_no_event_is_refused_before_anything_is_sent() -> None:
    """Too large, not JSON, or without an address."""
    connector = WebhookConnector(LOOPBACK)
    settings = known("webhook", url="https://example.com/", secrets=[SECRET])
    for payload in ({"a": "x" * 300_000}, {"a": float("nan")}, {"a": "\ud800"}, {"a": b""}):
        with pytest.raises(Permanent):
            connector.outer(delivery("post"), {"type": "t", "payload": payload}, settings)
    with pytest.raises(Permanent, match="no url"):
        connector.outer(delivery("post"), EVENT, known("webhook", secrets=[SECRET]))
