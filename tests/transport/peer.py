"""A server for the clients' tests: a real ROUTER socket in a thread, answering as configured."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import zmq

from transport.bind import Security, bind_router, endpoint_of
from transport.codec import decode, encode
from transport.validation import LIMITS, Limits

Answer = Callable[[dict[str, Any]], list[dict[str, Any]]]


def yes(request: dict[str, Any]) -> dict[str, Any]:
    """A reply of success that says what was asked."""
    return {
        "v": 1,
        "id": request["id"],
        "ok": True,
        "result": {"action": request["action"], **request.get("params", {})},
        "meta": {"version": 1, "trace_id": "f" * 32},
    }


def no(request: dict[str, Any], code: str, **more: Any) -> dict[str, Any]:
    """A refusal."""
    error = {"code": code, "message": f"the {code} message", **more}
    meta = {"trace_id": "f" * 32}
    return {"v": 1, "id": request["id"], "ok": False, "error": error, "meta": meta}


class Peer:
    """Gives every request to `answer` and sends what that returns; keeps what it has seen."""

    def __init__(
        self,
        answer: Answer,
        endpoint: str = "tcp://127.0.0.1:*",
        security: Security | None = None,
        limits: Limits = LIMITS,
    ) -> None:
        self._limits = limits
        self.seen: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
        self._answer = answer
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._security = security or Security()
        self._socket = bind_router(self._context, endpoint, self._security, limits)
        self.endpoint = endpoint_of(self._socket)
        self._stop, self._stopped = self._pair()
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def next_seen(self) -> dict[str, Any]:
        """The next request that arrived, waiting for it."""
        return self.seen.get(timeout=20)

    def stop(self) -> None:
        """Close the port; a second time does nothing."""
        if self._thread.is_alive():
            self._stop.send(b"")
            self._thread.join()
            self._stop.close()
            self._security.close()
            self._context.destroy(linger=0)

    def _pair(self) -> tuple[zmq.Socket[bytes], zmq.Socket[bytes]]:
        ends = self._context.socket(zmq.PAIR), self._context.socket(zmq.PAIR)
        ends[0].bind("inproc://stop")
        ends[1].connect("inproc://stop")
        return ends

    def _serve(self) -> None:
        poller = zmq.Poller()
        poller.register(self._socket, zmq.POLLIN)
        poller.register(self._stopped, zmq.POLLIN)
        while self._stopped not in dict(poller.poll()):
            *way, body = self._socket.recv_multipart()
            request, encoding = decode(body, self._limits)
            self.seen.put(request)
            for reply in self._answer(request):
                self._send([*way, encode(reply, encoding)])
        self._socket.close(linger=1000)
        self._stopped.close()

    def _send(self, parts: list[bytes]) -> None:
        """Send a reply; a client that has what it wanted may have left before its copies come."""
        try:
            self._socket.send_multipart(parts)
        except zmq.ZMQError as error:
            if error.errno != zmq.EHOSTUNREACH:
                raise


Peers = Callable[..., Peer]
"""Makes a Peer, given what Peer takes; all are stopped at the end of the test."""


@pytest.fixture
def peers() -> Iterator[Peers]:
    """Makes servers, and stops them at the end of the test."""
    made: list[Peer] = []

    def make(answer: Answer = lambda request: [yes(request)], **more: Any) -> Peer:
        made.append(Peer(answer, **more))
        return made[-1]

    yield make
    for peer in made:
        peer.stop()
