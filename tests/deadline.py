"""Waiting for what sends no event: files, counters, another process."""

from __future__ import annotations

import time
from collections.abc import Callable

MOST_SECONDS = 20.0

PAUSE_SECONDS = 0.005


def until(condition: Callable[[], object], what: str, seconds: float = MOST_SECONDS) -> None:
    """Look again and again until the condition holds; fails, naming `what`, when the time is over."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {seconds} s in vain for {what}")
        time.sleep(PAUSE_SECONDS)
