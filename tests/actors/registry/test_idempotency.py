"""Receipts of moves: what was answered once is answered again, and nothing that was not done."""

from __future__ import annotations

from pathlib import Path

import pytest

from actors.errors import InvalidArgument, Unavailable
from actors.messages import Receipt
from actors.registry.idempotency import MOST_KEPT, Receipts
from actors.registry.messages import Moved

MOVED = Moved("a.b", 2, "under dev", "release", ("a.b: more",), {"version": 2})
RECEIPT = Receipt("t_1", "m-1", b"digest")


def kept(path: Path, receipt: Receipt = RECEIPT, index: str = "after") -> None:
    """A move that was made."""
    with Receipts(path, "before").keeping(receipt, (MOVED,), index):
        pass


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "moves.json"


def test_a_move_is_answered_again_after_a_restart(path: Path) -> None:
    kept(path)
    assert Receipts(path, "after").recall(RECEIPT) == (MOVED,)
    assert Receipts(path, "after").recall(RECEIPT._replace(id="m-2")) is None
    assert Receipts(path, "after").recall(None) is None


def test_an_id_is_one_move_s(path: Path) -> None:
    kept(path)
    with pytest.raises(InvalidArgument, match="'m-1' was used for another move"):
        Receipts(path, "after").recall(RECEIPT._replace(digest=b"other"))


def test_a_move_that_was_cut_off_before_the_index_was_replaced_was_not_made(path: Path) -> None:
    """As the index says that is there then."""
    kept(path)
    assert Receipts(path, "before").recall(RECEIPT) is None


def test_a_move_that_fails_leaves_no_receipt(path: Path) -> None:
    receipts = Receipts(path, "before")
    with pytest.raises(ZeroDivisionError), receipts.keeping(RECEIPT, (MOVED,), "after"):
        raise ZeroDivisionError
    assert receipts.recall(RECEIPT) is None
    assert Receipts(path, "after").recall(RECEIPT) is None


def test_what_cannot_be_written_is_not_begun(tmp_path: Path) -> None:
    receipts = Receipts(tmp_path / "none" / "moves.json", "before")
    with (
        pytest.raises(Unavailable, match="nothing was changed"),
        receipts.keeping(RECEIPT, (MOVED,), "after"),
    ):
        pytest.fail("it was begun")
    assert receipts.recall(RECEIPT) is None


def test_only_the_newest_are_kept(path: Path) -> None:
    receipts = Receipts(None, "before")
    for number in range(MOST_KEPT + 1):
        with receipts.keeping(RECEIPT._replace(id=str(number)), (MOVED,), "after"):
            pass
    assert receipts.recall(RECEIPT._replace(id="0")) is None
    assert receipts.recall(RECEIPT._replace(id="1")) == (MOVED,)


@pytest.mark.parametrize("content", ["", "{}", "[[1]]", "7", '[["a", "b", "c", [], "d"]]'])
def test_a_file_that_cannot_be_read_keeps_nobody_from_moving(path: Path, content: str) -> None:
    path.write_text(content)
    assert Receipts(path, "after").recall(RECEIPT) is None
    kept(path)
    assert Receipts(path, "after").recall(RECEIPT) == (MOVED,)
