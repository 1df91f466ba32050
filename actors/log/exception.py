"""An exception as a log has it: type, message and stack, as text and without secrets.

It is made in the thread where the exception is: a traceback would take every local variable along.
"""

from __future__ import annotations

import traceback
from typing import Any

from structlog.typing import ExcInfo

from actors.log.redaction import NO_NAMES, Redaction, discreet, scrubbed
from transport.fit import text_of

MOST_MESSAGE = 4096
"""Characters of an event, an exception's message, or any other text."""

MOST_STACK = 32_768
"""Characters of a stack, with the exceptions that led to this one."""

MOST_RAW = 256 * 1024
"""Characters that are looked through for secrets; what is behind them is dropped unseen."""

MOST_FRAMES = 200
"""Calls of each exception: of endless recursion the first and the last tell all."""

NOTHING_ASKED = Redaction(None)
"""Where it is not known which request an exception comes from."""


def described(
    raised: ExcInfo, hide: frozenset[str] = NO_NAMES, asked: Redaction = NOTHING_ASKED
) -> dict[str, Any]:
    """{"type", "message", "stack"}; `asked` knows the secrets of the request that led to it."""
    kind, error, trace = raised
    whole = traceback.TracebackException(kind, error, trace, limit=-MOST_FRAMES, compact=True)
    stack = "".join(_shown(part, hide, asked) for part in whole.format())
    return {
        "type": f"{kind.__module__}.{kind.__qualname__}".removeprefix("builtins."),
        "message": cut(said(text_of(error), hide, asked), MOST_MESSAGE),
        "stack": cut(stack, MOST_STACK),
    }


def said(text: str, hide: frozenset[str] = NO_NAMES, asked: Redaction = NOTHING_ASKED) -> str:
    """What a program says, without secrets."""
    return discreet(asked.text(text[:MOST_RAW]), hide)


def cut(text: str, most: int) -> str:
    """At most so many characters, a quarter of them from the beginning. Only of text without secrets."""
    if len(text) <= most:
        return text
    gap = " … "
    before = most // 4
    return f"{text[:before]}{gap}{text[before + len(gap) - most :]}"


def _shown(part: str, hide: frozenset[str], asked: Redaction) -> str:
    """Frames show lines of code, in which `token = …` is no secret; what is said besides may hold one."""
    is_frame = part.startswith('  File "')
    return scrubbed(part[:MOST_RAW]) if is_frame else said(part, hide, asked)
