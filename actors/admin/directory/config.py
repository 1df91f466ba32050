"""A tenant's config as a value: how a patch changes it, and what it may be. Pure.

The law: a config that `patched` or `checked` returns has two maps, settings and whitelabel, that match the
index's schemas, `origins` if any are listed, and a size and a depth that every reader can hold. Its
whitelabel holds nothing that a page could treat as markup or run: end users see those texts in places that
this server does not control.

Characters that are invisible, or that change how a text reads, are allowed neither in names nor in texts for
end users.
"""

from __future__ import annotations

import html
import json
import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from types import MappingProxyType
from typing import Any, Final

from actors.admin.messages import CreateTenant
from actors.admin.request_messages import AnswerRequest, SubmitRequest
from actors.errors import InvalidArgument
from actors.index.entries import ConfigSchemas
from actors.profiles import unfreeze
from actors.schema.schema import MOST_PROBLEMS
from actors.schema.source import Key
from actors.schema.validation import dotted, summary
from transport.message import Problem

OVERRIDES: Final = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""Characters that display text in another order than it is stored in (Unicode TR 9, explicit formatting)."""

LAYOUT: Final = "\n\t"
"""Control characters that lay out a text of several lines."""

CONTROL: Final = (
    "contains a control character: remove it; line breaks and tabs are control characters too"
)
CONTROL_IN_TEXT: Final = "contains a control character: only line breaks (\\n) and tabs are allowed"
OVERRIDE: Final = "contains a character that changes the direction of text: remove it"

IN_REQUEST: Final[Mapping[tuple[type, str], str]] = MappingProxyType(
    {(CreateTenant, "owner"): "owner.name", (CreateTenant, "email"): "owner.email"}
)
"""The field's path in the request, for fields of commands whose names differ there."""


TEXTS: Final = frozenset({(SubmitRequest, "text"), (AnswerRequest, "text")})
"""Fields of commands that hold a text of several lines."""


def control_characters(text: str, layout: str = "") -> str | None:
    """Return what is wrong with a text, as words that follow its name, or None.

    The characters in `layout` are allowed.
    """
    if any(sign not in layout and _is_control(sign) for sign in text):
        return CONTROL_IN_TEXT if layout else CONTROL
    return None if OVERRIDES.isdisjoint(text) else OVERRIDE


def require_printable(command: Any) -> None:
    """Return if every text of a command is printable. Otherwise raise InvalidArgument with the field."""
    for name, value in command._asdict().items():
        layout = LAYOUT if (type(command), name) in TEXTS else ""
        problem = control_characters(value, layout) if isinstance(value, str) else None
        if problem is not None:
            field = f"params.{IN_REQUEST.get((type(command), name), name)}"
            raise InvalidArgument(f"{field} {problem}", details=(Problem(field, problem),))


def _is_control(sign: str) -> bool:
    """Includes lone surrogates, and the separators U+2028 and U+2029, which end a line of JavaScript."""
    return unicodedata.category(sign) in ("Cc", "Cs", "Zl", "Zp")


PARTS: Final = ConfigSchemas._fields
"""The two keys of a config: settings and whitelabel."""

ORIGINS: Final = "origins"
"""A third key, which no index describes: origins of pages that may call the tenant's actions."""

MAX_ORIGINS: Final = 50

MAX_BYTES: Final = 64 * 1024
"""Bytes of the whole config as compact JSON in UTF-8, at most."""

MAX_DEPTH: Final = 8
"""Levels of nested maps and lists, at most; the config itself is the first."""

PATCH: Final = ("params", "patch")
"""Path of the patch in its request."""

ORIGIN: Final = re.compile(
    r"(?:https://(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)*[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
    r"|http://(?:localhost|127\.0\.0\.1|\[::1\]))(?::[1-9][0-9]{0,4})?"
)
"""An origin as browsers send it: RFC 6454, section 6.2, in lower case, and without the scheme's own port."""

NO_ORIGIN: Final = (
    "is no origin as browsers send it: https:// and a host in lower case, with a port if it is another than "
    "443, and nothing after it; http:// for localhost alone"
)

IGNORED_IN_URLS: Final = re.compile(r"[\t\n\r\0-\x1f\u00ad\u200b-\u200f\u2060\ufeff]")
"""Characters that browsers or people ignore in a scheme (url.spec.whatwg.org, basic URL parser, 2 and 3)."""

SCRIPT: Final = re.compile(
    r"(?:java|vb)\s*script\s*:|^\s*data\s*:|\bdata:\s*(?:[\w.+-]+/[\w.+-]+|[;,])", re.IGNORECASE
)
"""A scheme that runs code or carries content; `your data: …` in a sentence does not match."""

MARKUP: Final = "contains < or >, as a character or as an entity: write text without markup"
RUNS: Final = "contains a javascript:, vbscript: or data: address: use an https:// address"


def merge_patch(target: Any, patch: Any) -> Any:
    """Return a value with a JSON Merge Patch applied (RFC 7396, section 2). Neither argument is changed."""
    if not isinstance(patch, Mapping):
        return patch
    merged = dict(target) if isinstance(target, Mapping) else {}
    for name, value in patch.items():
        if value is None:
            merged.pop(name, None)
        else:
            merged[name] = merge_patch(merged.get(name), value)
    return merged


def patched(
    config: Mapping[str, Any], patch: Mapping[str, Any], schemas: ConfigSchemas
) -> dict[str, Any]:
    """Return the config with a patch applied; null for a whole part empties it.

    Raise InvalidArgument. It names each field by its path in the request, such as
    `params.patch.whitelabel.logo_url`, including fields that were set before and no longer match the schema.
    """
    _raise_if_any(_invalid_shape(patch, PATCH))  # before the merge, which recurses
    merged = {part: {} for part in PARTS} | merge_patch(unfreeze(config), unfreeze(patch))
    return _checked(merged, schemas, PATCH)


def checked(config: Mapping[str, Any], schemas: ConfigSchemas) -> dict[str, Any]:
    """Return the config if it matches the current schemas. Raise InvalidArgument if it does not."""
    return _checked(unfreeze(config), schemas, ("config",))


def _checked(config: dict[str, Any], schemas: ConfigSchemas, place: Key) -> dict[str, Any]:
    config = {part: {} for part in PARTS} | config
    _raise_if_any(_invalid_shape(config, place))
    _raise_if_any(_too_large(config, place))
    for part in PARTS:
        _raise_if_any(_invalid(config[part], schemas, part, place))
    _raise_if_any(_invalid_origins(config.get(ORIGINS) or (), (*place, ORIGINS)))
    if not config.get(ORIGINS):
        config.pop(ORIGINS, None)
    _raise_if_any(_unsafe(config["whitelabel"], (*place, "whitelabel")))
    return config


def _raise_if_any(found: Iterator[Problem]) -> None:
    problems = tuple(islice(found, MOST_PROBLEMS))
    if problems:
        message = summary("config", "it is not valid", problems)
        raise InvalidArgument(message, details=problems)


def _invalid_shape(config: Mapping[str, Any], place: Key) -> Iterator[Problem]:
    """Check the top level and the depth of a config or of a patch."""
    for name, part in config.items():
        if name == ORIGINS:
            if not isinstance(part, list | tuple | None):
                yield Problem(dotted((*place, name)), "is not a list")
        elif name not in PARTS:
            yield Problem(dotted((*place, name)), "is unknown: use settings, whitelabel or origins")
        elif part is not None and not isinstance(part, Mapping):
            yield Problem(dotted((*place, name)), "is not a map")
    if is_deeper(config, MAX_DEPTH):
        yield Problem(dotted(place), f"is more than {MAX_DEPTH} maps and lists deep")


def is_deeper(value: Any, most: int) -> bool:
    """Return whether a value has more levels than `most`. It walks level by level, without recursion."""
    level = [value]
    for _ in range(most):
        level = [inner for each in level for inner in _children(each) if _is_container(inner)]
    return bool(level)


def _is_container(value: Any) -> bool:
    return isinstance(value, Mapping | list | tuple)


def _children(value: Any) -> Any:
    return value.values() if isinstance(value, Mapping) else value


def _too_large(config: Mapping[str, Any], place: Key) -> Iterator[Problem]:
    try:
        text = json.dumps(config, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
        size = len(text.encode())
    except (TypeError, ValueError):  # the channels' decoder rejects such values
        yield Problem(dotted(place), "contains a value that JSON cannot represent")
        return
    if size > MAX_BYTES:
        yield Problem(
            dotted(place), f"makes a config of {size} bytes as JSON, and {MAX_BYTES} are the most"
        )


def _invalid(value: Any, schemas: ConfigSchemas, part: str, place: Key) -> Iterator[Problem]:
    try:
        getattr(schemas, part).parse(value)
    except InvalidArgument as error:
        for field, problem in error.refusal.details:
            yield Problem(f"{dotted(place)}.{field}", problem)


def _invalid_origins(origins: Sequence[Any], place: Key) -> Iterator[Problem]:
    if len(origins) > MAX_ORIGINS:
        yield Problem(dotted(place), f"has more than {MAX_ORIGINS} entries")
    for number, origin in enumerate(origins[:MAX_ORIGINS]):
        if not isinstance(origin, str) or not ORIGIN.fullmatch(origin) or origin.endswith(":443"):
            yield Problem(dotted((*place, number)), NO_ORIGIN)


def _unsafe(value: Any, place: Key) -> Iterator[Problem]:
    """Yield a problem for each text and each name, at any depth, that must not reach a page."""
    if isinstance(value, str):
        problem = unsafe_text_problem(value)
        if problem is not None:
            yield Problem(dotted(place), problem)
        return
    if isinstance(value, Mapping):
        for name in value:
            problem = unsafe_text_problem(name)
            if problem is not None:
                yield Problem(dotted((*place, name)), f"has a name that {problem}")
    if _is_container(value):
        pairs = value.items() if isinstance(value, Mapping) else enumerate(value)
        for name, inner in pairs:
            yield from _unsafe(inner, (*place, name))


def unsafe_text_problem(text: str) -> str | None:
    """Return why a whitelabel text cannot be shown to end users, as words that follow its name, or None.

    Both the text and the text as a page reads it are checked: with entities resolved, twice because templates
    escape twice, and with look-alikes of ASCII (full width and the like) replaced by ASCII.
    """
    read = _as_read(text)
    problem = control_characters(text + read, LAYOUT)
    if problem is not None:
        return problem
    if any(sign in "<>" for sign in text + read):
        return MARKUP
    if SCRIPT.search(IGNORED_IN_URLS.sub("", text)) or SCRIPT.search(IGNORED_IN_URLS.sub("", read)):
        return RUNS
    return None


def _as_read(text: str) -> str:
    plain = html.unescape(html.unescape(unicodedata.normalize("NFKC", text)))
    return unicodedata.normalize("NFKC", plain)
