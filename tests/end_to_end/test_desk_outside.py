"""The desk and the outside, end to end: a real relay, a real receiver of webhooks, a real bucket."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from standardwebhooks import Webhook

from actors.errors import InvalidArgument
from tests.actors.connectors.authority import Authority
from tests.actors.connectors.bucket import bucket, stored
from tests.actors.connectors.smtp_server import post_office
from tests.actors.connectors.web_peer import OK, saying, status, web_peer
from tests.actors.servers import request
from tests.conftest import Server
from tests.deadline import until
from tests.outside_services import Neighbours
from tests.raw_client import Map, RawClient

SECRET = "whsec_" + base64.b64encode(b"a signing secret of acme's").decode()
PASSWORD = "s3cret-of-acme"


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """Whom the operator trusts."""
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def desk(tmp_path: Path, authority: Authority) -> Iterator[Desk]:
    """A server whose operator lets connectors reach this machine."""
    made = Desk(tmp_path, authority)
    yield made
    made.close()


@pytest.fixture
def neighbours() -> Iterator[Neighbours]:
    """The outside services."""
    with Neighbours() as made:
        yield made


class Desk:
    """Acme's, with one contact."""

    def __init__(self, directory: Path, authority: Authority) -> None:
        reach: Map = {"outward_networks": ["127.0.0.0/8"], "outward_ca": authority.ca_file}
        self.server = Server(directory / "data", drain_seconds=0.1, **reach)
        self._wire = RawClient(self.server.endpoint)
        self.contact = self("contacts.add", name="Ada", email="ada@example.com")["id"]

    def __call__(self, action: str, **params: Any) -> Any:
        """The result of a member's call."""
        reply = self.reply(action, **params)
        assert reply["ok"], reply
        return reply["result"]

    def reply(self, action: str, **params: Any) -> Map:
        """A member's call; the reply."""
        return self._wire.ask(**request(self.server, "acme", action, **params))

    def ask(self, action: str, **params: Any) -> Map:
        """On the admin channel, about acme."""
        return self.server.system.local.ask(action, "acme", **params)

    def subscribe(self, connector: str, **settings: Any) -> None:
        """With these settings."""
        self.ask("subscriptions.set", connector=connector)
        self.ask("connectors.configure", connector=connector, settings=settings)

    def ticket(self) -> int:
        """An open one."""
        opened = self("tickets.open", contact_id=self.contact, subject="Engine", body="Stuck.")
        return int(opened["id"])

    def mail(self, ticket: int) -> str | None:
        """What became of the first reply's mail."""
        replies = self("tickets.get", id=ticket)["replies"]
        found: str | None = replies[0]["mail"]
        return found

    def close(self) -> None:
        """Stop the server."""
        self._wire.__exit__(None, None, None)
        self.server.stop()


def test_a_reply_reaches_the_contact_by_mail(
    desk: Desk, neighbours: Neighbours, authority: Authority
) -> None:
    """Encrypted and logged in; the ticket says so, and every trace is free of the password."""
    trust = authority.server("127.0.0.1")
    office = neighbours.move_in(post_office(trust, login=True))
    relay = {"host": "127.0.0.1", "port": office.port, "username": "acme", "password": PASSWORD}
    desk.subscribe("mail", sender="desk@acme.example", **relay)
    ticket = desk.ticket()
    desk("tickets.reply", id=ticket, body="Turn it.")
    until(lambda: desk.mail(ticket) == "sent", "the mail to be sent")
    (received,) = office.received
    assert received.encrypted
    assert (received.sender, received.recipients) == ("desk@acme.example", ["ada@example.com"])
    assert received.message["subject"] == f"[#{ticket}] Engine"
    assert received.message.get_content().strip() == "Turn it."

    (call,) = desk.ask("connectors.calls", connector="mail")["calls"]
    (traced,) = desk.ask("connectors.trace", id=call["id"])["calls"]
    assert traced["forms"]["inner_request"]["to"] == ["ada@example.com"]
    assert traced["forms"]["outer_request"]["recipients"] == ["ada@example.com"]
    assert (
        traced["forms"]["outer_response"]["message_id"]
        == traced["forms"]["inner_result"]["message_id"]
    )
    assert PASSWORD not in json.dumps(traced)
    replayed = desk.ask("connectors.replay", id=call["id"])
    assert replayed["same"], replayed["differences"]


def test_a_relay_that_refuses_is_told_on_the_ticket(desk: Desk, neighbours: Neighbours) -> None:
    """And the delivery is with the dead, which can be sent again."""
    says = {"rcpt": "550 no such mailbox"}
    office = neighbours.move_in(post_office(says=says))
    relay = {"host": "127.0.0.1", "port": office.port, "tls": "none"}
    desk.subscribe("mail", sender="desk@acme.example", **relay)
    ticket = desk.ticket()
    desk("tickets.reply", id=ticket, body="ü" * 4000)
    until(lambda: desk.mail(ticket) == "failed", "the mail to be given up")
    (dead,) = desk.ask("connectors.dead")["deliveries"]
    assert "550" in dead["last_error"]
    assert dead["params"]["to"] == ["ada@example.com"]
    assert dead["params"]["text"] == "(8002 bytes)"
    says.clear()
    assert desk.ask("connectors.retry", id=dead["id"]) == {"deliveries": 1}
    until(lambda: desk.mail(ticket) == "sent", "the mail to be sent after all")


def test_a_closed_ticket_is_posted_signed_until_it_is_accepted(
    desk: Desk, neighbours: Neighbours
) -> None:
    """The same id and the same body each time; the receiver verifies with a library of the standard."""
    answers = [status("503 Busy", "retry-after: 0"), saying(OK)]
    peer = neighbours.move_in(web_peer(lambda writer: answers.pop(0)(writer)))
    desk.subscribe("webhook", url=peer.url, secrets=[SECRET])
    ticket = desk.ticket()
    desk("tickets.close", id=ticket, reason="It turns.")
    until(lambda: not answers, "the second attempt")
    first, second = peer.seen
    assert first.body == second.body
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    Webhook(SECRET).verify(second.body, second.headers)
    event = json.loads(second.body)
    assert event["type"] == "ticket.closed"
    assert event["data"]["id"] == ticket
    assert event["data"]["reason"] == "It turns."


def test_an_attachment_is_kept_in_the_bucket_and_read_by_a_link(desk: Desk) -> None:
    """Under the tenant's name; the link works for every holder, and stands in no journal."""
    content = bytes(range(256)) * 100
    with bucket() as settings:
        desk.subscribe("storage", **settings)
        ticket = desk.ticket()
        attached = desk(
            "tickets.attach",
            id=ticket,
            name="Kurbel für Zoë.jpg",
            content_type="image/jpeg",
            content=base64.b64encode(content).decode(),
        )
        assert attached["bytes"] == len(content)
        (key,) = (key for key in stored(settings) if key.startswith(f"acme/tickets/{ticket}/"))
        assert key.endswith("/Kurbel für Zoë.jpg")
        (listed,) = desk("tickets.attachments", id=ticket)["attachments"]
        assert (listed["id"], listed["bytes"]) == (attached["id"], len(content))
        link = desk("tickets.attachment", id=attached["id"])
        got = httpx2.get(link["url"])
        assert got.content == content
        assert got.headers["content-type"] == "image/jpeg"
        calls = desk.ask("connectors.calls", connector="storage")["calls"]
        traces = [desk.ask("connectors.trace", id=call["id"]) for call in calls]
        assert "X-Amz-Signature" not in json.dumps(traces)
        assert settings["secret_key"] not in json.dumps(traces)


@pytest.mark.parametrize("name", ["../up.jpg", ".hidden", "a/b", "a\\b", "a\r\nb: c", ""])
def test_a_file_s_name_leads_nowhere_else(desk: Desk, name: str) -> None:
    """Refused before anything is asked for."""
    refused = desk.reply("tickets.attach", id=desk.ticket(), name=name, content="aGk=")
    assert refused["error"]["code"] == "invalid_argument"


def test_nothing_is_noted_of_a_file_that_could_not_be_stored(desk: Desk) -> None:
    """A bucket that is not there."""
    with bucket() as settings:
        desk.subscribe("storage", **{**settings, "bucket": "nobody-s"})
        ticket = desk.ticket()
        refused = desk.reply("tickets.attach", id=ticket, name="a.jpg", content="aGk=")
        assert refused["error"]["code"] == "failed_precondition"
        assert "NoSuchBucket" in refused["error"]["message"]
    assert desk("tickets.attachments", id=ticket)["attachments"] == []


def test_without_a_subscription_the_caller_reads_a_sentence_for_customers(desk: Desk) -> None:
    """In the tenant's own name for the product, if it has one."""
    ticket = desk.ticket()
    wanted = {"id": ticket, "name": "a.jpg", "content": "aGk="}
    error = desk.reply("tickets.attach", **wanted)["error"]
    assert error["code"] == "not_subscribed"
    assert error["user_message"] == (
        "Keeping files is not part of what this service does for you so far. "
        "Please ask whoever manages your account to add it."
    )
    whitelabel = {"product_name": "Analytical Desk"}
    desk.ask("config.patch", revision=0, patch={"whitelabel": whitelabel})
    error = desk.reply("tickets.attach", **wanted)["error"]
    assert error["user_message"].startswith(
        "Keeping files is not part of what Analytical Desk does for you"
    )


def test_a_connector_that_nobody_has_set_up_says_what_to_do(desk: Desk) -> None:
    """Subscribing is half of it."""
    desk.ask("subscriptions.set", connector="storage")
    wanted = {"id": desk.ticket(), "name": "a.jpg", "content": "aGk="}
    error = desk.reply("tickets.attach", **wanted)["error"]
    assert error["code"] == "failed_precondition"
    assert "settings.endpoint is required" in error["message"]
    assert error["message"].endswith("owners see to that with connectors.configure")


def test_connectors_are_called_by_functions_alone(desk: Desk) -> None:
    """An operation's name is no action's, on either channel."""
    for action in ("mail.send", "webhook.post", "storage.get"):
        assert desk.reply(action)["error"]["code"] in ("not_found", "unimplemented")


WORKING: dict[str, dict[str, Any]] = {
    "webhook": {"secrets": [SECRET], "url": "https://hooks.example.com/x"},
    "storage": {
        "endpoint": "https://s3.example.com",
        "bucket": "b-1",
        "access_key": "a",
        "secret_key": "s",
    },
    "mail": {"host": "smtp.example.com", "port": 587, "sender": "desk@example.com"},
}


def test_settings_that_can_never_work_are_refused_where_they_are_set(tmp_path: Path) -> None:
    """And those that may are taken, though they were never tried."""
    server = Server(tmp_path / "data", drain_seconds=0.1)
    try:
        ask = server.system.local.ask
        for connector, wrong in (
            ("webhook", {"secrets": ["whsec_not base64"]}),
            ("webhook", {"secrets": ["whsec_AAAA"]}),
            ("webhook", {"url": "ftp://hooks.example.com", "secrets": [SECRET]}),
            ("webhook", {"url": "http://hooks.example.com", "secrets": [SECRET]}),
            ("storage", {"endpoint": "https://s3.example.com/bucket", "secret_key": "s"}),
            ("storage", {"secret_key": "s\n"}),
            ("storage", {"prefix": "a/../b"}),
            ("mail", {"port": 80}),
            ("mail", {"sender": "Desk <desk@example.com>"}),
        ):
            settings = {**WORKING[connector], **wrong}
            with pytest.raises(InvalidArgument, match="these settings cannot work"):
                ask("connectors.configure", "acme", connector=connector, settings=settings)
        for connector, settings in WORKING.items():
            ask("connectors.configure", "acme", connector=connector, settings=settings)
    finally:
        server.stop()


def test_a_webhook_to_the_inside_is_refused_unless_the_operator_admits_it(tmp_path: Path) -> None:
    """Whatever the tenant configures."""
    server = Server(tmp_path / "data", drain_seconds=0.1)
    try:
        ask = server.system.local.ask
        ask("subscriptions.set", "acme", connector="webhook")
        inside = {"url": "https://169.254.169.254/latest", "secrets": [SECRET]}
        with pytest.raises(InvalidArgument, match=r"169\.254\.169\.254 is refused.*--outward"):
            ask("connectors.configure", "acme", connector="webhook", settings=inside)
        assert ask("connectors.settings", "acme", connector="webhook")["connector"]["revision"] == 0
    finally:
        server.stop()
