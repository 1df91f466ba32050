"""Cuts a program short at each of its effects, for tests of what it leaves behind."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from scripts.releasing.deploy import procedure
from scripts.releasing.deploy.place import Server

Effects = Sequence[tuple[object, str]]
"""Functions that change something, by where they are looked up."""

OF_THE_SERVER: Effects = ((Server, "call"),)

OF_A_DEPLOY: Effects = (
    (procedure, "write_journal"),
    (procedure, "write_record"),
    (procedure, "switch"),
    *OF_THE_SERVER,
)


class Killed(BaseException):
    """The program is not there any more: nothing of it runs on, as after kill -9."""


class Knife:
    """Kills a program at one of its effects: an even number before it, an odd one after."""

    def __init__(
        self, monkeypatch: pytest.MonkeyPatch, at: int, effects: Effects = OF_A_DEPLOY
    ) -> None:
        self._patch = monkeypatch
        self._effects = effects
        self._left = at
        self.has_cut = False

    def __enter__(self) -> None:
        for owner, name in self._effects:
            self._patch.setattr(owner, name, self._around(getattr(owner, name)))

    def __exit__(self, *_: object) -> None:
        self._patch.undo()

    def _around(self, effect: Callable[..., Any]) -> Callable[..., Any]:
        def cut(*given: Any, **params: Any) -> Any:
            self._cut()
            result = effect(*given, **params)
            self._cut()
            return result

        return cut

    def _cut(self) -> None:
        if self._left == 0:
            self._left = -1
            self.has_cut = True
            raise Killed
        self._left -= 1
