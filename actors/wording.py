"""What end users are told of a refusal, in their tenant's own words."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from actors.profiles import EMPTY, Config
from transport.message import Refusal

LONGEST: Final = 1000
"""Characters of a user_message; what is longer is cut."""

PLACEHOLDER: Final = re.compile(r"\{(product_name|support_address|support_url)\}")
"""All that is filled in, each from the field of whitelabel with its name; other braces are just text."""


def worded(refusal: Refusal, config: Config) -> Refusal:
    """The refusal with its user_message: what it says itself, or else whitelabel's text for its code.

    Placeholders are filled in once, so that a value which looks like one stays as it is; a value that is
    not there leaves nothing.
    """
    text = refusal.user_message
    whitelabel = config.whitelabel
    if text is None and whitelabel:
        text = _text(_map(whitelabel.get("texts")).get(refusal.code))
    if text is None:
        return refusal
    return refusal._replace(user_message=_cut(_filled(text, whitelabel)))


def _filled(text: str, whitelabel: Mapping[str, Any]) -> str:
    return PLACEHOLDER.sub(lambda found: _text(whitelabel.get(found[1])) or "", text)


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"


def _map(value: Any) -> Mapping[str, Any]:
    """An index may give whitelabel another shape: what is no map has no texts."""
    return value if isinstance(value, Mapping) else EMPTY


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None
