"""When a request is sent, sent again and given up; time is a number here, so nothing waits."""

from __future__ import annotations

from typing import Any

import pytest

from transport.codec import decode, encode
from transport.errors import NoAnswer
from transport.message import Reply, Request
from transport.session import PendingRequest, Session

REQUEST = Request(id="r-1", action="contacts.add", params={"name": "Ada"})


def conversation(retries: int = 2, chance: float = 0.0) -> Session:
    """A client's requests, none as yet."""
    return Session("msgpack", retries, "tcp://server", chance=lambda: chance)


def under_way(flight: PendingRequest) -> bool:
    """Whether nothing has come of it yet."""
    return flight.outcome is None


def send_all(talk: Session, now: float) -> list[dict[str, Any]]:
    """Do what is due and take what is to be sent, as a socket would."""
    talk.wake(now)
    sent = []
    while talk.has_unsent:
        sent.append(decode(talk.take_unsent(now))[0])
    return sent


def reply(id: str = "r-1", **error: Any) -> bytes:
    """A reply of success, or the refusal given."""
    body = {"v": 1, "id": id, "ok": not error, "meta": {}}
    body |= {"error": {"message": "…", **error}} if error else {"result": {"id": 7}}
    return encode(body, "msgpack")


def times_sent(talk: Session, flight: PendingRequest) -> list[float]:
    """Follow the alarms until the flight ends; when it was sent."""
    now, times = 0.0, []
    while flight.outcome is None:
        times += [now for _ in send_all(talk, now)]
        alarm = talk.next_alarm
        now = now if alarm is None else alarm
    return times


def test_an_unanswered_request_is_sent_at_growing_distances_until_the_timeout() -> None:
    """Waits of 1, 2 and 4 parts that fill the timeout."""
    talk = conversation()
    flight = talk.begin(REQUEST, timeout=7.0, now=0.0)
    assert times_sent(talk, flight) == pytest.approx([0.0, 1.0, 3.0])
    assert isinstance(flight.outcome, NoAnswer)


def test_without_retries_it_is_sent_once() -> None:
    """And waited for until the timeout."""
    talk = conversation(retries=0)
    flight = talk.begin(REQUEST, timeout=7.0, now=0.0)
    assert times_sent(talk, flight) == [0.0]


def test_what_is_sent_again_is_the_same_but_for_the_time_that_is_left() -> None:
    """The id above all: it is what makes the effect happen once."""
    talk = conversation()
    talk.begin(REQUEST, timeout=7.0, now=0.0)
    (first,) = send_all(talk, 0.0)
    (second,) = send_all(talk, 1.0)
    assert first == {"id": "r-1", "action": "contacts.add", "params": {"name": "Ada"}} | {
        "timeout_ms": 7000
    }
    assert second == first | {"timeout_ms": 6000}


def test_an_answer_ends_it() -> None:
    """And nothing is left to be done for it."""
    talk = conversation()
    flight = talk.begin(REQUEST, timeout=7.0, now=0.0)
    send_all(talk, 0.0)
    talk.received(reply(), now=0.5)
    assert isinstance(flight.outcome, Reply)
    assert flight.outcome.result == {"id": 7}
    assert talk.next_alarm is None
    assert send_all(talk, 1.5) == []


def test_no_answer_names_the_server_and_the_id() -> None:
    """So that the caller can ask again under the same id."""
    talk = conversation()
    flight = talk.begin(REQUEST, timeout=7.0, now=0.0)
    talk.wake(7.0)
    assert isinstance(flight.outcome, NoAnswer)
    assert isinstance(flight.outcome, TimeoutError)
    assert flight.outcome.id == "r-1"
    assert "tcp://server" in flight.outcome.message
    assert "id='r-1'" in flight.outcome.message


@pytest.mark.parametrize("body", [reply("other"), b"noise", b"", encode({"v": 1}, "json")], ids=str)
def test_what_answers_nothing_is_ignored(body: bytes) -> None:
    """Late replies, repeated ones and noise."""
    talk = conversation()
    flight = talk.begin(REQUEST, timeout=7.0, now=0.0)
    send_all(talk, 0.0)
    talk.received(body, now=0.1)
    assert under_way(flight)
    talk.received(reply(), now=0.2)
    first = flight.outcome
    talk.received(reply(), now=0.3)
    assert flight.outcome is first


@pytest.mark.parametrize("code", ["unavailable", "resource_exhausted", "aborted"])
def test_a_server_that_asks_for_patience_is_asked_again_after_it(code: str) -> None:
    """Under the same id, not before the time it named."""
    talk = conversation()
    flight = talk.begin(REQUEST, timeout=7.0, now=0.0)
    send_all(talk, 0.0)
    talk.received(reply(code=code, retry_after_ms=200), now=0.1)
    assert under_way(flight)
    assert talk.next_alarm == pytest.approx(0.3)
    assert send_all(talk, 0.29) == []
    assert [again["id"] for again in send_all(talk, 0.31)] == ["r-1"]
    talk.received(reply(), now=0.4)
    assert isinstance(flight.outcome, Reply)
    assert flight.outcome.ok


@pytest.mark.parametrize(
    "refusal",
    [
        {"code": "unavailable"},
        {"code": "aborted"},
        {"code": "permission_denied", "retry_after_ms": 1},
        {"code": "internal", "retry_after_ms": 1},
        {"code": "deadline_exceeded", "retry_after_ms": 1},
        {"code": "resource_exhausted", "retry_after_ms": 7001},
    ],
    ids=str,
)
def test_other_refusals_are_the_callers_at_once(refusal: dict[str, Any]) -> None:
    """Where waiting does not help, takes too long, or could hide something."""
    talk = conversation()
    flight = talk.begin(REQUEST, timeout=7.0, now=0.0)
    send_all(talk, 0.0)
    talk.received(reply(**refusal), now=0.0)
    assert isinstance(flight.outcome, Reply)
    assert flight.outcome.error is not None
    assert flight.outcome.error.code == refusal["code"]


@pytest.mark.parametrize(("chance", "again"), [(0.0, 1.0), (0.5, 1.5), (0.999, 1.999)])
def test_a_refused_crowd_comes_back_spread_and_never_early(chance: float, again: float) -> None:
    """From the time that the server named to twice as long."""
    talk = conversation(chance=chance)
    talk.begin(REQUEST, timeout=7.0, now=0.0)
    send_all(talk, 0.0)
    talk.received(reply(code="unavailable", retry_after_ms=1000), now=0.0)
    assert talk.next_alarm == pytest.approx(again)


def test_the_spread_leaves_time_for_the_answer() -> None:
    """At most half of what the deadline leaves after the time that the server named."""
    talk = conversation(chance=0.999)
    talk.begin(REQUEST, timeout=7.0, now=0.0)
    send_all(talk, 0.0)
    talk.received(reply(code="unavailable", retry_after_ms=6000), now=0.0)
    assert talk.next_alarm == pytest.approx(6.5, abs=0.01)


def test_repeated_refusals_spread_a_request_over_up_to_a_second() -> None:
    """A server that names very short times is not asked a thousand times a second."""
    talk = conversation(chance=0.5)
    talk.begin(REQUEST, timeout=60.0, now=0.0)
    pauses, now = [], 0.0
    for _ in range(6):
        send_all(talk, now)
        talk.received(reply(code="unavailable", retry_after_ms=100), now)
        assert talk.next_alarm is not None
        pauses.append(talk.next_alarm - now)
        now = talk.next_alarm
    assert pauses == pytest.approx([0.15, 0.2, 0.3, 0.5, 0.6, 0.6])


def test_a_server_that_asks_for_patience_gets_it_until_the_deadline() -> None:
    """However often, without using up retries; then the last refusal is what the caller gets."""
    talk = conversation(retries=1)
    flight = talk.begin(REQUEST, timeout=7.0, now=0.0)
    for now in range(7):
        assert under_way(flight)
        assert [sent["id"] for sent in send_all(talk, float(now))] == ["r-1"]
        talk.received(reply(code="unavailable", retry_after_ms=1000), float(now))
    assert isinstance(flight.outcome, Reply)
    assert not flight.outcome.ok


def test_silence_after_patience_still_has_its_retries() -> None:
    """Refusals and silence are counted apart."""
    talk = conversation(retries=1)
    flight = talk.begin(REQUEST, timeout=30.0, now=0.0)
    send_all(talk, 0.0)
    talk.received(reply(code="unavailable", retry_after_ms=1000), 0.0)
    assert len(send_all(talk, 1.0)) == 1
    assert times_sent(talk, flight) == pytest.approx([21.0])


def test_without_retries_the_refusal_is_the_callers_at_once() -> None:
    """For callers that do the waiting themselves."""
    talk = conversation(retries=0)
    flight = talk.begin(REQUEST, timeout=7.0, now=0.0)
    send_all(talk, 0.0)
    talk.received(reply(code="unavailable", retry_after_ms=1), 0.0)
    assert isinstance(flight.outcome, Reply)


def test_a_lost_connection_makes_everything_unanswered_be_sent_again_in_order() -> None:
    """At once on the next connection, however often that happens, and without using up retries."""
    talk = conversation()
    ids = ["a", "b", "c"]
    for id in ids:
        talk.begin(Request(id=id, action="x"), timeout=7.0, now=0.0)
    for _ in range(5):
        assert [sent["id"] for sent in send_all(talk, 0.1)] == ids
        talk.disconnected()
    talk.received(reply("b"), now=0.2)
    assert [sent["id"] for sent in send_all(talk, 0.3)] == ["a", "c"]


def test_what_had_not_left_stays_behind_what_had() -> None:
    """The order in which requests were made outlasts the connection."""
    talk = conversation()
    talk.begin(Request(id="first", action="x"), timeout=7.0, now=0.0)
    send_all(talk, 0.0)
    talk.begin(Request(id="second", action="x"), timeout=7.0, now=0.0)
    talk.disconnected()
    assert [sent["id"] for sent in send_all(talk, 0.1)] == ["first", "second"]


def test_a_request_that_waits_for_its_retry_is_not_sent_early_by_a_lost_connection() -> None:
    """The server asked for patience; that it restarted does not shorten it."""
    talk = conversation()
    talk.begin(REQUEST, timeout=7.0, now=0.0)
    send_all(talk, 0.0)
    talk.received(reply(code="unavailable", retry_after_ms=1000), now=0.0)
    talk.disconnected()
    assert send_all(talk, 0.5) == []
    assert len(send_all(talk, 1.0)) == 1


def test_a_request_that_waited_for_a_connection_says_how_long_it_is_still_wanted() -> None:
    """Work that nobody waits for any more is not begun."""
    talk = conversation()
    talk.begin(REQUEST, timeout=7.0, now=0.0)
    talk.connected()
    (sent,) = send_all(talk, 5.0)
    assert sent["timeout_ms"] == 2000


def test_an_id_under_way_is_not_taken_twice() -> None:
    """Its answer would belong to both."""
    talk = conversation()
    flight = talk.begin(REQUEST, timeout=7.0, now=0.0)
    with pytest.raises(ValueError, match="under way"):
        talk.begin(REQUEST, timeout=7.0, now=0.0)
    talk.forget(flight)
    again = talk.begin(REQUEST, timeout=7.0, now=0.0)
    talk.forget(flight)  # a second time, when the id is another's
    send_all(talk, 0.0)
    talk.received(reply(), now=0.1)
    assert again.outcome is not None
    assert flight.outcome is None


def test_closing_ends_what_is_under_way() -> None:
    """Nobody waits for ever."""
    talk = conversation()
    ended: list[str] = []
    flight = talk.begin(REQUEST, timeout=7.0, now=0.0)
    flight.on_end = lambda: ended.append("ended")
    talk.close()
    assert isinstance(flight.outcome, NoAnswer)
    assert "closed" in flight.outcome.message
    assert ended == ["ended"]


def test_answered_requests_leave_nothing_behind() -> None:
    """A client that lives for months stays small, also while one old request hangs."""
    talk = conversation()
    talk.begin(REQUEST, timeout=3600.0, now=0.0)
    send_all(talk, 0.0)
    for n in range(5_000):
        talk.begin(Request(id=str(n), action="x"), timeout=3600.0, now=0.0)
        send_all(talk, 0.0)
        talk.received(reply(str(n)), now=0.0)
    assert len(talk._alarms) < 200
    assert len(talk._flights) == len(talk._asked) == 1
