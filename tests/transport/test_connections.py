"""The connections of a server's socket: who holds too much is cut off, and others notice nothing."""

from __future__ import annotations

import contextlib
import socket as sockets
import subprocess
import sys
from collections.abc import Callable
from queue import Empty

import pytest

from tests.deadline import until
from tests.transport.socket_harness import GREETING, READY, SocketHarness
from transport import connection, connections
from transport.bind import endpoint_of
from transport.connection import BOUNDS
from transport.connections import (
    BUSY_INTERVAL_SECONDS,
    IDLE_INTERVAL_SECONDS,
    RUSH_BYTES,
    RUSH_INTERVAL_SECONDS,
    RUSH_SHARE,
    SHARE,
    Load,
    shortest_pause,
)
from transport.router_socket import FRAME_OVERHEAD, MAX_DROPPED

DROPPED_BYTES = len(b"dropped") + FRAME_OVERHEAD


def ended(plain: sockets.socket) -> None:
    """Wait until the server has closed a connection."""
    with contextlib.suppress(ConnectionResetError):
        while plain.recv(4096):
            pass


def counted(harness: SocketHarness, peers: int) -> None:
    """Wait until so many that were served are counted: who has left before then leaves nothing to count."""
    live = harness.mailbox.connections._live
    until(
        lambda: sum(each.tally is not None for each in list(live.values())) == peers,
        "their connections",
    )


SENT = "they sent too much at once"
UNREAD = "they did not read their replies"


def test_a_peer_that_sends_more_than_is_handled_is_cut_off(
    make: Callable[..., SocketHarness],
) -> None:
    """While the owner does something else: what it has sent is thrown away, others' messages are there."""
    harness = make(BOUNDS._replace(unhandled=1024**2))
    honest, greedy = harness.peer(), harness.peer()
    harness.served(honest)
    harness.served(greedy)

    honest.send(b"in between")
    for _ in range(200):
        greedy.send(bytes(10_000))
    until(harness.cut(SENT), "a connection that is cut off")

    assert next(harness.frames()).parts[-1] == b"in between"
    harness.served(honest)
    harness.served(harness.peer(), b"newcomer")
    assert harness.mailbox.connections.cut[SENT] == 1


def test_who_sends_as_much_as_is_handled_may_send_any_amount(
    make: Callable[..., SocketHarness],
) -> None:
    """What is handled does not count, in whatever pieces it came."""
    harness = make(BOUNDS._replace(unhandled=1024**2))
    peer = harness.peer()

    for size in (0, 1, 300, 200_000) * 25:
        harness.served(peer, bytes(size))

    assert not harness.mailbox.connections.cut


def test_all_together_are_bounded_and_those_with_most_go(
    make: Callable[..., SocketHarness],
) -> None:
    """A peer with little stays."""
    harness = make(BOUNDS._replace(unhandled_in_all=2 * 1024**2))
    honest = harness.peer()
    harness.served(honest)
    honest.send(b"in between")
    for _ in range(4):
        greedy = harness.peer()
        for _ in range(70):
            greedy.send(bytes(10_000))
    until(harness.cut(SENT), "a connection that is cut off")

    assert b"in between" in (each.parts[-1] for each in harness.frames())
    harness.served(honest)


def test_strangers_are_bounded_in_all_and_who_is_known_is_not_counted_among_them(
    make: Callable[..., SocketHarness],
) -> None:
    """Many small messages of many strangers are as much work as one peer's large ones."""
    harness = make(BOUNDS._replace(strangers=1024**2))
    known, strangers = harness.peer(), [harness.peer() for _ in range(3)]
    harness.mailbox.trust(harness.served(known))
    for each in strangers:
        harness.served(each)
    for each in (known, *strangers):
        for _ in range(60):
            each.send(bytes(10_000))
    until(harness.cut(SENT), "a connection that is cut off")

    harness.served(known)
    assert harness.mailbox.connections.cut[SENT] < len(strangers) + 1


def test_of_strangers_with_much_to_read_only_so_many_stay(
    make: Callable[..., SocketHarness],
) -> None:
    """Others may hold as much; strangers with little are not counted."""
    harness = make(BOUNDS._replace(eager_strangers=2))
    known, small, *eager = [harness.peer() for _ in range(6)]
    harness.mailbox.trust(harness.served(known))
    for each in (small, *eager):
        harness.served(each)
    for each in (known, *eager):
        for _ in range(3):
            each.send(bytes(10_000))
    small.send(b"little")
    reason = "too many strangers sent much at once"
    until(lambda: harness.mailbox.connections.cut[reason] == 2, "two connections that are cut off")

    harness.served(known)
    harness.served(small)
    assert harness.mailbox.connections.cut.total() == 2


def test_what_a_peer_has_sent_that_is_cut_off_is_not_read_to_its_end() -> None:
    """The kernel drops it, and resets the connection."""
    server = sockets.create_server(("127.0.0.1", 0))
    with server, sockets.create_connection(server.getsockname()) as sender:
        accepted, _ = server.accept()
        with accepted:
            sender.sendall(bytes(10_000))
            accepted.recv(1000, sockets.MSG_WAITALL)
            cut = connection.Connection(accepted.fileno(), 0.0)
            until(lambda: cut.read_counts(0.0) or cut.total == 10_000, "all that was sent")
            cut.cut()

            assert cut.total == cut.unhandled == 1000
            with pytest.raises(ConnectionResetError):
                accepted.recv(1)
            with pytest.raises(ConnectionResetError):
                sender.recv(1)
            cut.close()


def test_what_peers_left_behind_is_thrown_away_where_it_is_much(
    make: Callable[..., SocketHarness],
) -> None:
    """No peer is left for the replies, and connected peers should not wait behind them."""
    harness = make(BOUNDS._replace(left=1024**2))
    honest = harness.peer()
    harness.served(honest)
    leaving = [harness.peer() for _ in range(3)]
    for each in leaving:
        harness.served(each)
    counted(harness, 4)
    for each in leaving:
        for _ in range(50):
            each.send(bytes(10_000))
        each.close(linger=10_000)
    until(harness.cut("they left too much unhandled"), "peers that left much to do behind")
    honest.send(b"after them")

    assert next(harness.frames()).parts[-1] == b"after them"


def test_while_many_that_left_have_left_something_no_more_are_let_in(
    make: Callable[..., SocketHarness],
) -> None:
    """Each of them has its turn before others' messages; who was there before is served."""
    harness = make(BOUNDS._replace(departed=2))
    honest, leaving = harness.peer(), [harness.peer() for _ in range(8)]
    for each in (honest, *leaving):
        harness.served(each)
    counted(harness, 9)
    for each in leaving:
        for _ in range(200):
            each.send(b"very little")
        each.close(linger=10_000)
    is_cut = harness.cut("peers that have left hold too much")
    until(lambda: bool(harness.peer()) and is_cut(), "a newcomer that is cut off")
    honest.send(b"after them")

    assert b"after them" in (frame.parts[-1] for frame in harness.frames())

    def is_handled() -> bool:
        """Whether what they left is read, and was found to be at a check."""
        harness.mailbox.append("anything")
        harness.mailbox.receive_batch()
        return not harness.mailbox.connections._departed.holds_too_much

    until(is_handled, "what the peers that left had sent to be read")
    newcomer = harness.peer()
    newcomer.send(b"at last")
    assert b"at last" in (frame.parts[-1] for frame in harness.frames())


def test_a_peer_that_does_not_read_is_refused_and_then_cut_off(
    make: Callable[..., SocketHarness],
) -> None:
    """Between one bound and twice the bound its requests are not worth any work."""
    harness = make(BOUNDS._replace(unread=8 * 1024**2))
    honest, deaf = harness.peer(), harness.peer(RCVHWM=1, RCVBUF=4096)
    harness.served(honest)
    routing_id = harness.served(deaf)

    def send(size: int) -> None:
        for _ in range(size // 100_000):
            harness.mailbox.send(routing_id, [bytes(100_000)])

    send(12 * 1024**2)
    until(lambda: harness.mailbox.is_full(routing_id), "a peer with too much to read")
    assert not harness.mailbox.connections.cut
    send(12 * 1024**2)
    until(harness.cut(UNREAD), "a connection that is cut off")

    harness.served(honest)
    harness.served(harness.peer(), b"newcomer")


def test_who_reads_later_gets_everything(make: Callable[..., SocketHarness]) -> None:
    """Below the bound nothing is lost, and what was read does not count any more."""
    harness = make(BOUNDS._replace(unread=8 * 1024**2))
    slow = harness.peer(RCVHWM=1, RCVBUF=4096)
    routing_id = harness.served(slow)

    for _ in range(3):
        for _ in range(100):
            harness.mailbox.send(routing_id, [bytes(100_000)])
        assert sum(len(slow.recv()) for _ in range(100)) == 100 * 100_000
    until(lambda: not harness.mailbox.is_full(routing_id), "a peer that has read")

    assert not harness.mailbox.connections.cut


@pytest.mark.parametrize(
    "said", [b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00"], ids=["HTTP", "TLS"]
)
def test_who_speaks_another_protocol_is_cut_off(
    make: Callable[..., SocketHarness], monkeypatch: pytest.MonkeyPatch, said: bytes
) -> None:
    """ZeroMQ takes it for its first version and waits for ever."""
    monkeypatch.setattr(connection, "HANDSHAKE_SECONDS", 0.1)
    harness = make()
    idle = harness.peer()
    harness.served(idle)
    with harness.plain() as stranger:
        stranger.sendall(said)
        ended(stranger)
    assert harness.mailbox.connections.cut.total() == 1
    harness.served(idle)


def test_of_too_many_the_one_that_was_silent_for_longest_goes(
    make: Callable[..., SocketHarness],
) -> None:
    """A stranger rather than a peer that has sent a message."""
    harness = make(BOUNDS._replace(connections=3))
    first = harness.peer()
    harness.served(first)
    with harness.plain() as silent, harness.plain() as other:
        for plain in (silent, other):
            plain.sendall(GREETING + READY)
        harness.served(harness.peer(), b"third")
        harness.served(harness.peer(), b"fourth")
        ended(silent)
        ended(other)
    harness.served(first)


def test_who_comes_to_be_cut_off_shuts_the_door(
    make: Callable[..., SocketHarness], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The kernel lets no further one in for a while; a peer that is there is served."""
    monkeypatch.setattr(connection, "HANDSHAKE_SECONDS", 0.1)
    harness = make(BOUNDS._replace(newcomers=1))
    honest = harness.peer()
    harness.served(honest)
    with harness.plain() as stranger:
        stranger.sendall(b"GET / HTTP/1.1\r\n\r\n")
        ended(stranger)
    until(
        lambda: harness.mailbox.connections.accept_limiter.is_blocking,
        "an accept limiter that blocks",
    )

    host, port = endpoint_of(harness.socket).removeprefix("tcp://").split(":")
    with pytest.raises(TimeoutError):
        sockets.create_connection((host, int(port)), timeout=0.2)
    harness.served(honest)


def test_who_leaves_more_than_is_read_shuts_the_door(make: Callable[..., SocketHarness]) -> None:
    """What was left is read in vain: it delays all others, as a connection that is cut off does."""
    harness = make(BOUNDS._replace(newcomers=5, left=1024**2))
    leaving = harness.peer()
    harness.served(leaving)
    counted(harness, 1)
    for _ in range(200):
        leaving.send(bytes(10_000))
    leaving.close(linger=10_000)
    until(harness.cut("they left too much unhandled"), "a peer that left much to do behind")

    until(
        lambda: harness.mailbox.connections.accept_limiter.is_blocking,
        "an accept limiter that blocks",
    )


class Silence:
    """Counts the pauses instead of waiting."""

    def __init__(self, pauses: list[float]) -> None:
        self._pauses = pauses

    def get(self, timeout: float) -> None:
        """Count one."""
        self._pauses.append(timeout)
        raise Empty


def test_messages_of_a_connection_that_is_cut_are_dropped_in_portions_with_pauses_between(
    make: Callable[..., SocketHarness], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Other threads run in the pauses; a message from inside waits for one portion alone."""
    harness, pauses, portions = make(BOUNDS), list[float](), set[int]()
    peer = harness.peer()
    tally = harness.mailbox._tallies[harness.served(peer)]
    live = harness.mailbox.connections._live
    until(lambda: any(each.tally is tally for each in list(live.values())), "its connection")
    tally.is_cut, before = True, tally.handled
    monkeypatch.setattr(harness.mailbox, "_silence", Silence(pauses))
    for _ in range(3 * MAX_DROPPED):
        peer.send(b"dropped")

    while tally.handled < before + 3 * MAX_DROPPED * DROPPED_BYTES:
        assert harness.socket.poll(10_000)
        start = tally.handled
        harness.mailbox.append("from inside")
        assert harness.mailbox.receive_batch() == ["from inside"]
        portions.add(tally.handled - start)
    harness.mailbox.append("from inside")
    assert harness.mailbox.receive_batch() == ["from inside"]

    assert max(portions) <= MAX_DROPPED * DROPPED_BYTES
    assert len(pauses) == 3


def test_the_owner_sleeps_only_if_nothing_is_there(make: Callable[..., SocketHarness]) -> None:
    """However much of it is dropped: a thread that it has woken may compute, and finds its place taken."""
    harness, slept = make(BOUNDS), list[int]()
    peer, connections = harness.peer(), harness.mailbox.connections
    tally = harness.mailbox._tallies[harness.served(peer)]
    counted(harness, 1)
    tally.is_cut, before = True, tally.handled
    for _ in range(10 * MAX_DROPPED):
        peer.send(b"dropped")
    emptied = connections.emptied

    def sleep() -> None:
        """End the last sleep, when all was dropped."""
        slept.append(connections.emptied)
        if tally.handled == before + 10 * MAX_DROPPED * DROPPED_BYTES:
            harness.mailbox.append("from inside")

    harness.mailbox._before_sleep = sleep
    assert harness.mailbox.receive_batch() == ["from inside"]
    assert slept == list(range(emptied + 1, emptied + 1 + len(slept)))


def test_a_refused_connection_is_accepted_when_the_limiter_stops_blocking(
    make: Callable[..., SocketHarness], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A peer asks again by itself; it need not even see that it had to wait."""
    monkeypatch.setattr(connection, "BURST_SECONDS", 0)
    harness = make(BOUNDS._replace(newcomers=2))
    harness.served(harness.peer())
    until(
        lambda: harness.mailbox.connections.accept_limiter.is_blocking,
        "an accept limiter that blocks",
    )

    harness.served(harness.peer(), b"in the end")


def test_messages_that_are_only_begun_have_a_part_of_what_all_may_hold(
    make: Callable[..., SocketHarness],
) -> None:
    """Of peers that have sent no whole one yet: others' are not cut off for them."""
    harness = make(BOUNDS._replace(unhandled_in_all=4 * 1024**2))
    honest = harness.peer()
    harness.served(honest)
    for _ in range(15):
        honest.send(bytes(100_000))
    with harness.plain() as one, harness.plain() as other:
        for each in (one, other):
            each.sendall(GREETING + READY)
            each.sendall(b"\x02" + (900_000).to_bytes(8, "big") + bytes(800_000))
        until(harness.cut(SENT), "a connection that is cut off")

        frames = harness.frames()
        assert {len(next(frames).parts[-1]) for _ in range(15)} == {100_000}
    assert harness.mailbox.connections.cut[SENT] == 1


def test_messages_that_are_only_begun_are_seen_though_no_check_is_due(
    make: Callable[..., SocketHarness], monkeypatch: pytest.MonkeyPatch
) -> None:
    """They may fill a hundred megabytes before the next one; the socket's owner sees nothing come."""
    monkeypatch.setattr(connections, "IDLE_INTERVAL_SECONDS", 1000.0)
    harness = make(BOUNDS._replace(unhandled_in_all=4 * 1024**2))
    with contextlib.ExitStack() as stack:
        peers = [stack.enter_context(harness.plain()) for _ in range(20)]
        for each in peers:
            each.sendall(GREETING + READY)
            each.recv(len(GREETING) + len(READY), sockets.MSG_WAITALL)
        live, idle = harness.mailbox.connections._live, harness.mailbox.connections._idle
        until(lambda: len(live) == len(peers) and bool(idle), "a thread that waits for long")
        for each in peers:
            with contextlib.suppress(ConnectionError):  # it is cut off already
                each.sendall(b"\x02" + (900_000).to_bytes(8, "big") + bytes(800_000))

        until(harness.cut(SENT), "a connection that is cut off")


@pytest.mark.parametrize(
    ("received", "took", "pause"),
    [
        (0, 0.0, BUSY_INTERVAL_SECONDS),
        (RUSH_BYTES, 0.002, SHARE * 0.002),
        (RUSH_BYTES + 1, 0.0, RUSH_INTERVAL_SECONDS),
        (RUSH_BYTES + 1, 0.002, RUSH_SHARE * 0.002),
        (RUSH_BYTES + 1, 1.0, IDLE_INTERVAL_SECONDS),
    ],
)
def test_while_memory_is_filled_checks_come_sooner_and_take_a_larger_share(
    received: int, took: float, pause: float
) -> None:
    assert shortest_pause(Load(received, 0), took) == pause


def test_a_stranger_that_sends_much_that_is_not_read_is_cut_off(
    make: Callable[..., SocketHarness],
) -> None:
    """Its bytes cost something even if they are dropped."""
    harness = make(BOUNDS._replace(wasted=10_000))
    honest, stranger = harness.peer(), harness.peer()
    harness.mailbox.waste(harness.served(honest), 9_000)
    harness.mailbox.waste(harness.served(stranger), 11_000)
    until(harness.cut("they sent much that is dropped unread"), "a connection that is cut off")

    harness.served(honest)
    assert harness.mailbox.connections.cut.total() == 1


LEAVES = """
import socket, struct, zmq
from transport.validation import Limits
from transport.router_socket import RouterSocket
from transport.bind import Security, bind_router, endpoint_of
context = zmq.Context()
server = bind_router(context, "tcp://127.0.0.1:*", Security(), Limits())
mailbox = RouterSocket(server)
host, port = endpoint_of(server).removeprefix("tcp://").split(":")
for _ in range(5):
    peer = socket.create_connection((host, int(port)))
    peer.sendall(%r)
    peer.recv(64 + 28, socket.MSG_WAITALL)
    peer.sendall(%r)
    server.poll(5000)
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    peer.close()
while server.poll(200):
    mailbox.receive_batch()
mailbox.close()
context.destroy(linger=0)
print("alive")
"""


def test_a_peer_that_leaves_amid_messages_and_signs_of_life_does_not_end_the_process() -> None:
    """libzmq ends the process if it had stopped to read from such a peer."""
    sign = b"\x04\x07\x04PING\x00\x01"
    said = (GREETING + READY, b"\x00\x04ping" * 500 + sign)
    run = subprocess.run(
        [sys.executable, "-c", LEAVES % said], capture_output=True, text=True, timeout=60
    )
    assert run.stdout == "alive\n", run.stderr
