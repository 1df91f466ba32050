"""A TOML file with the line of each of its keys, so that a problem can be pointed at."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from actors.errors import IndexProblem

Key = tuple[str | int, ...]
"""Where a value stands: names of tables and keys; numbers count from 0 within an array."""

_BARE = re.compile(r"[A-Za-z0-9_-]+\Z")
_LINE = re.compile(r"at line (\d+)")


class Finding(NamedTuple):
    """One thing wrong with a file."""

    key: Key
    problem: str
    """What is wrong and what to do about it."""


class Source(NamedTuple):
    """A TOML file that was read and understood."""

    path: Path
    text: str
    values: Mapping[str, Any]


def read_source(path: Path) -> Source:
    """Read a TOML file; IndexProblem if it is not there, not UTF-8 or not TOML."""
    try:
        text = path.read_bytes().decode()
    except OSError as error:
        raise IndexProblem(f"{path}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise IndexProblem(f"{path}: byte {error.start} is not UTF-8; TOML files are") from error
    return parse_source(path, text)


def parse_source(path: Path, text: str) -> Source:
    """What the file would be if it held this text; IndexProblem if that is not TOML."""
    try:
        return Source(path, text, tomllib.loads(text))
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise IndexProblem(_syntax(path, text, str(error))) from error


def refusal(source: Source, findings: list[Finding]) -> IndexProblem:
    """All findings of one file as one error, each with file, line and key, in the file's order."""
    lines = line_numbers(source.text)
    placed = sorted((_line(lines, each.key), spelt(each.key), each.problem) for each in findings)
    return IndexProblem(
        "\n".join(f"{source.path}:{line}: {key}: {problem}" for line, key, problem in placed)
    )


def spelt(key: Key) -> str:
    """A key as one writes it in TOML, such as `actions."contacts.add".versions[0].state`."""
    words = "".join(f"[{part}]" if isinstance(part, int) else f".{_quoted(part)}" for part in key)
    return words.removeprefix(".") or "the file"


def line_numbers(text: str) -> dict[Key, int]:
    """The line, counted from 1, on which each key of a valid TOML text is first written."""
    found: dict[Key, int] = {}
    arrays: dict[Key, int] = {}
    table: Key = ()
    for line, statement in _statements(text):
        parsed = tomllib.loads(statement)
        if statement.lstrip().startswith("["):
            table = _enter(parsed, arrays)
            _note(found, table, line)
        else:
            _note_all(found, table, parsed, line)
    return found


def _statements(text: str) -> Iterator[tuple[int, str]]:
    """Each line, or run of lines, that is a whole TOML statement: the shortest run that parses."""
    statement, start = "", 1
    for number, line in enumerate(text.split("\n"), 1):
        start = start if statement else number
        statement += line + "\n"
        if _parses(statement):
            yield start, statement
            statement = ""


def _parses(statement: str) -> bool:
    try:
        tomllib.loads(statement)
    except tomllib.TOMLDecodeError:
        return False
    return True


def _enter(header: dict[str, Any], arrays: dict[Key, int]) -> Key:
    """The table that a `[header]` or `[[header]]` opens; counts the members of arrays."""
    place: Key = ()
    value: Any = header
    while value:
        name, value = next(iter(value.items()))
        place = (*place, name)
        if isinstance(value, list):
            arrays[place] = arrays.get(place, -1) + 1
            value = value[0]
        if place in arrays:
            place = (*place, arrays[place])
    return place


def _note(found: dict[Key, int], key: Key, line: int) -> None:
    for length in range(1, len(key) + 1):
        found.setdefault(key[:length], line)


def _note_all(found: dict[Key, int], key: Key, value: Any, line: int) -> None:
    """Everything inside one statement stands on the line where the statement begins."""
    _note(found, key, line)
    pairs = value.items() if isinstance(value, dict) else enumerate(value)
    for name, inner in pairs:
        if isinstance(inner, dict | list):
            _note_all(found, (*key, name), inner, line)
        else:
            _note(found, (*key, name), line)


def _line(lines: Mapping[Key, int], key: Key) -> int:
    """The line of a key, or of the nearest table around one that is missing."""
    while key and key not in lines:
        key = key[:-1]
    return lines.get(key, 1)


def _quoted(part: str) -> str:
    return part if _BARE.match(part) else f'"{part}"'


def _syntax(path: Path, text: str, problem: str) -> str:
    lines = text.split("\n")
    match = _LINE.search(problem)
    line = int(match[1]) if match else len(lines)
    return f"{path}:{line}: {lines[line - 1].strip()[:80] or 'end of file'}: not TOML: {problem}"
