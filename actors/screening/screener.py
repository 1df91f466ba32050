"""The screener: which rules a text of a kind matches, and what that means for its field."""

from __future__ import annotations

import re
import string
from collections.abc import Iterable, Sequence
from functools import cache
from typing import Final, NamedTuple

import re2
import structlog

from actors.errors import IndexProblem, SettingsError
from actors.screening.libinjection import Findings, Libinjection, load
from actors.screening.rules import KINDS, ScreeningRule, built_in_rules, options
from actors.screening.variants import is_disguised, variants_of

log = structlog.get_logger()

OBFUSCATION: Final = ScreeningRule("escapes", "obfuscation", KINDS, "block", "")
SQL_ENGINE: Final = ScreeningRule("libinjection-sql", "sql injection", KINDS, "block", "")
SCRIPT_ENGINE: Final = ScreeningRule("libinjection-script", "script injection", KINDS, "block", "")
CHARACTERS: Final = ScreeningRule("characters", "characters", KINDS, "block", "")

SELF_TEST: Final = "a" * 65536 + " 1' UNION SELECT 1, 2 -- self-test"
"""An attack behind filler: RE2 reports it as no match when it runs out of memory."""

SENTINEL: Final = ScreeningRule(
    "self-test", "sql injection", KINDS, "block", "union select 1, 2 -- self-test$"
)

_FOREIGN: Final = {
    "token": re.compile(r"[\x00-\x20\x7f\"'`<>{}|\\^;()*&$]"),
    "line": re.compile(r"[\x00-\x08\x0a-\x1f\x7f]"),
    "text": re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]"),
}
"""What a field of each kind cannot hold."""


_LETTERS: Final = (string.ascii_letters + string.digits + "@.,:!?+-_/").encode() + bytes(
    range(0x80, 0x100)
)

_PLAIN: Final = {
    "token": _LETTERS,
    "line": _LETTERS + b" ",
    "text": _LETTERS + b" ",
}
"""Bytes of texts of each kind that are plain, unless two of the same mark stand together."""

_ANCHORED: Final = re.compile(r"\\[AzQ]|\(\?[a-zA-Z]*-[a-zA-Z]*m")
"""In a pattern that looks for the ends of a text, and would take several texts for one."""


class _Set(NamedTuple):
    patterns: re2.Set
    by_line: re2.Set | None
    """The same, with `^` and `$` at each line: it matches texts in lines if it matches one of them.

    None if one of the patterns cannot be read so.
    """
    rules: tuple[ScreeningRule, ...]


class Text(NamedTuple):
    """One string of a message."""

    place: tuple[str | int, ...]
    """Names and positions on the way to it."""
    text: str
    kind: str
    """One of KINDS: what its field may hold."""


class Screener:
    """Rules and engines of one index, compiled. It has no state; any thread may use it."""

    def __init__(
        self, rules: Iterable[ScreeningRule], library: Libinjection | None, about: str
    ) -> None:
        """IndexProblem if the patterns together need more memory than a set has."""
        rules = tuple(rules)
        self._library = library
        self._sets = {kind: _compiled(kind, rules) for kind in KINDS}
        self.engines = (f"re2, {len(rules)} rules", about)
        """The engines in words."""

    @property
    def names(self) -> list[str]:
        """Names of the engines."""
        return ["re2"] if self._library is None else ["re2", "libinjection"]

    def is_harmless(self, kind: str, texts: Sequence[str]) -> bool:
        """Return True if none of these texts of a kind breaks a rule: by one look at all, or one at each.

        False is no verdict.
        """
        patterns, by_line, _ = self._sets[kind]
        together = "\n".join(texts)
        content = together.encode("utf-8", "surrogatepass")
        if by_line is None or (not content.isascii() and is_disguised(together)):
            return False
        if not _is_plain(kind, content, len(texts) - 1) and (
            is_disguised(together) or not self._is_unsuspected(kind, texts)
        ):
            return False
        if by_line.Match(content) is None:
            return True
        # A line break between two texts may be part of what matches: `to` in a new line begins a header, and
        # Tony's address. Each text has no variant but itself, and nothing of it is left to other engines.
        return not any(patterns.Match(each.encode("utf-8", "surrogatepass")) for each in texts)

    def _is_unsuspected(self, kind: str, texts: Sequence[str]) -> bool:
        """Return whether a field of the kind may hold each character, and the library finds nothing."""
        foreign, library = _FOREIGN[kind], self._library
        if foreign.search("".join(texts)) is not None:
            return False
        if library is None:
            return True
        return not any(
            _by_library(library.find(text.encode("utf-8", "surrogatepass")))
            for text in texts
            if library.suspects(text)
        )

    def find(self, text: str, kind: str) -> list[ScreeningRule]:
        """Return the rules that a text breaks in a field of a kind."""
        if _FOREIGN[kind].search(text) is not None:
            return [CHARACTERS]
        patterns, _, rules = self._sets[kind]
        variants = variants_of(text)
        found = [OBFUSCATION] if variants.is_towered else []
        for variant in variants.texts:
            content = variant.encode("utf-8", "surrogatepass")
            found += [rules[at] for at in patterns.Match(content) or ()]
            if self._library is not None and self._library.suspects(variant):
                found += _by_library(self._library.find(content))
        return found if len(found) < 2 else list(dict.fromkeys(found))


def _is_plain(kind: str, content: bytes, breaks: int) -> bool:
    """Return whether texts joined by so many line breaks have only what needs no look but at the patterns.

    In ASCII such texts have no other variants. Their kind can hold each character, and libinjection would not
    look at them.
    """
    if content.translate(None, _PLAIN[kind]) != b"\n" * breaks:
        return False
    return b"--" not in content and b"@@" not in content


def _by_library(findings: Findings) -> list[ScreeningRule]:
    engines = ((findings.sql, SQL_ENGINE), (findings.script, SCRIPT_ENGINE))
    return [rule for is_found, rule in engines if is_found]


def _compiled(kind: str, rules: tuple[ScreeningRule, ...]) -> _Set:
    chosen = (*(rule for rule in rules if kind in rule.kinds), SENTINEL)
    is_by_line = not any(_ANCHORED.search(rule.pattern) for rule in chosen)
    by_line = _set_of(chosen, kind, "(?m)") if is_by_line else None
    return _Set(_set_of(chosen, kind, ""), by_line, chosen)


def _set_of(rules: tuple[ScreeningRule, ...], kind: str, flags: str) -> re2.Set:
    patterns = re2.Set.SearchSet(options())
    for rule in rules:
        patterns.Add(flags + rule.pattern)
    try:
        patterns.Compile()
        is_whole = rules.index(SENTINEL) in (patterns.Match(SELF_TEST.encode()) or ())
    except re2.error:
        is_whole = False
    if not is_whole:
        raise IndexProblem(
            f"the screening rules for fields of kind {kind} need more memory than a set of patterns has, and "
            "would find nothing: shorten the bounded repeats of the index's own rules"
        )
    return patterns


def prepare_screening(*, required: bool) -> None:
    """Compile the rules, log which engines are on; SettingsError if libinjection is required and absent."""
    engines = built_in_screener().engines
    log.info("screening", engines=engines)
    if required and load()[0] is None:
        raise SettingsError(
            f"TENANTRY_REQUIRE_LIBINJECTION is set, and the library is {engines[1]}: install it "
            "(Debian: libmodsecurity3), or unset it to screen by patterns alone"
        )


@cache
def built_in_screener() -> Screener:
    """Return the screener of the built-in rules, with libinjection if it is on this machine."""
    return Screener(built_in_rules(), *load())
