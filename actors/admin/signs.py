"""Signs that people do not see, and that change what they see: in no name, and in no text for end users."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from actors.admin.messages import CreateTenant
from actors.errors import InvalidArgument
from transport.message import Problem

OVERRIDES: Final = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""What makes a reader see text in another order than it is stored in (Unicode TR 9, explicit formatting)."""

LAYOUT: Final = "\n\t"
"""Control characters that a text of several lines is laid out with."""

CONTROL: Final = "holds a control character: leave it out, line breaks and tabs as well"
CONTROL_IN_TEXT: Final = (
    "holds a control character: only line breaks (\\n) and tabs may be in a text"
)
OVERRIDE: Final = "holds a character that changes the direction of text: leave it out"

IN_REQUEST: Final[Mapping[tuple[type, str], str]] = MappingProxyType(
    {(CreateTenant, "owner"): "owner.name", (CreateTenant, "email"): "owner.email"}
)
"""Where a command's field stands in its request, if not under its own name."""


def hidden(text: str, layout: str = "") -> str | None:
    """What is wrong with a text, in words to follow its name; `layout` may be in it. None for nothing."""
    if any(sign not in layout and _is_control(sign) for sign in text):
        return CONTROL_IN_TEXT if layout else CONTROL
    return None if OVERRIDES.isdisjoint(text) else OVERRIDE


def require_plain(command: Any) -> None:
    """Return if each text of a command shows as it is; InvalidArgument names the one that does not."""
    for name, value in command._asdict().items():
        flaw = hidden(value) if isinstance(value, str) else None
        if flaw is not None:
            field = f"params.{IN_REQUEST.get((type(command), name), name)}"
            raise InvalidArgument(f"{field} {flaw}", details=(Problem(field, flaw),))


def _is_control(sign: str) -> bool:
    """Also the separators U+2028 and U+2029, which end a line of JavaScript, and halves of a pair."""
    return unicodedata.category(sign) in ("Cc", "Cs", "Zl", "Zp")
