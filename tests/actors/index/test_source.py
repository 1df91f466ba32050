"""Lines of keys: a problem is pointed at where its author can see it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from actors.errors import IndexProblem
from actors.index.source import Key, line_numbers, read_source, spelt

TEXT = '''# a comment
top = 1
[actions."contacts.add"]  # another
summary = """
[not.a.header]
not = "a key"
"""
list = [
  "a",
  { b = 1 },
]
[actions."contacts.add".params]
required = ["name"]
properties.name = { type = "string", maxLength = 3 }

[[actions."contacts.add".versions]]
version = 1
[[actions."contacts.add".versions]]
version = 2
[actions."contacts.add".versions.inner]
deep = true
'''


@pytest.mark.parametrize(
    ("key", "line"),
    [
        (("top",), 2),
        (("actions", "contacts.add"), 3),
        (("actions", "contacts.add", "summary"), 4),
        (("actions", "contacts.add", "list", 1, "b"), 8),
        (("actions", "contacts.add", "params"), 12),
        (("actions", "contacts.add", "params", "properties", "name", "maxLength"), 14),
        (("actions", "contacts.add", "versions", 0, "version"), 17),
        (("actions", "contacts.add", "versions", 1, "version"), 19),
        (("actions", "contacts.add", "versions", 1, "inner", "deep"), 21),
    ],
)
def test_a_key_has_the_line_on_which_its_statement_begins(key: Key, line: int) -> None:
    assert line_numbers(TEXT)[key] == line


def every_key(value: Any, key: Key = ()) -> list[Key]:
    pairs = value.items() if isinstance(value, dict) else enumerate(value)
    found: list[Key] = []
    for name, inner in pairs:
        found.append((*key, name))
        if isinstance(inner, dict | list):
            found += every_key(inner, (*key, name))
    return found


def test_every_key_of_the_index_of_this_repository_has_a_line() -> None:
    """And the last word of each, where it is a word, stands on that line or the statement's next."""
    source = read_source(Path(__file__).parents[3] / "registry.toml")
    lines = line_numbers(source.text)
    written = source.text.split("\n")
    for key in every_key(source.values):
        word = key[-1]
        assert key in lines
        assert isinstance(word, int) or any(
            str(word) in line for line in written[lines[key] - 1 : lines[key] + 9]
        )


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (b"a = 1\nb = = 2\n", r":2: b = = 2: not TOML: "),
        (b"a = 1\na = 2\n", r":2: a = 2: not TOML: "),
        (b"a = [1,\n", r":2: end of file: not TOML: "),
        (b"a = '\xff'", r"byte 5 is not UTF-8"),
        (b"a = " + b"[" * 5000, r"not TOML"),
    ],
)
def test_what_is_not_toml_is_refused_with_its_line(text: bytes, says: str, tmp_path: Path) -> None:
    file = tmp_path / "index.toml"
    file.write_bytes(text)
    with pytest.raises(IndexProblem, match=says):
        read_source(file)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(IndexProblem, match=r"none\.toml: cannot be read: No such file"):
        read_source(tmp_path / "none.toml")


def test_keys_are_spelt_as_in_toml() -> None:
    assert spelt(("actions", "a.b", "versions", 0, "state")) == 'actions."a.b".versions[0].state'
