"""The client in asyncio, against a real socket."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest

from tests.transport.peer import Peers, no, yes
from transport.client import AsyncClient
from transport.errors import InvalidArgument, NoAnswer, NotFound


def run(main: Coroutine[Any, Any, None]) -> None:
    """Run one test's coroutine, with asyncio's own checks on."""
    asyncio.run(main, debug=True)


def test_calls_awaited_together_share_the_connection(peers: Peers) -> None:
    """Here the server answers only when it has all, and the last first."""
    held: list[dict[str, Any]] = []

    def answer(request: dict[str, Any]) -> list[dict[str, Any]]:
        held.insert(0, yes(request))
        return held if len(held) == 50 else []

    async def main() -> None:
        async with AsyncClient(peers(answer).endpoint, tenant="acme", token="t_1") as client:
            calls = [client.call("contacts.get", {"n": n}) for n in range(50)]
            assert [result["n"] for result in await asyncio.gather(*calls)] == list(range(50))

    run(main())


def test_calls_one_after_the_other(peers: Peers) -> None:
    """Every answer is noticed, also between two sends."""

    async def main() -> None:
        async with AsyncClient(peers().endpoint, encoding="json") as client:
            for n in range(300):
                assert (await client.call("contacts.get", {"n": n}))["n"] == n

    run(main())


def test_refusals_are_typed(peers: Peers) -> None:
    """As in the other client; a whole reply is returned with its refusal."""

    async def main() -> None:
        peer = peers(lambda request: [no(request, "not_found")])
        async with AsyncClient(peer.endpoint) as client:
            with pytest.raises(NotFound):
                await client.call("contacts.get")
            assert not (await client.request("contacts.get")).ok
            with pytest.raises(InvalidArgument):
                await client.call("No Action")

    run(main())


def test_a_silent_server_is_asked_again_then_given_up(peers: Peers) -> None:
    """With the same id each time, and the same id in the error."""
    peer = peers(lambda request: [])

    async def main() -> None:
        async with AsyncClient(peer.endpoint) as client:
            with pytest.raises(NoAnswer) as caught:
                await client.call("contacts.add", timeout=1.4)
            assert {peer.next_seen()["id"] for _ in range(3)} == {caught.value.id}

    run(main())


def test_a_short_timeout_is_kept_while_a_long_one_runs(peers: Peers) -> None:
    """The next thing that is due may be due before what was waited for."""

    async def main() -> None:
        async with AsyncClient(peers(lambda request: []).endpoint, retries=0) as client:
            long = asyncio.create_task(client.call("contacts.add", timeout=500))
            await asyncio.sleep(0)
            with pytest.raises(NoAnswer):
                await client.call("contacts.add", timeout=0.2)
            long.cancel()
            with pytest.raises(asyncio.CancelledError):
                await long

    run(main())


def test_a_cancelled_call_can_be_made_again(peers: Peers) -> None:
    """Under the same id: the first one is forgotten."""

    async def main() -> None:
        peer = peers(lambda request: [yes(request)] if request["params"].get("n") else [])
        async with AsyncClient(peer.endpoint) as client:
            first = asyncio.create_task(client.call("contacts.add", id="r-1"))
            while peer.seen.empty():
                await asyncio.sleep(0.001)
            first.cancel()
            with pytest.raises(asyncio.CancelledError):
                await first
            assert await client.call("contacts.add", {"n": 1}, id="r-1")

    run(main())


def test_a_restarted_server_is_asked_for_what_is_unanswered(peers: Peers) -> None:
    """With the same ids, in the same order, long before any timeout."""
    first = peers(lambda request: [yes(request)] if request["action"] == "system.ping" else [])

    async def main() -> None:
        async with AsyncClient(first.endpoint, timeout=50, retries=0) as client:
            await client.call("system.ping")
            calls = asyncio.gather(*(client.call("contacts.add", id=f"r-{n}") for n in range(3)))
            for _ in range(4):
                await asyncio.to_thread(first.next_seen)
            await asyncio.to_thread(first.stop)
            second = peers(endpoint=first.endpoint)
            assert len(await calls) == 3
            assert [second.next_seen()["id"] for _ in range(3)] == ["r-0", "r-1", "r-2"]

    run(main())


def test_a_flood_of_answers_leaves_room_for_other_work(peers: Peers) -> None:
    """Several thousand at once all arrive."""

    async def main() -> None:
        async with AsyncClient(peers().endpoint) as client:
            calls = [client.call("contacts.get", {"n": n}) for n in range(3_000)]
            assert len(await asyncio.gather(*calls)) == 3_000

    run(main())


def test_closing_ends_what_is_under_way(peers: Peers) -> None:
    """No call waits for ever, and no new one begins."""

    async def main() -> None:
        client = AsyncClient(peers(lambda request: []).endpoint)
        call = asyncio.create_task(client.call("contacts.add"))
        await asyncio.sleep(0)
        await client.close()
        await client.close()
        with pytest.raises(NoAnswer, match="closed"):
            await call
        with pytest.raises(ValueError, match="closed"):
            await client.call("system.ping")

    run(main())


def test_a_client_that_made_no_call_closes(peers: Peers) -> None:
    """It has never seen a loop."""

    async def main() -> None:
        await AsyncClient(peers().endpoint).close()

    run(main())
