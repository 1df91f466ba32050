"""The screening of a turn: its messages are looked at together, since nearly all are harmless."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

from actors.screening.fields import FieldScreen
from actors.screening.screener import Screener

SMALL_BYTES: Final = 2048
"""Bytes of a message, at most, that is looked at together with others."""

Asked = tuple[FieldScreen, Mapping[str, Any]]
"""Params, and what screens them."""


MOST_TOGETHER: Final = 32
"""Messages, at most, that are looked at together: others that wait compute in between."""


class TurnScreening:
    """Which params of a turn's messages were found harmless. Belongs to one actor."""

    __slots__ = ("_harmless", "_left", "_mail", "_to_screen")

    def __init__(self, to_screen: Callable[[Sequence[Any]], Sequence[Asked]]) -> None:
        """`to_screen` returns the params of a turn's small messages, in the order of the messages."""
        self._to_screen = to_screen
        self._mail: Sequence[Any] = ()
        self._left: Sequence[Asked] = ()
        self._harmless: dict[int, Asked] = {}

    def begin(self, mail: Sequence[Any]) -> None:
        """Begin a turn, or begin it again: its messages are looked at when the first of them is asked for."""
        self._mail = mail if len(mail) > 1 else ()
        self._left = ()
        self._harmless.clear()

    def is_harmless(self, screen: FieldScreen, params: Mapping[str, Any]) -> bool:
        """Return whether this screen has found params harmless. False is no verdict. Ask once for each."""
        found = self._harmless.pop(id(params), None)
        if found is None and (self._mail or self._left):
            self._look()
            found = self._harmless.pop(id(params), None)
        return found is not None and found[0] is screen and found[1] is params

    def _look(self) -> None:
        """Look at the next messages."""
        if self._mail:
            self._left, self._mail = self._to_screen(self._mail), ()
        now, self._left = self._left[:MOST_TOGETHER], self._left[MOST_TOGETHER:]
        self._harmless.update((id(each[1]), each) for each in harmless_among(now))


def harmless_among(asked: Sequence[Asked]) -> Iterator[Asked]:
    """Yield those params that hold no text that breaks a rule: by one look at all, else by halves."""
    if not asked:
        return
    if are_harmless(asked):
        yield from asked
    elif len(asked) > 1:
        half = len(asked) // 2
        yield from harmless_among(asked[:half])
        yield from harmless_among(asked[half:])


def are_harmless(asked: Sequence[Asked]) -> bool:
    """Return True if no text of any of these params breaks a rule. False is no verdict."""
    gathered: dict[tuple[Screener, str], list[Any]] = {}
    for screen, params in asked:
        for key, names in screen.names:
            known = gathered.get(key)
            if known is None:
                gathered[key] = known = []
            known += map(params.get, names)
    for (screener, kind), values in gathered.items():
        texts = [each for each in values if each.__class__ is str]
        if texts and not screener.is_harmless(kind, texts):
            return False
    return True
