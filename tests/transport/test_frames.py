"""Messages of strangers wait behind the others, in order and within bounds."""

from __future__ import annotations

from transport import frames as module
from transport.connection import Tally
from transport.frames import MAX_DEFERRED, MAX_STRANGERS, DeferredFrames, Frame


def peer(name: bytes = b"a") -> Tally:
    """A stranger."""
    return Tally(name, -1)


def bodies(taken: list[Frame]) -> list[bytes]:
    """What was taken, in order."""
    return [frame.parts[-1] for frame in taken]


def test_a_few_messages_of_strangers_are_taken_at_once_in_order() -> None:
    """And the next ones with the next batch."""
    deferred, stranger = DeferredFrames(), peer()
    sent = [b"%d" % number for number in range(MAX_STRANGERS + 3)]
    assert all(deferred.add(stranger, [b"a", body]) for body in sent)

    assert bodies(deferred.take(1000)) == sent[:MAX_STRANGERS]
    assert bodies(deferred.take(1000)) == sent[MAX_STRANGERS:]
    assert stranger.deferred == len(deferred) == 0


def test_fewer_are_taken_of_strangers_if_so_wished() -> None:
    deferred, stranger = DeferredFrames(), peer()
    for number in range(3):
        deferred.add(stranger, [b"a", b"%d" % number])

    assert bodies(deferred.take(1000, 1)) == [b"0"]
    assert bodies(deferred.take(1000, 2)) == [b"1", b"2"]


def test_of_a_connection_that_became_known_all_are_taken() -> None:
    """As many as the batch has room for."""
    deferred, known = DeferredFrames(), peer()
    for number in range(100):
        deferred.add(known, [b"a", b"%d" % number])
    known.is_known = True

    assert len(deferred.take(60)) == 60
    assert len(deferred.take(60)) == 40


def test_what_a_reset_connection_has_sent_is_dropped() -> None:
    """It keeps no place of a batch."""
    deferred, reset, stranger = DeferredFrames(), peer(), peer(b"b")
    for _ in range(MAX_STRANGERS):
        deferred.add(reset, [b"a", b"dropped"])
    deferred.add(stranger, [b"b", b"kept"])
    reset.is_cut = True

    assert bodies(deferred.take(1000)) == [b"kept"]
    assert reset.deferred == 0


def test_a_sender_that_has_left_meanwhile_gets_no_answer() -> None:
    """It is as late as one that left before its message was read."""
    deferred, stranger = DeferredFrames(), peer()
    deferred.add(stranger, [b"a", b"body"])
    stranger.is_gone = True

    assert deferred.take(1000) == [Frame([b"a", b"body"], is_late=True, is_deferred=True)]


def test_no_more_wait_than_there_is_room_for() -> None:
    """In number, and in bytes of all parts."""
    deferred, stranger = DeferredFrames(), peer()
    assert all(deferred.add(stranger, [b"a", b""]) for _ in range(MAX_DEFERRED))
    assert not deferred.add(stranger, [b"a", b""])
    deferred.take(1000)
    half = bytes(module.MAX_DEFERRED_BYTES // 2)
    assert deferred.add(stranger, [b"a", half])
    assert not deferred.add(stranger, [b"a", half, half])


def test_heavy_messages_of_strangers_are_taken_in_portions_of_bytes() -> None:
    """Reading one of them takes as long as many others."""
    deferred, stranger = DeferredFrames(), peer()
    for _ in range(3):
        deferred.add(stranger, [b"a", bytes(module.MAX_STRANGERS_BYTES)])

    assert len(deferred.take(1000)) == 1
