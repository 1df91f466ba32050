"""Where one message is told that a stepped function waits for: a mailbox for once."""

from __future__ import annotations

from typing import Any

from actors.future import Answer, settle
from actors.stepper import Pending


class Outlet:
    """Given as `reply_to` or `outlet` to actors that tell their answers; only the first one counts."""

    __slots__ = ("_answer",)

    def __init__(self) -> None:
        self._answer = Answer()

    def tell(self, message: Any) -> None:
        """Take the message; from any thread."""
        settle(self._answer, message)

    put = tell

    def message(self) -> Pending:
        """What it was told, to be awaited."""
        return Pending(self._answer)
