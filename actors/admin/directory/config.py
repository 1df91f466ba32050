"""A tenant's config as a value: how a patch changes it, and what it may be. Pure.

The law: whatever `patched` or `checked` returns has two maps, settings and whitelabel, that fit the index's
schemas, a size and a depth that every reader can hold, and in whitelabel nothing that a page could take for
markup or run: those texts end up in front of end users, in places this server knows nothing of.

Signs that people do not see, and that change what they see: in no name, and in no text for end users.
"""

from __future__ import annotations

import html
import json
import re
import unicodedata
from collections.abc import Iterator, Mapping
from itertools import islice
from types import MappingProxyType
from typing import Any, Final

from actors.admin.messages import CreateTenant
from actors.errors import InvalidArgument
from actors.index.entries import ConfigSchemas
from actors.profiles import unfreeze
from actors.schema.schema import MOST_PROBLEMS
from actors.schema.source import Key
from actors.schema.validation import dotted, summary
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


def control_characters(text: str, layout: str = "") -> str | None:
    """What is wrong with a text, in words to follow its name; `layout` may be in it. None for nothing."""
    if any(sign not in layout and _is_control(sign) for sign in text):
        return CONTROL_IN_TEXT if layout else CONTROL
    return None if OVERRIDES.isdisjoint(text) else OVERRIDE


def require_printable(command: Any) -> None:
    """Return if each text of a command shows as it is; InvalidArgument names the one that does not."""
    for name, value in command._asdict().items():
        problem = control_characters(value) if isinstance(value, str) else None
        if problem is not None:
            field = f"params.{IN_REQUEST.get((type(command), name), name)}"
            raise InvalidArgument(f"{field} {problem}", details=(Problem(field, problem),))


def _is_control(sign: str) -> bool:
    """Also the separators U+2028 and U+2029, which end a line of JavaScript, and halves of a pair."""
    return unicodedata.category(sign) in ("Cc", "Cs", "Zl", "Zp")


PARTS: Final = ConfigSchemas._fields
"""settings and whitelabel: all there is at the top."""

MAX_BYTES: Final = 64 * 1024
"""Of the whole config as compact JSON in UTF-8."""

MAX_DEPTH: Final = 8
"""Maps and lists within each other, the config itself being the first."""

PATCH: Final = ("params", "patch")
"""Where a patch stands in its request."""

IGNORED_IN_URLS: Final = re.compile(r"[\t\n\r\0-\x1f\u00ad\u200b-\u200f\u2060\ufeff]")
"""What browsers or people overlook within a scheme (url.spec.whatwg.org, basic URL parser, steps 2 and 3)."""

SCRIPT: Final = re.compile(
    r"(?:java|vb)\s*script\s*:|^\s*data\s*:|\bdata:\s*(?:[\w.+-]+/[\w.+-]+|[;,])", re.IGNORECASE
)
"""A scheme that runs or carries content of its own; `your data: …` in a sentence is none."""

MARKUP: Final = "holds < or >, plainly or as an entity: write text without markup"
RUNS: Final = "holds a javascript:, vbscript: or data: address: give an https:// one"


def merge_patch(target: Any, patch: Any) -> Any:
    """What a JSON Merge Patch makes of a value (RFC 7396, section 2); neither is changed."""
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
    """The config that a patch makes; null for a whole part empties it.

    InvalidArgument names each field as the request has it, such as `params.patch.whitelabel.logo_url`, also
    where the field was there before and fits no longer.
    """
    _raise_if_any(_invalid_shape(patch, PATCH))  # before the merge, which follows it down
    merged = {part: {} for part in PARTS} | merge_patch(unfreeze(config), unfreeze(patch))
    return _checked(merged, schemas, PATCH)


def checked(config: Mapping[str, Any], schemas: ConfigSchemas) -> dict[str, Any]:
    """The config, where it may be one now: an old one may fit the schemas no longer. InvalidArgument."""
    return _checked(unfreeze(config), schemas, ("config",))


def _checked(config: dict[str, Any], schemas: ConfigSchemas, place: Key) -> dict[str, Any]:
    config = {part: {} for part in PARTS} | config
    _raise_if_any(_invalid_shape(config, place))
    _raise_if_any(_too_large(config, place))
    for part in PARTS:
        _raise_if_any(_invalid(config[part], schemas, part, place))
    _raise_if_any(_unsafe(config["whitelabel"], (*place, "whitelabel")))
    return config


def _raise_if_any(found: Iterator[Problem]) -> None:
    problems = tuple(islice(found, MOST_PROBLEMS))
    if problems:
        message = summary("config", "it cannot be like this", problems)
        raise InvalidArgument(message, details=problems)


def _invalid_shape(config: Mapping[str, Any], place: Key) -> Iterator[Problem]:
    """Of a config and of a patch for one: what is at the top, and how deep it is."""
    for name, part in config.items():
        if name not in PARTS:
            yield Problem(dotted((*place, name)), "is unknown: there are settings and whitelabel")
        elif part is not None and not isinstance(part, Mapping):
            yield Problem(dotted((*place, name)), "is no map")
    if is_deeper(config, MAX_DEPTH):
        yield Problem(dotted(place), f"is more than {MAX_DEPTH} maps and lists deep")


def is_deeper(value: Any, most: int) -> bool:
    """Level by level, so that no depth of the input is one of ours."""
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
    except (TypeError, ValueError):  # the channels' decoder lets nothing of the kind through
        yield Problem(dotted(place), "holds what JSON cannot say")
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


def _unsafe(value: Any, place: Key) -> Iterator[Problem]:
    """Each text and each name, at any depth, that must not reach a page."""
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
    """Why a text of whitelabel cannot be shown to end users, in words to follow its name; None where it can.

    Asked of the text as it stands and as a page would read it: entities resolved, twice because templates
    escape twice, and look-alikes of ASCII (full width and the like) as what they look like.
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
