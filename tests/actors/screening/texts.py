"""Texts of attackers and of people, and the plain way to screen one: each rule by itself on each variant."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Final

import re2

from actors.screening.libinjection import Libinjection
from actors.screening.rules import ScreeningRule, built_in_rules, options
from actors.screening.screener import (
    CHARACTERS,
    OBFUSCATION,
    SCRIPT_ENGINE,
    SENTINEL,
    SQL_ENGINE,
)
from actors.screening.variants import variants_of

CORPORA: Final = Path(__file__).with_name("corpora")

DISGUISED: Final = ("&ltscript&gt", "＜script＞alert", "%3Cscript%3E", "1 having 1 --")

FOREIGN: Final = {
    "token": "[\\x00-\\x20\\x7f\"'`<>{}|\\\\^;()*&$]",
    "line": r"[\x00-\x08\x0a-\x1f\x7f]",
    "text": r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]",
}

SUSPECT: Final = re.compile(r"['\"`();#=<>*|&\\]|--|@@")


def mixed_texts() -> list[str]:
    """Attacks among texts of people, some of each set, and what a fast look might take for plain."""
    samples = [
        json.loads(line)
        for path in sorted(CORPORA.glob("*.jsonl"))
        for line in path.read_text(encoding="utf-8").split("\n")[:16]
        if line
    ]
    return [
        "",
        "-",
        "--",
        "@@version",
        "North & Sons",
        "O'Brien -- @@ &",
        "Café",
        "1 \u200b",
        "\ud800",
        "two\nlines",
        *DISGUISED,
        *samples,
    ]


class PlainScreener:
    """Every rule tried by itself, as slow as that is: what any faster way must agree with."""

    def __init__(self, library: Libinjection | None) -> None:
        self._library = library
        self._rules = [
            (rule, re2.compile(rule.pattern, options())) for rule in (*built_in_rules(), SENTINEL)
        ]

    def find(self, text: str, kind: str) -> set[ScreeningRule]:
        """Return the rules that a text breaks."""
        if re.search(FOREIGN[kind], text):
            return {CHARACTERS}
        variants = variants_of(text)
        found = {OBFUSCATION} if variants.is_towered else set()
        for variant in variants.texts:
            content = variant.encode("utf-8", "surrogatepass")
            found |= {
                rule
                for rule, pattern in self._rules
                if kind in rule.kinds and pattern.search(content)
            }
            found |= self._by_library(variant, content)
        return found

    def _by_library(self, text: str, content: bytes) -> set[ScreeningRule]:
        if self._library is None or not SUSPECT.search(text, 0, 4096):
            return set()
        sql, script = self._library.find(content)
        return {rule for is_found, rule in ((sql, SQL_ENGINE), (script, SCRIPT_ENGINE)) if is_found}
