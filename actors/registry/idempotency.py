"""Receipts of moves, in a file: a request that is repeated gets the same reply, also after a restart.

A receipt is written ahead of the move, with the digest that the index has after it: a server that was killed
in between finds out by that whether the last move was made.
"""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

import structlog

from actors.errors import InvalidArgument, Unavailable
from actors.host.disk_errors import error_text
from actors.host.files import write_private
from actors.messages import Receipt
from actors.registry.messages import Moved

log = structlog.get_logger()

MOST_KEPT = 1000
"""Moves kept for repeated requests with the same id; older ones are handled as new."""


class KeptMove(NamedTuple):
    """A move that was made, or is being made."""

    digest: str
    """Digest of the request."""
    moved: tuple[Moved, ...]
    """One for each version that was moved."""
    after: str
    """Digest of the index after the move."""


class Receipts:
    """The results of moves by request id. The only reader and writer of their file."""

    def __init__(self, path: Path | None, index: str) -> None:
        """`index` is the digest of the current index; without a path the results end with the process."""
        self._path = path
        self._kept: OrderedDict[tuple[str, str], KeptMove] = OrderedDict()
        if path is not None:
            self._kept.update(_read(path))
        if self._kept and next(reversed(self._kept.values())).after != index:
            self._kept.popitem()  # the server was killed before the move, or the index was edited since

    def recall(self, receipt: Receipt | None) -> tuple[Moved, ...] | None:
        """Return the result of an earlier request with this id; InvalidArgument if it was another move."""
        kept = self._kept.get(receipt[:2]) if receipt is not None else None
        if receipt is None or kept is None:
            return None
        if kept.digest != receipt.digest.hex():
            raise InvalidArgument(
                f"id {receipt.id!r} was used for another move: take one of its own"
            )
        return kept.moved

    @contextmanager
    def keeping(
        self, receipt: Receipt | None, moved: tuple[Moved, ...], index: str
    ) -> Iterator[None]:
        """Store the result of a move that the block makes; remove it if the block raises.

        Raises Unavailable if the file cannot be written.
        """
        if receipt is None:
            yield
            return
        self._kept[receipt[:2]] = KeptMove(receipt.digest.hex(), moved, index)
        try:
            self._write()
            yield
        except BaseException:
            del self._kept[receipt[:2]]
            with suppress(Unavailable):  # it is not counted as long as the index is another one
                self._write()
            raise

    def _write(self) -> None:
        while len(self._kept) > MOST_KEPT:
            self._kept.popitem(last=False)
        if self._path is None:
            return
        try:
            write_private(
                self._path, json.dumps([[*key, *kept] for key, kept in self._kept.items()])
            )
        except OSError as error:
            raise Unavailable(
                f"{self._path} cannot be written ({error_text(error)}), so nothing was changed: see "
                f"to the disk, "
                "then ask again",
                retry_after_ms=5_000,
            ) from error


def _read(path: Path) -> Iterator[tuple[tuple[str, str], KeptMove]]:
    """Yield nothing if the file cannot be read: repeated moves are handled as new."""
    try:
        rows = json.loads(path.read_bytes())
        for caller, id_, digest, moved, after in rows:
            several = [moved] if isinstance(moved[0], str) else moved  # one, by earlier servers
            yield (caller, id_), KeptMove(digest, tuple(_moved(*each) for each in several), after)
    except FileNotFoundError:
        return
    except (OSError, ValueError, TypeError, IndexError) as error:
        log.error("receipts of moves cannot be read", path=str(path), error=str(error))


def _moved(name: str, version: int, origin: str, to: str, breaks: list[str], served: Any) -> Moved:
    return Moved(name, version, origin, to, tuple(breaks), served)
