"""Reads typed values from one table of a TOML file and collects what is wrong."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

from actors.schema.source import Key, SourceProblem, did_you_mean


class TomlReader:
    """A table and its position. Every method returns a value, so that all findings are collected."""

    def __init__(self, values: Any, key: Key, findings: list[SourceProblem]) -> None:
        self.key = key
        self._findings = findings
        self._values: dict[str, Any] = values if isinstance(values, dict) else {}
        if not isinstance(values, dict):
            self.note("must be a table")

    def __contains__(self, name: str) -> bool:
        return name in self._values

    def over(self, defaults: dict[str, Any]) -> TomlReader:
        """Return a reader of this table in which keys that it does not state are those of another."""
        return TomlReader({**defaults, **self._values}, self.key, self._findings)

    def note(self, problem: str, *within: str | int) -> None:
        """Collect a finding about this table, or about a key within it."""
        self._findings.append(SourceProblem((*self.key, *within), problem))

    def only(self, *known: str) -> None:
        """Collect a finding for every other key, so that a misspelt one is found."""
        for name in self._values:
            if name not in known:
                self.note(
                    f"unknown key{did_you_mean(name, known) or '; known: ' + ', '.join(known)}",
                    name,
                )

    def text(self, name: str, default: str | None = None) -> str:
        """Return a string; required, and not blank, unless it has a default."""
        value = self._values.get(name, default)
        if isinstance(value, str) and (value.strip() or default is not None):
            return value
        self._wrong(name, "must be a text")
        return default or ""

    def optional_text(self, name: str) -> str | None:
        """Return a string, or None if it is absent."""
        return self.text(name) if name in self._values else None

    def choice(self, name: str, words: Collection[str], default: str | None = None) -> str:
        """Return one of these words; required unless it has a default."""
        value = self._values.get(name, default)
        if isinstance(value, str) and value in words:
            return value
        known = ", ".join(words)
        self._wrong(name, f"must be one of {known}{did_you_mean(str(value), words)}")
        return default or next(iter(words))

    def optional_choice(self, name: str, words: Collection[str]) -> str | None:
        """Return one of these words, or None if it is absent."""
        return self.choice(name, words) if name in self._values else None

    def number(self, name: str) -> int:
        """Return a whole number, at least 1."""
        value = self._values.get(name)
        if isinstance(value, int) and not isinstance(value, bool) and value > 0:
            return value
        self._wrong(name, "must be a whole number from 1 on")
        return 0

    def value(self, name: str, default: Any = None) -> Any:
        """Return what a key holds, unchecked; the default if it is absent."""
        return self._values.get(name, default)

    def texts(self, name: str) -> tuple[str, ...]:
        """Return distinct strings; none if the key is absent."""
        value = self._values.get(name, [])
        if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
            self.note("must be a list of texts", name)
            return ()
        if len(set(value)) < len(value):
            self.note("says something twice", name)
        return tuple(value)

    def choices(self, name: str, words: Collection[str]) -> frozenset[str]:
        """Return some of these words."""
        found = self.texts(name)
        for at, word in enumerate(found):
            if word not in words:
                known = ", ".join(words)
                self.note(f"{word!r} is none of {known}{did_you_mean(word, words)}", name, at)
        return frozenset(found)

    def mapping(self, name: str) -> dict[str, Any]:
        """Return a table within as it is; empty if it is absent."""
        value = self._values.get(name, {})
        if not isinstance(value, dict):
            self.note("must be a table", name)
            return {}
        return value

    def table(self, name: str) -> TomlReader:
        """Return a reader of a table within; empty if it is absent."""
        return TomlReader(self.mapping(name), (*self.key, name), self._findings)

    def tables(self, name: str) -> Iterator[tuple[str, TomlReader]]:
        """Yield each table within a table, such as those of `[actions]`."""
        for each, values in self.mapping(name).items():
            yield each, TomlReader(values, (*self.key, name, each), self._findings)

    def array(self, name: str) -> Iterator[TomlReader]:
        """Yield each table of an array, such as `[[versions]]`."""
        value = self._values.get(name, [])
        if not isinstance(value, list):
            self.note(f"must be an array of tables: write [[{name}]]", name)
            value = []
        for at, values in enumerate(value):
            yield TomlReader(values, (*self.key, name, at), self._findings)

    def _wrong(self, name: str, problem: str) -> None:
        if name in self._values:
            self.note(problem, name)
        else:
            self.note(f"{name} is missing: it {problem}")
