"""What the commands are called here: `scripts/call` in a checkout, `tenantry call` where it is installed."""

from __future__ import annotations

import re
from pathlib import Path

ENGINE = Path(__file__).resolve().parents[2]
"""What holds `actors`."""

IS_CHECKOUT = (ENGINE / "scripts" / "environment").is_file()

DEMO_INDEX = ENGINE / "registry.toml"
"""The index of the desk that comes with it."""

INDEX = "registry.toml"
"""Name of an index in the current folder."""


def as_typed(text: str, *, is_checkout: bool = IS_CHECKOUT) -> str:
    """Return a text that names commands as `scripts/call`, with the names that they have here."""
    if is_checkout:
        return text
    return re.sub(r"\bscripts/([a-z]+)\b", _installed, text)


def command(name: str) -> str:
    """Return the name of one command, such as `scripts/call`."""
    return as_typed(f"scripts/{name}")


def default_index() -> Path:
    """Return the index in the current folder; a checkout's own, where one is at hand and there is none."""
    own = Path(INDEX).absolute()
    return own if own.is_file() or not IS_CHECKOUT else DEMO_INDEX


def _installed(found: re.Match[str]) -> str:
    return "pytest" if found[1] == "test" else f"tenantry {found[1]}"
