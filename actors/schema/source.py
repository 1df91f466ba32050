"""Reads a TOML file with the line of each of its keys, so that a problem names its line.

Nearest names, so that a message about a misspelt name says what was probably meant.
"""

from __future__ import annotations

import difflib
import json
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from actors.errors import IndexProblem
from transport.fit import fit_text, inert
from transport.validation import LARGEST_INT, SMALLEST_INT

Key = tuple[str | int, ...]
"""Position of a value: names of tables and keys; numbers count from 0 within an array."""

MOST_DEPTH = 40
"""Most levels of tables and arrays: a reply that describes them must hold them all."""

MOST_TEXT = 1024 * 1024
"""Most characters of one string; a reply shows many strings."""

_BARE = re.compile(r"[A-Za-z0-9_-]+\Z")
_LINE = re.compile(r"at line (\d+)")
_LONG_NUMBER = re.compile(r"[0-9_]{4000}")

_TOKEN = re.compile(
    r"""
    \"{3}(?:[^"\\]|\\.|"{1,2}(?!"))*+"{3,5}   # text of several lines
    | '{3}(?:[^']|'{1,2}(?!'))*+'{3,5}
    | "(?:[^"\\\n]|\\.)*+" | '[^'\n]*+'       # text of one line
    | \#[^\n]*                                  # a comment
    | [^"'\#\[\]{}\n]++
    | .                                         # a bracket, a line break
    """,
    re.VERBOSE | re.DOTALL,
)
"""The tokens of valid TOML, as far as they decide where a statement ends."""


class SourceProblem(NamedTuple):
    """One problem of a file."""

    key: Key
    problem: str
    """What is wrong and what to do about it."""


class Source(NamedTuple):
    """A TOML file that was read and parsed."""

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
    if text.startswith("\ufeff"):
        raise IndexProblem(
            f"{path}: begins with a byte order mark: save it as UTF-8 without one (without BOM)"
        )
    return parse_source(path, text)


def parse_source(path: Path, text: str) -> Source:
    """Parse a text as if the file held it; IndexProblem if it is not TOML, or fits no reply."""
    try:
        source = Source(path, text, tomllib.loads(text))
    except (ValueError, RecursionError) as error:  # the former also of a number of 5,000 digits
        raise IndexProblem(_syntax(path, text, error)) from error
    findings = list(unsendable(source.values))
    if findings:
        raise index_problem(source, findings)
    return source


def unsendable(values: Any) -> Iterator[SourceProblem]:
    """Return why a value of TOML or JSON cannot be sent in a reply: replies show the file."""
    ahead: list[tuple[Key, Any]] = [((), values)]
    while ahead:
        key, value = ahead.pop()
        if isinstance(value, dict | list) and len(key) >= MOST_DEPTH:
            yield SourceProblem(key, f"nested deeper than {MOST_DEPTH} levels")
        elif isinstance(value, dict):
            ahead += (((*key, name), inner) for name, inner in value.items())
            yield from (
                SourceProblem((*key, name), "a NUL in its name") for name in value if "\0" in name
            )
        elif isinstance(value, list):
            ahead += (((*key, at), inner) for at, inner in enumerate(value))
        elif problem := _unfit(value):
            yield SourceProblem(key, problem)


def _unfit(value: Any) -> str | None:
    if isinstance(value, str):
        if "\0" in value:
            return "holds a NUL, which no reply can hold"
        if len(value) > MOST_TEXT:
            return f"has {len(value)} characters, of at most {MOST_TEXT}"
        return None if fit_text(value) == value else "holds half of a surrogate pair"
    if isinstance(value, int) and not SMALLEST_INT <= value <= LARGEST_INT:
        return f"is outside of 64 bits: from {SMALLEST_INT} to {LARGEST_INT}"
    return None


def index_problem(source: Source, findings: list[SourceProblem]) -> IndexProblem:
    """Return one error for all findings of a file, each with file, line and key, in the file's order."""
    lines = line_numbers(source.text)
    placed = sorted(
        (_line(lines, each.key), format_key(each.key), each.problem) for each in findings
    )
    told = (f"{source.path}:{line}: {key}: {problem}" for line, key, problem in placed)
    return IndexProblem(inert("\n".join(told)))


def format_key(key: Key) -> str:
    """Return a key as written in TOML, such as `actions."contacts.add".versions[0].state`."""
    words = "".join(f"[{part}]" if isinstance(part, int) else f".{_quoted(part)}" for part in key)
    return words.removeprefix(".") or "the file"


def line_numbers(text: str) -> dict[Key, int]:
    """Return the line, counted from 1, on which each key of a valid TOML text is first written."""
    found: dict[Key, int] = {}
    arrays: dict[Key, int] = {}
    table: Key = ()
    for line, statement in statements(text):
        parsed = tomllib.loads(statement)
        if is_header(statement):
            table = _enter(parsed, arrays)
            _note(found, table, line)
        else:
            _note_all(found, table, parsed, line)
    return found


def statements(text: str) -> Iterator[tuple[int, str]]:
    """Yield each statement of a valid TOML text, with the number of its first line."""
    begin, line, depth = 0, 1, 0
    for token in _TOKEN.finditer(text):
        sign = token[0]
        if sign == "\n" and depth == 0:
            statement = text[begin : token.end()]
            yield line, statement
            line += statement.count("\n")
            begin = token.end()
        else:
            depth += (sign in ("[", "{")) - (sign in ("]", "}"))
    if begin < len(text):
        yield line, text[begin:]


def is_header(statement: str) -> bool:
    """Return whether the statement opens a table, or one of an array of tables."""
    return statement.lstrip().startswith("[")


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
    for length in range(1, min(len(key), MOST_DEPTH) + 1):
        found.setdefault(key[:length], line)


def _note_all(found: dict[Key, int], key: Key, value: Any, line: int) -> None:
    """Everything inside one statement stands on the line where the statement begins."""
    _note(found, key, line)
    if len(key) >= MOST_DEPTH:
        return
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
    return part if _BARE.match(part) else json.dumps(part, ensure_ascii=not part.isprintable())


def _syntax(path: Path, text: str, error: Exception) -> str:
    lines = text.split("\n")
    problem = str(error)
    if match := _LINE.search(problem):
        line = int(match[1])
    elif isinstance(error, tomllib.TOMLDecodeError):
        line = len(lines)
    elif isinstance(error, RecursionError):
        problem = f"nested deeper than {MOST_DEPTH} levels"
        line = max(range(len(lines)), key=lambda at: len(re.findall(r"[\[{]", lines[at]))) + 1
    else:
        problem = f"a number is outside of 64 bits ({problem.partition(';')[0]})"
        line = next((at for at, each in enumerate(lines, 1) if _LONG_NUMBER.search(each)), 1)
    written = lines[line - 1].strip()[:80] or "end of file"
    return inert(f"{path}:{line}: {written}: not TOML: {problem}")


LONGEST = 64
"""Characters of a name that are compared: difflib is quadratic, and the name may come from outside."""


def closest(name: str, known: Iterable[str], n: int = 3) -> list[str]:
    """Return at most `n` of the known names, those most like this one first."""
    return difflib.get_close_matches(name[:LONGEST], sorted(known), n)


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return `; did you mean x?`, or an empty string if no known name is close."""
    found = closest(name, known, n=1)
    return f"; did you mean {found[0]}?" if found else ""
