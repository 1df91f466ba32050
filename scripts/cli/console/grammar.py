"""Parses a line of the console: `move contacts.add@2 release "why" --dry-run`.

    WORD  VALUE …  last 1h  name=value …  --flag

A word is an alias or an action's full name. Values come in the order of the word's slots; a full name has one
slot, the tenant. Values of params are read as the action's schema says: text stays text.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

from scripts.cli.console.aliases import ABOUT_TENANT, TENANT, Alias, Slot
from scripts.cli.console.catalog import TENANT_LEVELS
from scripts.cli.entry import DescribedAction
from scripts.cli.params import UsageError, read_json, set_path

NO_TENANT = "-"
"""Typed in a tenant's place: none, whichever is in the prompt."""

UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}

TIMES = {"last": "since", "since": "since", "until": "until"}
"""Words before a time, and the params that they set."""

SECONDS_OF = {"minutes": 60, "days": 86_400, "grace_days": 86_400}
"""Params that are a duration, which may be typed with a unit, and the seconds of one."""

SWITCHES = ("json", "wide", "dry-run", "help")
VALUED = ("digest", "confirm", "every", "id")


class Flags(NamedTuple):
    """What a line says of the console rather than of the action."""

    json: bool = False
    wide: bool = False
    dry_run: bool = False
    help: bool = False
    digest: str | None = None
    confirm: str | None = None
    every: str | None = None
    id: str | None = None


class ParsedCall(NamedTuple):
    """A line that was understood: one action, its tenant and its params."""

    entry: DescribedAction
    tenant: str | None
    params: dict[str, Any]
    flags: Flags


def split(line: str) -> list[str]:
    """Return the words of a line, quotes removed; UsageError if a quote is not closed."""
    try:
        return shlex.split(line)
    except ValueError:
        raise UsageError("a quote is not closed") from None


def read_flags(words: Sequence[str]) -> tuple[list[str], Flags]:
    """Take the flags out of the words. UsageError for one that is not known or has no value."""
    rest: list[str] = []
    found: dict[str, Any] = {}
    waiting = iter(words)
    for word in waiting:
        name = word.removeprefix("--")
        if name == word or not name:
            rest.append(word)
        elif name in SWITCHES:
            found[name.replace("-", "_")] = True
        elif name in VALUED:
            found[name] = next(waiting, None)
            if found[name] is None:
                raise UsageError(f"{word} needs a value")
        else:
            known = ", ".join(f"--{each}" for each in (*SWITCHES, *VALUED))
            raise UsageError(f"{word} is no flag; there are {known}")
    return rest, Flags(**found)


def slots_of(alias: Alias | None) -> tuple[Slot, ...]:
    """Return what may be given by its place; after an action's full name a tenant alone."""
    return alias.slots if alias is not None else (Slot(TENANT, optional=True),)


def parse(
    words: Sequence[str],
    flags: Flags,
    entry: DescribedAction,
    alias: Alias | None,
    here: str | None,
) -> ParsedCall:
    """Parse the words after the first one; `here` is the tenant of the prompt. Raises UsageError."""
    given: dict[str, str] = {}
    params: dict[str, Any] = dict(alias.fixed) if alias else {}
    slots = list(slots_of(alias))
    waiting = iter(words)
    for word in waiting:
        if _is_named(word, entry):
            name, value = _named(word, entry)
            set_path(params, name, value)
        elif word in TIMES and TIMES[word] in entry.properties:
            params[TIMES[word]] = moment(next(waiting, ""), word)
        else:
            given |= _placed(word, slots, entry, alias)
    for name, text in given.items():
        if name != TENANT:
            set_path(params, name, value_of(entry, name, text))
    _require(entry, alias, params, given, here)
    return ParsedCall(entry, _tenant(entry, given.get(TENANT), here), params, flags)


def value_of(entry: DescribedAction, name: str, text: str) -> Any:
    """Read a param as its schema says; text is text, however it looks. Raises UsageError."""
    schema = _schema_at(entry, name)
    if name in SECONDS_OF and (found := re.fullmatch(r"(\d{1,6})([smhd])", text)):
        value = int(found[1]) * UNITS[found[2]] / SECONDS_OF[name]
        return int(value) if value.is_integer() else value
    choices = schema.get("enum")
    if choices is not None:
        return _choice(name, text, choices)
    kinds = schema.get("type", [])
    kinds = [kinds] if isinstance(kinds, str) else kinds
    if "string" in kinds:
        return None if text == "null" and "null" in kinds else text
    if not kinds:
        return _json_or_text(text)
    return read_json(text, f"{name}={text!r}")


def moment(text: str, word: str) -> str:
    """Return the time that `1h`, `2026-11-24` or `2026-11-24T12:30` stands for, as the server takes it."""
    ago = re.fullmatch(r"(\d{1,6})([smhd])", text)
    try:
        if ago is not None:
            at = datetime.now(UTC) - timedelta(seconds=int(ago[1]) * UNITS[ago[2]])
        else:
            at = datetime.fromisoformat(text).astimezone()
    except (ValueError, OverflowError):
        raise UsageError(
            f"{word} {text or '…'}: a time is 90s, 30m, 2h, 7d or 2026-11-24T12:30"
        ) from None
    return at.isoformat()


def is_about_tenant(entry: DescribedAction) -> bool:
    """Whether the tenant in the prompt is meant if a line names none."""
    return entry.access in TENANT_LEVELS or entry.name in ABOUT_TENANT


def _is_named(word: str, entry: DescribedAction) -> bool:
    """Whether it is name=value of this action; a reason may have an equals sign in it."""
    head, equals, _ = word.partition("=")
    name = head.rstrip(":").removesuffix("[]").partition(".")[0]
    return bool(equals) and (
        name in entry.properties or re.fullmatch(r"[a-z_.]+:?", head) is not None
    )


def _named(word: str, entry: DescribedAction) -> tuple[str, Any]:
    name, _, text = word.partition("=")
    if name.endswith(":"):
        return name[:-1], _json_of(text, name[:-1])
    top = name.removesuffix("[]").partition(".")[0]
    if top not in entry.properties:
        known = ", ".join(entry.properties) or "none"
        raise UsageError(f"{entry.name} has no param {top!r}; there are {known}")
    return name, value_of(entry, name, text)


def _json_of(text: str, name: str) -> Any:
    if not text.startswith("@"):
        return read_json(text, f"{name}:={text!r}")
    try:
        return read_json(Path(text[1:]).read_text(encoding="utf-8"), text[1:])
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{text[1:]} cannot be read: {error}") from None


def _placed(
    word: str, slots: list[Slot], entry: DescribedAction, alias: Alias | None
) -> dict[str, str]:
    """Return what a word at the next slot gives, by names; takes the slot."""
    if not slots:
        raise UsageError(f"{word!r} is too much: {usage(entry, alias)}")
    return _values(word, slots.pop(0), entry, alias)


def _values(word: str, slot: Slot, entry: DescribedAction, alias: Alias | None) -> dict[str, str]:
    first, at, second = slot.name.partition("@")
    if not at:
        return {slot.name: word}
    name, found, version = word.rpartition("@")
    if not found or not version.isdecimal():
        raise UsageError(
            f"{word!r} names no version, such as contacts.add@2: {usage(entry, alias)}"
        )
    return {first: name, second: version}


def _require(
    entry: DescribedAction,
    alias: Alias | None,
    params: Mapping[str, Any],
    given: Mapping[str, str],
    here: str | None,
) -> None:
    """Raise UsageError if a required value is missing: it costs no request to say so."""
    found_out = {slot.name for slot in slots_of(alias) if slot.optional}
    missing = [name for name in entry.required if name not in {*params, *found_out}]
    wants_tenant = alias is not None and any(
        slot.name == TENANT and not slot.optional for slot in alias.slots
    )
    if wants_tenant and TENANT not in given and here is None:
        missing.insert(0, "a tenant (or `use` one)")
    if missing:
        raise UsageError(f"{', '.join(missing)} missing: {usage(entry, alias)}")


def _tenant(entry: DescribedAction, given: str | None, here: str | None) -> str | None:
    if given is not None:
        return None if given == NO_TENANT else given
    return here if is_about_tenant(entry) else None


def usage(entry: DescribedAction, alias: Alias | None) -> str:
    """The form of a line, in one line."""
    if alias is None:
        required = " ".join(f"{name}=…" for name in entry.required)
        return f"{entry.name} [TENANT] {required}".rstrip()
    placed = {part for slot in alias.slots for part in slot.name.split("@")}
    tops = {each.partition(".")[0] for each in placed} | set(alias.fixed)
    others = (f"{name}=…" for name in entry.required if name not in tops)
    return " ".join([alias.usage, *others])


def _schema_at(entry: DescribedAction, name: str) -> Mapping[str, Any]:
    """Return the schema at a dotted name; empty where there is none, as within a patch."""
    top, *way = name.removesuffix("[]").split(".")
    schema: Mapping[str, Any] = entry.properties.get(top, {})
    for step in way:
        schema = schema.get("properties", {}).get(step, {})
    if name.endswith("[]"):
        schema = schema.get("items", {})
    return schema


def _choice(name: str, text: str, choices: Sequence[Any]) -> Any:
    """Return the choice that is meant: `under-dev` is `under dev`."""
    by_text = {str(each): each for each in choices}
    by_text |= {str(each).replace(" ", "-"): each for each in choices}
    if text not in by_text:
        raise UsageError(f"{name} is one of {', '.join(map(str, choices))}, not {text!r}")
    return by_text[text]


def _json_or_text(text: str) -> Any:
    try:
        return read_json(text, "")
    except UsageError:
        return text
