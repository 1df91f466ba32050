"""The connection to the server: whose reply is whose, and what becomes of requests when it breaks."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from tests.transport.peer import Peers, no, yes
from transport.gateway import server_link
from transport.gateway.envelope import JSON, Envelope, trace_of
from transport.gateway.server_link import Exchange, Reply, ServerLink
from transport.message import RESOURCE_EXHAUSTED, UNAVAILABLE, Refusal

Map = dict[str, Any]


def request(id: str, timeout_ms: int = 20_000, **params: str) -> Envelope:
    """One with a trace id of its own."""
    raw = JSON.raw(JSON.encode(params))
    return Envelope(id, "acme", "contacts.add", None, trace_of(None), timeout_ms, raw)


def traced(asked: Map, reply: Map) -> Map:
    """A reply as servers send it, with the trace id of its request."""
    return {**reply, "meta": {"trace_id": asked["traceparent"][3:35]}}


def run(
    endpoint: str, use: Callable[[ServerLink], Awaitable[None]], patience: float = 20.0
) -> None:
    """Use a link on a loop of its own."""

    async def main() -> None:
        link = ServerLink(endpoint, unreachable_seconds=patience)
        link.start()
        try:
            await use(link)
        finally:
            link.close()

    asyncio.run(main())


def result(outcome: Reply | Refusal) -> Any:
    """What an action returned."""
    assert not isinstance(outcome, Refusal), outcome
    return JSON.decode(outcome[1].result)


def test_two_of_one_id_get_each_its_own_reply_in_whatever_order(peers: Peers) -> None:
    kept: list[Map] = []

    def answer(asked: Map) -> list[Map]:
        kept.append(asked)
        return [traced(each, yes(each)) for each in reversed(kept)] if len(kept) == 2 else []

    async def use(link: ServerLink) -> None:
        outcomes = await asyncio.gather(
            link.call(request("1", name="Ada")), link.call(request("1", name="Grace"))
        )
        assert [result(each)["name"] for each in outcomes] == ["Ada", "Grace"]
        assert link.count == 0

    run(peers(answer).endpoint, use)


def test_an_answer_that_comes_too_late_is_given_to_no_other_request(
    peers: Peers, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next of that id may be another tenant's."""
    monkeypatch.setattr(server_link, "GRACE_SECONDS", 0.0)
    late: list[Map] = []

    def answer(asked: Map) -> list[Map]:
        if asked["params"]["name"] == "late":
            late.append(asked)
            return []
        return [traced(late[0], yes(late[0])), traced(asked, yes(asked))]

    async def use(link: ServerLink) -> None:
        given_up = await link.call(request("1", timeout_ms=50, name="late"))
        assert isinstance(given_up, Refusal)
        assert "whether the request was served is not known" in given_up.message
        assert result(await link.call(request("1", name="next")))["name"] == "next"

    run(peers(answer).endpoint, use)


def test_the_same_request_twice_at_once_is_refused_once(peers: Peers) -> None:
    """As the server refuses an id that is still worked on."""
    asked = request("1", name="Ada")

    async def use(link: ServerLink) -> None:
        first, second = await asyncio.gather(link.call(asked), link.call(asked))
        assert result(first)["name"] == "Ada"
        assert isinstance(second, Refusal)
        assert (second.code, second.retry_after_ms) == (UNAVAILABLE, 100)

    run(peers(lambda each: [traced(each, yes(each))]).endpoint, use)


def test_a_refusal_of_what_was_not_decoded_goes_to_its_id(peers: Peers) -> None:
    """The server made a trace id for it."""

    async def use(link: ServerLink) -> None:
        outcome = await link.call(request("1"))
        assert not isinstance(outcome, Refusal)
        assert outcome[1].error is not None

    run(peers(lambda each: [no(each, "invalid_argument")]).endpoint, use)


def test_what_is_unanswered_is_sent_again_on_the_next_connection(
    peers: Peers, tmp_path: Path
) -> None:
    """Under its id, so that it takes effect once."""
    endpoint = f"ipc://{tmp_path}/s"
    deaf = peers(lambda _: [], endpoint=endpoint)

    async def use(link: ServerLink) -> None:
        waiting = asyncio.ensure_future(link.call(request("kept", name="Ada")))
        seen = await asyncio.to_thread(deaf.next_seen)
        await asyncio.to_thread(deaf.stop)
        peers(lambda each: [traced(each, yes(each))], endpoint=endpoint)
        assert seen["id"] == "kept"
        assert result(await waiting)["name"] == "Ada"

    run(endpoint, use)


def test_without_a_server_a_request_is_refused_and_was_not_sent(tmp_path: Path) -> None:
    async def use(link: ServerLink) -> None:
        outcome = await link.call(request("1"))
        assert isinstance(outcome, Refusal)
        assert (outcome.code, outcome.retry_after_ms) == (UNAVAILABLE, 1000)
        assert "nothing was done" in outcome.message
        assert link.count == 0

    run(f"ipc://{tmp_path}/s", use, patience=0.1)


def test_what_is_in_flight_is_bounded(peers: Peers, monkeypatch: pytest.MonkeyPatch) -> None:
    """In requests and in bytes: a server resets a connection that sends too much at once."""
    monkeypatch.setattr(server_link, "MAX_IN_FLIGHT", 2)
    monkeypatch.setattr(server_link, "MAX_BYTES", 2_000)

    async def use(link: ServerLink) -> None:
        waiting = [asyncio.ensure_future(link.call(request(f"{n}"))) for n in range(2)]
        await asyncio.sleep(0)
        third = await link.call(request("3"))
        assert isinstance(third, Refusal)
        assert (third.code, third.retry_after_ms) == (RESOURCE_EXHAUSTED, 100)
        for each in waiting:
            each.cancel()

    run(peers(lambda _: []).endpoint, use)

    async def use_bytes(link: ServerLink) -> None:
        outcome = await link.call(request("1", name="x" * 2_000))
        assert isinstance(outcome, Refusal)
        assert outcome.code == RESOURCE_EXHAUSTED

    run(peers(lambda _: []).endpoint, use_bytes)


def test_a_link_that_is_closed_answers_what_waits(peers: Peers) -> None:
    ended: list[Reply | Refusal] = []

    async def use(link: ServerLink) -> None:
        asked = request("1")
        body = JSON.encode(asked)
        link.send(Exchange("1", asked.traceparent[3:35], body, 20.0, ended.append))

    run(peers(lambda _: []).endpoint, use)
    assert isinstance(ended[0], Refusal)
