"""The screening of a turn: its messages are looked at together, since nearly all are harmless."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import chain
from typing import Any, Final

from actors.screening.fields import FieldScreen

SMALL_BYTES: Final = 2048
"""Bytes of a message, at most, that is looked at together with others."""

MOST_TOGETHER: Final = 32
"""Messages, at most, that are looked at together: others that wait compute in between."""

Params = Mapping[str, Any]


class TurnScreening:
    """Which params of a turn's messages were found harmless. Belongs to one actor."""

    __slots__ = ("_harmless", "_left", "_mail", "_to_screen")

    def __init__(
        self, to_screen: Callable[[Sequence[Any]], dict[FieldScreen, list[Params]]]
    ) -> None:
        """`to_screen` returns the params of a turn's small messages, in their order, by what screens them."""
        self._to_screen = to_screen
        self._mail: Sequence[Any] = ()
        self._left: dict[FieldScreen, list[Params]] = {}
        self._harmless: dict[FieldScreen, dict[int, Params]] = {}

    def begin(self, mail: Sequence[Any]) -> None:
        """Begin a turn, or begin it again: its messages are looked at when the first of them is asked for."""
        self._mail = mail if len(mail) > 1 else ()
        self._left.clear()
        self._harmless.clear()

    def is_harmless(self, screen: FieldScreen, params: Params) -> bool:
        """Return whether this screen has found params harmless. False is no verdict. Ask once for each."""
        harmless = self._harmless.get(screen)
        found = harmless.pop(id(params), None) if harmless else None
        if found is None and (self._mail or self._left):
            found = self._look(screen).pop(id(params), None)
        return found is params

    def _look(self, screen: FieldScreen) -> dict[int, Params]:
        """Look at the next messages of this screen; return those found harmless that were not asked for."""
        if self._mail:
            self._left, self._mail = self._to_screen(self._mail), ()
        harmless = self._harmless.setdefault(screen, {})
        left = self._left.get(screen, ())
        if left:
            found = harmless_among(screen, left[:MOST_TOGETHER])
            harmless.update(zip(map(id, found), found, strict=True))
            self._left[screen] = left[MOST_TOGETHER:]
        return harmless


def harmless_among(screen: FieldScreen, several: list[Params]) -> list[Params]:
    """Return those params that hold no text that breaks a rule: by one look at all, else by halves."""
    if are_harmless(screen, several):
        return several
    half = len(several) // 2
    if not half:
        return []
    return harmless_among(screen, several[:half]) + harmless_among(screen, several[half:])


def are_harmless(screen: FieldScreen, several: list[Params]) -> bool:
    """Return True if no text of any of these params breaks a rule. False is no verdict."""
    for screener, kind, names, values_of in screen.flat:
        try:
            values = list(chain.from_iterable(map(values_of, several)))
        except KeyError:  # not all of them have all fields
            values = [params.get(name) for params in several for name in names]
        texts = [each for each in values if each.__class__ is str]
        if texts and not screener.is_harmless(kind, texts):
            return False
    return True
