"""Parses a request's params from words of a command line."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from transport.message import Problem

FORMS = """\
  name=value        JSON where it reads as JSON (7, true, null, "7", [1, 2]), and text otherwise, or where
                    the action takes text alone: phone=49123456
  name:=json        must be JSON; name:=@FILE reads it from a file
  name.key=value    a value within a map: patch.whitelabel.product_name=Desk
  name[]=value      one more value of an array: areas[]=members areas[]=tokens
  -                 a JSON map on standard input, to which the others are added
"""


NO_TEXT = 'is not of type "string"'
"""Part of a server's problem with a value that should have been text."""


class UsageError(ValueError):
    """No call can be made of the command line, standard input or a file; the message says why."""


def read_params(words: Sequence[str]) -> dict[str, Any]:
    """Parse words of the forms above, in their order; raises UsageError."""
    params: dict[str, Any] = {}
    if "-" in words:
        params |= read_map(sys.stdin.read(), "standard input")
    for word in words:
        if word != "-":
            name, value = read_param(word)
            set_path(params, name, value)
    return params


def read_param(word: str) -> tuple[str, Any]:
    """Split one word into its name, dots and brackets included, and its value; raises UsageError."""
    name, equals, text = word.partition("=")
    if not name or not equals:
        raise UsageError(
            f"{word!r} is no param: write name=value, or - to read them from standard input"
        )
    if not name.endswith(":"):
        return name, _json_or_text(text)
    if text.startswith("@"):
        return name[:-1], read_json(_text_of(Path(text[1:])), text[1:])
    return name[:-1], read_json(text, f"{name}={text!r}")


def with_text(
    params: Mapping[str, Any], words: Sequence[str], problems: Iterable[Problem]
) -> dict[str, Any] | None:
    """Return the params with values as text that were refused for being none; None if there are none.

    `phone=49123456` reads as a number, but it is the action that says what a phone is.
    """
    wanted = {field.removeprefix("params.") for field, problem in problems if NO_TEXT in problem}
    texts = {name: text for name, equals, text in map(_parted, words) if equals and name in wanted}
    changed: dict[str, Any] = json.loads(json.dumps(params))
    for name, text in texts.items():
        set_path(changed, name, text)
    return changed if texts and changed != params else None


def _parted(word: str) -> tuple[str, str, str]:
    return word.partition("=")


def meant_as_text(words: Sequence[str], problems: Iterable[Problem]) -> str:
    """Return how to write a value refused for not being text, such as phone=49123456; else empty."""
    wanted = {field.removeprefix("params.") for field, problem in problems if NO_TEXT in problem}
    for word in words:
        name, equals, text = word.partition("=")
        if equals and name in wanted and not isinstance(_json_or_text(text), str):
            return f"{word} reads as JSON; as text it is written {name}={shlex.quote(json.dumps(text))}"
    return ""


def set_path(params: dict[str, Any], name: str, value: Any) -> None:
    """Set the value at a dotted name, and make maps and arrays; UsageError if another value is there."""
    *way, last = name.removesuffix("[]").split(".")
    place: Any = params
    for step in way:
        place = place.setdefault(step, {}) if isinstance(place, dict) else None
    if not isinstance(place, dict) or "" in (*way, last):
        raise UsageError(f"{name}= has no place: {'.'.join(way) or name!r} is no map")
    if not name.endswith("[]"):
        place[last] = value
        return
    values = place.setdefault(last, [])
    if not isinstance(values, list):
        raise UsageError(f"{name}= has no place: {name.removesuffix('[]')} is no array")
    values.append(value)


def read_map(text: str, source: str) -> dict[str, Any]:
    """Parse a JSON map; raises UsageError, which names the source."""
    value = read_json(text, source)
    if not isinstance(value, dict):
        raise UsageError(f"{source} is JSON but no map")
    return value


def read_json(text: str, source: str) -> Any:
    """Parse a JSON value; raises UsageError, which names the source."""
    try:
        return json.loads(text, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{source} is not JSON: {error}") from None


def _json_or_text(text: str) -> Any:
    try:
        return read_json(text, "")
    except UsageError:
        return text


def _text_of(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{file} cannot be read: {error}") from None


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no number of JSON")
