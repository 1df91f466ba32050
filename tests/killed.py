"""A program that is killed as by a power cut at one point: a function of it, before or after a call.

KILL_AT in the environment says which, as a JSON map of Point.
"""

from __future__ import annotations

import importlib
import json
import os
import re
import signal
import sys
from collections.abc import Callable
from typing import Any, NamedTuple


class Point(NamedTuple):
    """Where a process ends."""

    target: str
    """`module:Class.function`, as it is looked up when it is called."""
    is_after: bool = False
    """Whether the call is made before that."""
    match: str = ""
    """A regular expression that the call's arguments fit, as `repr` shows them."""
    program: str = "actors.__main__"
    """Module with the program's `main`."""

    @property
    def environment(self) -> dict[str, str]:
        """What the process is given."""
        return {"KILL_AT": json.dumps(self._asdict())}


def arm(point: Point) -> None:
    """Replace the function by one that ends the process."""
    module, _, path = point.target.partition(":")
    owner: Any = importlib.import_module(module)
    *outer, name = path.split(".")
    for each in outer:
        owner = getattr(owner, each)
    setattr(owner, name, _armed(getattr(owner, name), point))


def _armed(function: Callable[..., Any], point: Point) -> Callable[..., Any]:
    def armed(*arguments: Any, **named: Any) -> Any:
        is_here = re.search(point.match, repr(arguments))
        if is_here and not point.is_after:
            os.kill(os.getpid(), signal.SIGKILL)
        result = function(*arguments, **named)
        if is_here:
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    return armed


if __name__ == "__main__":
    point = Point(**json.loads(os.environ.pop("KILL_AT")))
    arm(point)
    sys.exit(importlib.import_module(point.program).main(sys.argv[1:]))
