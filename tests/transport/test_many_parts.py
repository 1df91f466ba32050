"""One message of many parts: little of it is kept, and if memory runs out no other message is lost."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import zmq

from transport.frames import Frame
from transport.router_socket import RouterSocket

WAIT_MS = 10_000


class Forgetful(zmq.Socket[bytes]):
    """Has no memory for the part after `big`, once."""

    _big = _failed = False

    def recv(self, *args: Any, **options: Any) -> Any:
        """Receive one part."""
        part = super().recv(*args, **options)
        if self._big and not self._failed:
            self._failed = True
            raise MemoryError
        self._big = self._big or bytes(part) == b"big"
        return part


class Pair:
    """A mailbox and one client, known as `a`, whose messages have all come when `take` begins."""

    def __init__(self) -> None:
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self.socket = self._context.socket(zmq.ROUTER, socket_class=Forgetful)
        self.mailbox = RouterSocket(self.socket)
        self.client = self._context.socket(zmq.DEALER)
        self.client.setsockopt(zmq.ROUTING_ID, b"a")
        self.client.connect(f"tcp://127.0.0.1:{self.socket.bind_to_random_port('tcp://127.0.0.1')}")

    def taken(self, count: int) -> list[Any]:
        """Take so many messages, noting whether memory ran out."""
        mail: list[Any] = []
        while len(mail) < count:
            assert self.socket.poll(WAIT_MS) or self.mailbox._read
            try:
                mail += self.mailbox.receive_batch()
            except MemoryError:
                mail.append("out of memory")
        return mail

    def close(self) -> None:
        """Everything."""
        self.mailbox.close()
        self._context.destroy(linger=0)


@pytest.fixture
def pair() -> Iterator[Pair]:
    """A bound socket on loopback."""
    made = Pair()
    yield made
    made.close()


def test_of_many_parts_the_first_and_the_last_are_kept(pair: Pair) -> None:
    """The first parts show who sent it, the last may hold an id to answer."""
    pair.client.send_multipart([b"%d" % n for n in range(5_000)])
    pair.client.send(b"next")

    parts = [frame.parts for frame in pair.taken(2)]
    assert parts == [[b"a", b"0", b"1", b"4999"], [b"a", b"next"]]


def test_a_message_that_cannot_be_held_costs_the_others_nothing(pair: Pair) -> None:
    """What was read before it is there still, and no part of it passes for a routing id."""
    pair.client.send(b"before")
    pair.client.send_multipart([b"big", b"2", b"3", b"4"])
    pair.client.send(b"after")

    mail = pair.taken(3)

    assert mail.count("out of memory") == 1
    assert [one for one in mail if isinstance(one, Frame)] == [
        Frame([b"a", b"before"], is_deferred=True),
        Frame([b"a", b"after"], is_deferred=True),
    ]
