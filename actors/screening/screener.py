"""The screener: which rules a text of a kind matches, and what that means for its field."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import cache
from typing import Final, NamedTuple

import re2
import structlog

from actors.errors import IndexProblem, SettingsError
from actors.screening.libinjection import SUSPECT, Findings, Libinjection, load
from actors.screening.rules import KINDS, ScreeningRule, built_in_rules, options
from actors.screening.variants import BEYOND_LATIN, DISGUISES, HIDDEN, variants_of

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


_ANCHORED: Final = re.compile(r"\\[AzQ]|\(\?[a-zA-Z]*-[a-zA-Z]*m")
"""In a pattern that looks for the ends of a text, and would take several texts for one."""


_HIDDEN: Final = re2.Set.SearchSet()
_HIDDEN.Add(HIDDEN)
_HIDDEN.Compile()


class _Set(NamedTuple):
    patterns: re2.Set
    together: re2.Set | None
    """The same for texts of one line, each in a line of its own: no match crosses a line break.

    After the rules come a pattern of what makes a text one to look at by itself, then BEYOND_LATIN, and then
    SUSPECT if there is a library. None if one of the rules cannot be read so.
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
        self._sets = {
            kind: _compiled(kind, rules, has_library=library is not None) for kind in KINDS
        }
        self.engines = (f"re2, {len(rules)} rules", about)
        """The engines in words."""

    @property
    def names(self) -> list[str]:
        """Names of the engines."""
        return ["re2"] if self._library is None else ["re2", "libinjection"]

    def is_harmless(self, kind: str, texts: Sequence[str]) -> bool:
        """Return True if none of these texts of a kind breaks a rule, by one look at all of them.

        False is no verdict: each must be looked at by itself.
        """
        _, together, rules = self._sets[kind]
        joined = "\n".join(texts)
        if together is None or joined.count("\n") != len(texts) - 1:
            return False
        try:
            content = joined.encode()
        except UnicodeEncodeError:  # a lone surrogate
            return False
        found = together.Match(content)
        if found is None:
            return True
        at, library = len(rules), self._library  # the number of the first pattern that is no rule's
        if min(found) <= at or (at + 1 in found and _HIDDEN.Match(content)):
            return False
        return at + 2 not in found or library is None or not library.is_in_a_line(content)

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


def _by_library(findings: Findings) -> list[ScreeningRule]:
    engines = ((findings.sql, SQL_ENGINE), (findings.script, SCRIPT_ENGINE))
    return [rule for is_found, rule in engines if is_found]


def _compiled(kind: str, rules: tuple[ScreeningRule, ...], *, has_library: bool) -> _Set:
    chosen = (*(rule for rule in rules if kind in rule.kinds), SENTINEL)
    patterns = [rule.pattern for rule in chosen]
    together = None
    if not any(_ANCHORED.search(each) for each in patterns):
        apart = f"(?-i:{_FOREIGN[kind].pattern}|{DISGUISES})"
        beyond = f"(?-i:{BEYOND_LATIN})"
        lines = [f"(?m){each}" for each in patterns]
        special = (apart, beyond, SUSPECT) if has_library else (apart, beyond)
        together = _set_of([*lines, *special], kind, by_line=True)
    return _Set(_set_of(patterns, kind), together, chosen)


def _set_of(patterns: Sequence[str], kind: str, *, by_line: bool = False) -> re2.Set:
    read_as = options()
    read_as.never_nl = by_line
    made = re2.Set.SearchSet(read_as)
    numbers = {pattern: made.Add(pattern) for pattern in patterns}
    sentinel = f"(?m){SENTINEL.pattern}" if by_line else SENTINEL.pattern
    try:
        made.Compile()
        is_whole = numbers[sentinel] in (made.Match(SELF_TEST.encode()) or ())
    except re2.error:
        is_whole = False
    if not is_whole:
        raise IndexProblem(
            f"the screening rules for fields of kind {kind} need more memory than a set of patterns has, and "
            "would find nothing: shorten the bounded repeats of the index's own rules"
        )
    return made


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
