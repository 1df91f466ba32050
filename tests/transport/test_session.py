"""When a request is sent, sent again and given up; time is a number here, so nothing waits."""

from __future__ import annotations

from typing import Any

import pytest

from transport.codec import decode, encode
from transport.errors import NoAnswer
from transport.message import Reply
from transport.session import PendingRequest, Session

REQUEST = {"id": "r-1", "action": "contacts.add", "params": {"name": "Ada"}}


def new_session(retries: int = 2, chance: float = 0.0) -> Session:
    """A session's requests, none as yet."""
    return Session("msgpack", retries, "tcp://server", chance=lambda: chance)


def under_way(pending: PendingRequest) -> bool:
    """Whether nothing has come of it yet."""
    return pending.outcome is None


def send_all(session: Session, now: float) -> list[dict[str, Any]]:
    """Do what is due and take what is to be sent, as a socket would."""
    session.on_timer(now)
    sent = []
    while session.has_unsent:
        sent.append(decode(session.take_unsent(now))[0])
    return sent


def reply(id: str = "r-1", **error: Any) -> bytes:
    """A reply of success, or the refusal given."""
    body = {"v": 1, "id": id, "ok": not error, "meta": {}}
    body |= {"error": {"message": "…", **error}} if error else {"result": {"id": 7}}
    return encode(body, "msgpack")


def times_sent(session: Session, pending: PendingRequest) -> list[float]:
    """Follow the alarms until the pending ends; when it was sent."""
    now, times = 0.0, []
    while pending.outcome is None:
        times += [now for _ in send_all(session, now)]
        alarm = session.next_deadline
        now = now if alarm is None else alarm
    return times


def test_an_unanswered_request_is_sent_at_growing_distances_until_the_timeout() -> None:
    """Waits of 1, 2 and 4 parts that fill the timeout."""
    session = new_session()
    pending = session.start(REQUEST, timeout=7.0, now=0.0)
    assert times_sent(session, pending) == pytest.approx([0.0, 1.0, 3.0])
    assert isinstance(pending.outcome, NoAnswer)


def test_without_retries_it_is_sent_once() -> None:
    """And waited for until the timeout."""
    session = new_session(retries=0)
    pending = session.start(REQUEST, timeout=7.0, now=0.0)
    assert times_sent(session, pending) == [0.0]


def test_what_is_sent_again_is_the_same_but_for_the_time_that_is_left() -> None:
    """The id above all: it is what makes the effect happen once."""
    session = new_session()
    session.start(REQUEST, timeout=7.0, now=0.0)
    (first,) = send_all(session, 0.0)
    (second,) = send_all(session, 1.0)
    assert first == {"id": "r-1", "action": "contacts.add", "params": {"name": "Ada"}} | {
        "timeout_ms": 7000
    }
    assert second == first | {"timeout_ms": 6000}


def test_an_answer_ends_it() -> None:
    """And nothing is left to be done for it."""
    session = new_session()
    pending = session.start(REQUEST, timeout=7.0, now=0.0)
    send_all(session, 0.0)
    session.received(reply(), now=0.5)
    assert isinstance(pending.outcome, Reply)
    assert pending.outcome.result == {"id": 7}
    assert session.next_deadline is None
    assert send_all(session, 1.5) == []


def test_no_answer_names_the_server_and_the_id() -> None:
    """So that the caller can ask again under the same id."""
    session = new_session()
    pending = session.start(REQUEST, timeout=7.0, now=0.0)
    session.on_timer(7.0)
    assert isinstance(pending.outcome, NoAnswer)
    assert isinstance(pending.outcome, TimeoutError)
    assert pending.outcome.id == "r-1"
    assert "tcp://server" in pending.outcome.message
    assert "id='r-1'" in pending.outcome.message


@pytest.mark.parametrize("body", [reply("other"), b"noise", b"", encode({"v": 1}, "json")], ids=str)
def test_what_answers_nothing_is_ignored(body: bytes) -> None:
    """Late replies, repeated ones and noise."""
    session = new_session()
    pending = session.start(REQUEST, timeout=7.0, now=0.0)
    send_all(session, 0.0)
    session.received(body, now=0.1)
    assert under_way(pending)
    session.received(reply(), now=0.2)
    first = pending.outcome
    session.received(reply(), now=0.3)
    assert pending.outcome is first


@pytest.mark.parametrize("code", ["unavailable", "resource_exhausted", "aborted"])
def test_a_server_that_asks_for_patience_is_unanswered_again_after_it(code: str) -> None:
    """Under the same id, not before the time it named."""
    session = new_session()
    pending = session.start(REQUEST, timeout=7.0, now=0.0)
    send_all(session, 0.0)
    session.received(reply(code=code, retry_after_ms=200), now=0.1)
    assert under_way(pending)
    assert session.next_deadline == pytest.approx(0.3)
    assert send_all(session, 0.29) == []
    assert [again["id"] for again in send_all(session, 0.31)] == ["r-1"]
    session.received(reply(), now=0.4)
    assert isinstance(pending.outcome, Reply)
    assert pending.outcome.ok


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
    """If waiting does not help, takes too long, or could hide something."""
    session = new_session()
    pending = session.start(REQUEST, timeout=7.0, now=0.0)
    send_all(session, 0.0)
    session.received(reply(**refusal), now=0.0)
    assert isinstance(pending.outcome, Reply)
    assert pending.outcome.error is not None
    assert pending.outcome.error.code == refusal["code"]


@pytest.mark.parametrize(("chance", "again"), [(0.0, 1.0), (0.5, 1.5), (0.999, 1.999)])
def test_a_refused_crowd_comes_back_spread_and_never_early(chance: float, again: float) -> None:
    """From the time that the server named to twice as long."""
    session = new_session(chance=chance)
    session.start(REQUEST, timeout=7.0, now=0.0)
    send_all(session, 0.0)
    session.received(reply(code="unavailable", retry_after_ms=1000), now=0.0)
    assert session.next_deadline == pytest.approx(again)


def test_the_spread_leaves_time_for_the_answer() -> None:
    """At most half of what the deadline leaves after the time that the server named."""
    session = new_session(chance=0.999)
    session.start(REQUEST, timeout=7.0, now=0.0)
    send_all(session, 0.0)
    session.received(reply(code="unavailable", retry_after_ms=6000), now=0.0)
    assert session.next_deadline == pytest.approx(6.5, abs=0.01)


def test_repeated_refusals_spread_a_request_over_up_to_a_second() -> None:
    """A server that names very short times is not asked a thousand times a second."""
    session = new_session(chance=0.5)
    session.start(REQUEST, timeout=60.0, now=0.0)
    pauses, now = [], 0.0
    for _ in range(6):
        send_all(session, now)
        session.received(reply(code="unavailable", retry_after_ms=100), now)
        assert session.next_deadline is not None
        pauses.append(session.next_deadline - now)
        now = session.next_deadline
    assert pauses == pytest.approx([0.15, 0.2, 0.3, 0.5, 0.6, 0.6])


def test_a_server_that_asks_for_patience_gets_it_until_the_deadline() -> None:
    """However often, without using up retries; then the last refusal is what the caller gets."""
    session = new_session(retries=1)
    pending = session.start(REQUEST, timeout=7.0, now=0.0)
    for now in range(7):
        assert under_way(pending)
        assert [sent["id"] for sent in send_all(session, float(now))] == ["r-1"]
        session.received(reply(code="unavailable", retry_after_ms=1000), float(now))
    assert isinstance(pending.outcome, Reply)
    assert not pending.outcome.ok


def test_silence_after_patience_still_has_its_retries() -> None:
    """Refusals and silence are counted apart."""
    session = new_session(retries=1)
    pending = session.start(REQUEST, timeout=30.0, now=0.0)
    send_all(session, 0.0)
    session.received(reply(code="unavailable", retry_after_ms=1000), 0.0)
    assert len(send_all(session, 1.0)) == 1
    assert times_sent(session, pending) == pytest.approx([21.0])


def test_without_retries_the_refusal_is_the_callers_at_once() -> None:
    """For callers that do the waiting themselves."""
    session = new_session(retries=0)
    pending = session.start(REQUEST, timeout=7.0, now=0.0)
    send_all(session, 0.0)
    session.received(reply(code="unavailable", retry_after_ms=1), 0.0)
    assert isinstance(pending.outcome, Reply)


def test_a_lost_connection_makes_everything_unanswered_be_sent_again_in_order() -> None:
    """At once on the next connection, however often that happens, and without using up retries."""
    session = new_session()
    ids = ["a", "b", "c"]
    for id in ids:
        session.start({"id": id, "action": "x"}, timeout=7.0, now=0.0)
    for _ in range(5):
        assert [sent["id"] for sent in send_all(session, 0.1)] == ids
        session.disconnected()
    session.received(reply("b"), now=0.2)
    assert [sent["id"] for sent in send_all(session, 0.3)] == ["a", "c"]


def test_what_had_not_left_stays_behind_what_had() -> None:
    """The order in which requests were made outlasts the connection."""
    session = new_session()
    session.start({"id": "first", "action": "x"}, timeout=7.0, now=0.0)
    send_all(session, 0.0)
    session.start({"id": "second", "action": "x"}, timeout=7.0, now=0.0)
    session.disconnected()
    assert [sent["id"] for sent in send_all(session, 0.1)] == ["first", "second"]


def test_a_request_that_waits_for_its_retry_is_not_sent_early_by_a_lost_connection() -> None:
    """The server asked for patience; that it restarted does not shorten it."""
    session = new_session()
    session.start(REQUEST, timeout=7.0, now=0.0)
    send_all(session, 0.0)
    session.received(reply(code="unavailable", retry_after_ms=1000), now=0.0)
    session.disconnected()
    assert send_all(session, 0.5) == []
    assert len(send_all(session, 1.0)) == 1


def test_a_request_that_waited_for_a_connection_says_how_long_it_is_still_wanted() -> None:
    """Work that no caller waits for is not begun."""
    session = new_session()
    session.start(REQUEST, timeout=7.0, now=0.0)
    session.connected()
    (sent,) = send_all(session, 5.0)
    assert sent["timeout_ms"] == 2000


def test_an_id_under_way_is_not_taken_twice() -> None:
    """Its answer would belong to both."""
    session = new_session()
    pending = session.start(REQUEST, timeout=7.0, now=0.0)
    with pytest.raises(ValueError, match="under way"):
        session.start(REQUEST, timeout=7.0, now=0.0)
    session.discard(pending)
    again = session.start(REQUEST, timeout=7.0, now=0.0)
    session.discard(pending)  # a second time, when the id is another's
    send_all(session, 0.0)
    session.received(reply(), now=0.1)
    assert again.outcome is not None
    assert pending.outcome is None


def test_closing_ends_what_is_under_way() -> None:
    """No call waits for ever."""
    session = new_session()
    ended: list[str] = []
    pending = session.start(REQUEST, timeout=7.0, now=0.0)
    pending.on_end = lambda: ended.append("ended")
    session.close()
    assert isinstance(pending.outcome, NoAnswer)
    assert "closed" in pending.outcome.message
    assert ended == ["ended"]


def test_answered_requests_leave_nothing_behind() -> None:
    """A session that lives for months stays small, also while one old request hangs."""
    session = new_session()
    session.start(REQUEST, timeout=3600.0, now=0.0)
    send_all(session, 0.0)
    for n in range(5_000):
        session.start({"id": str(n), "action": "x"}, timeout=3600.0, now=0.0)
        send_all(session, 0.0)
        session.received(reply(str(n)), now=0.0)
    assert len(session._timers) < 200
    assert len(session._pending) == len(session._unanswered) == 1
