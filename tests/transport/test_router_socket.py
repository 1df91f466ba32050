"""A ROUTER socket as a mailbox: two ways in, one thread at the socket, and no reply dropped uncounted."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator
from queue import SimpleQueue

import pytest
import zmq

from transport import router_socket as module
from transport.bind import set_options
from transport.connection import BOUNDS, Tally
from transport.frames import HEAVY_BYTES, MAX_STRANGERS, MAX_UNSENT, Frame, in_turn
from transport.router_socket import MAX_BYTES, MAX_FRAMES, RouterSocket
from transport.validation import LIMITS

WAIT = 10.0
"""Seconds after which a test gives up on an event that should come at once."""

WAIT_MS = int(WAIT * 1000)


UNBOUNDED = BOUNDS._replace(unread=1024**3, unread_in_all=1024**3)
"""In bytes; here it is about numbers of replies."""


class Peers:
    """One server's mailbox and the clients that connect to it."""

    def __init__(self) -> None:
        self.context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self.socket = self.context.socket(zmq.ROUTER)
        set_options(self.socket, LIMITS)
        port = self.socket.bind_to_random_port("tcp://127.0.0.1")
        self.endpoint = f"tcp://127.0.0.1:{port}"
        self.mailbox = RouterSocket(self.socket, bounds=UNBOUNDED)
        self._clients: list[zmq.Socket[bytes]] = []

    def connect(self, routing_id: bytes, *, receive_hwm: int = 1000) -> zmq.Socket[bytes]:
        """A client that the server knows: its first message has come in, and it had a valid token."""
        client = self.context.socket(zmq.DEALER)
        self._clients.append(client)
        client.setsockopt(zmq.ROUTING_ID, routing_id)
        client.setsockopt(zmq.RCVHWM, receive_hwm)
        client.setsockopt(zmq.RCVTIMEO, WAIT_MS)
        client.setsockopt(zmq.LINGER, 0)
        client.connect(self.endpoint)
        client.send(b"hello")
        assert self.mailbox.receive_batch() == [Frame([routing_id, b"hello"], is_deferred=True)]
        self.mailbox.trust(routing_id)
        return client

    def close(self) -> None:
        """Everything."""
        self.mailbox.close()
        for client in self._clients:
            client.close()
        self.context.destroy(linger=0)


@pytest.fixture
def peers() -> Iterator[Peers]:
    """A bound socket on loopback."""
    made = Peers()
    yield made
    made.close()


class Owner:
    """A thread that owns a mailbox and takes once; `took` is what it got."""

    def __init__(self, mailbox: RouterSocket) -> None:
        self._took: SimpleQueue[list[object]] = SimpleQueue()
        self._thread = threading.Thread(target=lambda: self._took.put(mailbox.receive_batch()))
        self._thread.start()

    def took(self) -> list[object]:
        """Wait for it."""
        mail = self._took.get(timeout=WAIT)
        self._thread.join(WAIT)
        return mail


def until(peers: Peers, condition: Callable[[], bool]) -> None:
    """Have the owner take until ZeroMQ's own threads have brought something about."""
    for _ in range(WAIT_MS):
        if condition():
            return
        peers.socket.poll(1)
        peers.mailbox.append("anything")
        peers.mailbox.receive_batch()
    pytest.fail("it has not come about")


# Taking


def test_a_frame_comes_with_its_routing_id(peers: Peers) -> None:
    """Cut as it was sent."""
    client = peers.connect(b"a")

    client.send_multipart([b"", b"body"])

    assert peers.mailbox.receive_batch() == [Frame([b"a", b"", b"body"])]


def test_messages_from_inside_come_first_and_in_order(peers: Peers) -> None:
    """Replies go out before more work comes in."""
    client = peers.connect(b"a")
    client.send(b"from outside")
    assert peers.socket.poll(WAIT_MS)
    for n in range(3):
        peers.mailbox.append(n)

    mail = peers.mailbox.receive_batch()

    assert mail == [0, 1, 2, Frame([b"a", b"from outside"])]


def test_a_flood_from_outside_is_taken_in_portions(peers: Peers) -> None:
    """Messages from inside never wait for more than MOST_FRAMES frames."""
    client = peers.connect(b"a")
    count = 2 * MAX_FRAMES + 10
    for n in range(count):
        client.send(b"%d" % n)

    frames: list[Frame] = []
    while len(frames) < count:
        peers.mailbox.append("inside")
        first, *rest = peers.mailbox.receive_batch()
        assert first == "inside"
        assert len(rest) <= MAX_FRAMES
        frames += rest

    assert [int(frame.parts[1]) for frame in frames] == list(range(count))


def all_frames(peers: Peers, count: int) -> list[list[Frame]]:
    """So many frames, in the portions that they are taken in, once the first of them is there."""
    portions: list[list[Frame]] = []
    while sum(map(len, portions)) < count:
        portions.append([each for each in peers.mailbox.receive_batch() if isinstance(each, Frame)])
    return portions


def test_what_a_turn_has_put_back_does_not_delay_another_connection(peers: Peers) -> None:
    """A message that comes meanwhile is read, and is the second of the next turn."""
    flood, client = peers.connect(b"flood"), peers.connect(b"a")
    for n in range(MAX_FRAMES // 2):
        flood.send(b"%d" % n)
    left = [each for portion in all_frames(peers, MAX_FRAMES // 2) for each in portion]
    client.send(b"hello")
    assert peers.socket.poll(WAIT_MS)

    peers.mailbox.put_back(left)

    mail = peers.mailbox.receive_batch()
    assert [each.parts for each in mail[:3]] == [
        [b"flood", b"0"],
        [b"a", b"hello"],
        [b"flood", b"1"],
    ]
    assert len(mail) == MAX_FRAMES // 2 + 1


def test_however_often_frames_are_put_back_few_are_read_beside_them(peers: Peers) -> None:
    """What waits in the socket counts against its sender's bound; what is read does not."""
    client = peers.connect(b"a")
    for n in range(2 * MAX_FRAMES):
        client.send(b"%d" % n)

    frames: list[Frame] = []
    while len(frames) < MAX_FRAMES:
        frames = [each for each in peers.mailbox.receive_batch() if isinstance(each, Frame)]
        peers.mailbox.put_back(frames)
    again = [each for each in peers.mailbox.receive_batch() if isinstance(each, Frame)]

    assert [each.parts[1] for each in again] == [b"%d" % n for n in range(MAX_FRAMES)]


def test_heavy_frames_are_taken_in_portions_of_bytes(peers: Peers) -> None:
    """Few of them take as long as many others: messages from inside do not wait for all of them."""
    client = peers.connect(b"a")
    body = b"x" * (MAX_BYTES // 2)
    for _ in range(8):
        client.send(body)

    assert max(map(len, all_frames(peers, 8))) <= 2


def test_what_a_connection_sends_that_sends_heavy_frames_waits_behind_others() -> None:
    """Each connection's own frames stay in their order."""
    heavy, light = b"x" * (HEAVY_BYTES + 1), b"x" * HEAVY_BYTES
    sent = [(b"a", b"1"), (b"b", light), (b"a", heavy), (b"c", b"1"), (b"a", b"2"), (b"b", b"2")]

    taken = in_turn([Frame([who, body]) for who, body in sent])

    assert [frame.parts[0] for frame in taken] == [b"b", b"c", b"b", b"a", b"a", b"a"]
    assert [frame.parts[1] for frame in taken if frame.parts[0] == b"a"] == [b"1", heavy, b"2"]


def test_messages_of_strangers_wait_behind_all_others(peers: Peers) -> None:
    """However many of them were there before."""
    known, stranger = peers.connect(b"known"), peers.connect(b"stranger")
    peers.mailbox._tallies[b"stranger"].is_known = False
    for n in range(MAX_STRANGERS + 1):
        stranger.send(b"%d" % n)
    known.send(b"first")
    for _ in range(MAX_STRANGERS + 2):
        assert peers.socket.poll(WAIT_MS)
        peers.mailbox._receive()

    mail = peers.mailbox.receive_batch()

    assert mail[0] == Frame([b"known", b"first"])
    assert [frame.parts[1] for frame in mail[1:]] == [b"%d" % n for n in range(MAX_STRANGERS)]
    assert peers.mailbox.receive_batch() == [
        Frame([b"stranger", b"%d" % MAX_STRANGERS], is_deferred=True)
    ]


def test_while_much_is_dropped_strangers_messages_are_handled_one_at_a_time(
    peers: Peers, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Others wait for one message of each connection that is dropped, and for what is handled meanwhile."""
    monkeypatch.setattr(module, "MAX_DROPPED", 0)
    stranger = Tally(b"stranger", -1)
    for number in range(3):
        peers.mailbox._deferred.add(stranger, [b"stranger", b"%d" % number])

    for number in range(3):
        frames = [Frame([b"stranger", b"%d" % number], is_deferred=True)]
        assert peers.mailbox.receive_batch() == frames


def test_all_messages_of_a_stranger_that_becomes_known_come_in_order(peers: Peers) -> None:
    """Those that waited, and those that came after the one with the token."""
    client = peers.connect(b"a")
    peers.mailbox._tallies[b"a"].is_known = False
    sent = [b"%d" % n for n in range(2 * MAX_FRAMES)]
    for body in sent:
        client.send(body)

    taken: list[Frame] = []
    while len(taken) < len(sent):
        taken += peers.mailbox.receive_batch()
        peers.mailbox.trust(b"a")
    client.send(b"last")

    assert [frame.parts[1] for frame in taken] == sent
    assert peers.mailbox.receive_batch() == [Frame([b"a", b"last"])]


def test_a_stranger_whose_messages_find_no_room_is_cut_off(
    peers: Peers, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is dropped unread counts as waste."""
    monkeypatch.setattr("transport.frames.MAX_DEFERRED", 10)
    stranger = peers.connect(b"stranger")
    peers.mailbox._tallies[b"stranger"].is_known = False
    wasted = "they sent much that is dropped unread"

    def is_cut() -> bool:
        """Send no more at once than a batch takes: too much at once is another reason."""
        for _ in range(50):
            stranger.send(bytes(10_000))
        return peers.mailbox.connections.cut[wasted] == 1

    until(peers, is_cut)


def test_a_message_from_inside_wakes_a_sleeping_owner(peers: Peers) -> None:
    """No polling interval goes by: it sleeps without a timeout."""
    for n in range(100):
        owner = Owner(peers.mailbox)
        peers.mailbox.append(n)
        assert owner.took() == [n]
        with pytest.raises(BlockingIOError):
            peers.mailbox._wakeup_reader.recv(1)  # or the owner would find no sleep from now on


def test_a_message_left_in_the_last_moment_before_sleep_is_not_forgotten(peers: Peers) -> None:
    """Its sender finds the owner awake and writes no wakeup; so the owner looks once more before it waits."""
    mailbox = peers.mailbox

    class Moment(deque[None]):
        def append(self, asleep: None) -> None:
            mailbox.append("from inside")
            super().append(asleep)

    mailbox._asleep = Moment()

    assert mailbox.receive_batch() == ["from inside"]
    assert not mailbox._asleep, "it did not sleep after all, and needs no bell"


def test_a_frame_wakes_a_sleeping_owner(peers: Peers) -> None:
    """The socket's own event."""
    client = peers.connect(b"a")
    owner = Owner(peers.mailbox)

    client.send(b"wake up")

    assert owner.took() == [Frame([b"a", b"wake up"])]


def test_many_threads_tell_while_the_owner_sleeps_and_wakes(peers: Peers) -> None:
    """Nothing lost, nothing twice, each teller's order kept, however the bell and the sleep meet."""
    tellers, each = 4, 1000
    client = peers.connect(b"a")

    def tell(teller: int) -> None:
        for n in range(each):
            peers.mailbox.append((teller, n))

    threads = [threading.Thread(target=tell, args=[teller]) for teller in range(tellers)]
    for thread in threads:
        thread.start()
    for n in range(100):
        client.send(b"%d" % n)

    inside: list[tuple[int, int]] = []
    outside: list[int] = []
    while len(inside) < tellers * each or len(outside) < 100:
        for mail in peers.mailbox.receive_batch():
            if isinstance(mail, Frame):
                outside.append(int(mail.parts[1]))
            else:
                inside.append(mail)
    for thread in threads:
        thread.join(WAIT)

    assert outside == list(range(100))
    for teller in range(tellers):
        assert [n for who, n in inside if who == teller] == list(range(each))


def test_the_bell_rings_once_for_each_sleep(peers: Peers) -> None:
    """A thousand messages to an owner who is awake cost no system call."""
    bell = peers.mailbox._wakeup_reader
    for n in range(1000):
        peers.mailbox.append(n)

    assert len(peers.mailbox) == 1000
    with pytest.raises(BlockingIOError):
        bell.recv(1)
    assert peers.mailbox.receive_batch() == list(range(1000))


def test_what_was_left_inside_survives_a_socket_that_fails(peers: Peers) -> None:
    """The next incarnation of the owner finds it."""
    peers.mailbox.append("a reply")
    peers.socket.close()

    with pytest.raises(zmq.ZMQError):
        peers.mailbox.receive_batch()

    assert len(peers.mailbox) == 1


# Sending


def test_a_reply_goes_to_its_peer(peers: Peers) -> None:
    """And to no other."""
    a, b = peers.connect(b"a"), peers.connect(b"b")

    peers.mailbox.send(b"a", [b"for a"])
    peers.mailbox.send(b"b", [b"", b"for b"])

    assert a.recv_multipart() == [b"for a"]
    assert b.recv_multipart() == [b"", b"for b"]
    assert peers.mailbox.unsent == 0


def test_a_peer_that_is_gone_is_counted_and_nothing_else_happens(peers: Peers) -> None:
    """ROUTER_MANDATORY: without it the reply would vanish."""
    peers.mailbox.send(b"never seen", [b"reply"])

    assert peers.mailbox.counters.unroutable == 1
    assert peers.mailbox.unsent == 0


def test_a_peer_that_has_disconnected_is_counted(peers: Peers) -> None:
    """From when ZeroMQ has noticed it."""
    peers.connect(b"a").close()

    def is_counted() -> bool:
        peers.mailbox.send(b"a", [b"anybody?"])
        return peers.mailbox.counters.unroutable > 0

    until(peers, is_counted)


BODY = bytes(64 * 1024)
"""Large enough for a few of them to fill the buffers between the sockets."""


def fill(peers: Peers, routing_id: bytes) -> int:
    """Send to a peer that does not read until its outbox has its first message; how many were sent."""
    sent = 0
    while peers.mailbox.unsent == 0:
        peers.mailbox.send(routing_id, [b"%d" % sent, BODY])
        sent += 1
        assert sent < 100_000, "the socket takes everything"
    return sent


def test_a_slow_peer_gets_an_outbox_and_in_the_end_everything_in_order(peers: Peers) -> None:
    """The owner goes on meanwhile, and tries again whenever it takes."""
    slow = peers.connect(b"slow", receive_hwm=1)
    sent = fill(peers, b"slow")
    for _ in range(MAX_UNSENT - 1):
        peers.mailbox.send(b"slow", [b"%d" % sent, b""])
        sent += 1
    assert peers.mailbox.unsent == MAX_UNSENT
    assert peers.mailbox.counters.overflowed == 0

    received = []
    for _ in range(sent):
        while not slow.poll(1):
            peers.mailbox.append("anything")
            peers.mailbox.receive_batch()
        received.append(int(slow.recv_multipart()[0]))

    assert received == list(range(sent))
    assert peers.mailbox.unsent == 0


def test_an_outbox_that_is_full_drops_and_counts(peers: Peers) -> None:
    """A peer that never reads costs a bounded amount of memory."""
    peers.connect(b"slow", receive_hwm=1)
    fill(peers, b"slow")

    for _ in range(MAX_UNSENT - 1 + 7):
        peers.mailbox.send(b"slow", [b"reply"])

    assert peers.mailbox.unsent == MAX_UNSENT
    assert peers.mailbox.counters.overflowed == 7


def test_other_peers_do_not_wait_for_a_slow_one(peers: Peers) -> None:
    """Their replies go out while its outbox is full."""
    peers.connect(b"slow", receive_hwm=1)
    quick = peers.connect(b"quick")
    fill(peers, b"slow")

    for n in range(10):
        peers.mailbox.send(b"quick", [b"%d" % n])
        assert quick.recv_multipart() == [b"%d" % n]

    quick.send(b"next")
    assert peers.mailbox.receive_batch() == [Frame([b"quick", b"next"])]


def test_the_owner_tries_a_slow_peer_again_while_it_sleeps(peers: Peers) -> None:
    """There is no event for a peer that reads: it looks every RETRY_MS."""
    slow = peers.connect(b"slow", receive_hwm=1)
    sent = fill(peers, b"slow")
    owner = Owner(peers.mailbox)

    received = [slow.recv_multipart()[0] for _ in range(sent)]

    assert received[-1] == b"%d" % (sent - 1)
    peers.mailbox.append("done")
    assert owner.took() == ["done"]
    assert peers.mailbox.unsent == 0


def test_the_outbox_of_a_peer_that_goes_is_emptied_and_counted(peers: Peers) -> None:
    """It is not kept for ever."""
    slow = peers.connect(b"slow", receive_hwm=1)
    fill(peers, b"slow")
    peers.mailbox.send(b"slow", [b"another"])
    slow.close()

    until(peers, lambda: peers.mailbox.unsent == 0)

    assert peers.mailbox.counters.unroutable == 2


# Draining and closing


def test_drain_gives_a_slow_peer_the_time_to_read(peers: Peers) -> None:
    """Also while others keep sending what is no longer read."""
    slow, noisy = peers.connect(b"slow", receive_hwm=1), peers.connect(b"noisy")
    sent = fill(peers, b"slow")
    noisy.send(b"unread")
    assert peers.socket.poll(WAIT_MS)
    drained: SimpleQueue[int] = SimpleQueue()

    def drain() -> None:
        peers.mailbox.drain(WAIT_MS)
        drained.put(peers.mailbox.unsent)

    owner = threading.Thread(target=drain)
    owner.start()
    received = [slow.recv_multipart()[0] for _ in range(sent)]
    owner.join(WAIT)

    assert drained.get_nowait() == 0
    assert received[-1] == b"%d" % (sent - 1)


def test_drain_ends_at_its_time_where_a_peer_does_not_read(peers: Peers) -> None:
    """A stopping server does not wait for every peer."""
    peers.connect(b"slow", receive_hwm=1)
    fill(peers, b"slow")

    peers.mailbox.drain(10)

    assert peers.mailbox.unsent == 1


def test_drain_has_nothing_to_wait_for_where_nothing_waits(peers: Peers) -> None:
    """It would end the test otherwise: its time is longer than pytest's."""
    peers.mailbox.drain(3_600_000)


def test_close_gives_everything_back_and_may_be_told_still(peers: Peers) -> None:
    """Appending to a closed mailbox must not raise."""
    mailbox = peers.mailbox

    mailbox.close()
    mailbox._asleep.append(None)  # as if the owner had slept when the teller looked
    mailbox.append("too late")

    assert peers.socket.closed
    assert mailbox._wakeup_reader.fileno() == -1
    assert mailbox._wakeup_writer.fileno() == -1


def test_retries_are_rare_enough_to_cost_nothing_and_often_enough_not_to_be_felt() -> None:
    """Milliseconds."""
    assert 1 <= module.RETRY_MS <= 10
