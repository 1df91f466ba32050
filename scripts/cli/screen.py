"""The command line of scripts/screen: what the screening of input makes of a text, or of sets of texts."""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, NamedTuple

from actors.host.program import as_typed, command

if TYPE_CHECKING:
    from actors.screening.screener import Screener

KINDS = ("token", "line", "text")

FOUND = 1

SHORT = 200
"""Characters of a short text; the table counts longer ones apart."""

EXAMPLES = """\
examples:
  scripts/screen "1' or 1=1 --"                 variants, rules and verdict of one text
  scripts/screen --kind text "I'm in: 1 < 2"    as a field of prose
  scripts/screen --corpora DIR                  how many texts of each set are rejected
  scripts/screen --corpora DIR --prove          that none does harm to the desk's database without screening

A set is a file NAME.jsonl with one JSON string a line. docs/screening.md says what the kinds are.

exit status: 0 all pass, 1 at least one is rejected (with --prove: does harm), 2 wrong usage
"""


class CorpusFigures(NamedTuple):
    """One set's figures."""

    name: str
    texts: int
    rejected: int
    by_patterns: int
    by_library: int


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit status."""
    parser = make_parser()
    given = parser.parse_args(arguments)
    if bool(given.corpora) == bool(given.texts):
        parser.error("give texts, or --corpora DIR")
    if given.prove and given.corpora is None:
        parser.error("--prove needs --corpora DIR")
    if given.prove:
        return show_proof(given.corpora, given.every)
    # The arguments are read by now: this compiles the rules.
    from actors.screening.screener import built_in_screener

    screener = built_in_screener()
    for engine in screener.engines:
        print(f"engine: {engine}")
    if given.corpora is not None:
        return show_table(screener, given.corpora, given.kind)
    return max(show(screener, text, given.kind) for text in given.texts)


def show(screener: Screener, text: str, kind: str) -> int:
    """Print what becomes of one text; return the exit status."""
    from actors.screening.variants import variants_of

    for number, variant in enumerate(variants_of(text).texts):
        print(f"{'variant' if number else 'text'}: {variant!a}")
    found = screener.find(text, kind)
    for rule in found:
        print(f"rule: {rule.id} ({rule.attack}, {rule.state})")
    is_rejected = any(rule.state == "block" for rule in found)
    print(f"verdict: {'rejected' if is_rejected else 'passes'} as {kind}")
    return FOUND if is_rejected else 0


def show_table(screener: Screener, folder: Path, kind: str) -> int:
    """Print how much of each set is rejected, and by which engine; return the exit status."""
    print(f"kind: {kind}, texts of at most {SHORT} characters")
    print(f"{'set':<28}{'texts':>8}{'rejected':>10}{'%':>9}{'re2 %':>9}{'library %':>11}")
    total = 0
    for tally in tallies(screener, folder, kind):
        total += tally.rejected
        shares = [
            f"{100 * part / max(1, tally.texts):.3f}"
            for part in (tally.rejected, tally.by_patterns, tally.by_library)
        ]
        print(
            f"{tally.name:<28}{tally.texts:>8}{tally.rejected:>10}{shares[0]:>9}{shares[1]:>9}{shares[2]:>11}"
        )
    return FOUND if total else 0


def show_proof(folder: Path, every: int) -> int:
    """Print what became of the texts in each field of the desk's actions; return the exit status."""
    from scripts.endurance.proof import prove

    found = (text for file in sorted(folder.glob("*.jsonl")) for text in texts_of(file))
    texts = list(dict.fromkeys(found))[::every]
    problems = []
    print(f"{len(texts)} texts, without screening")
    print(f"{'field':<34}{'stored as sent':>16}  replies")
    with TemporaryDirectory(prefix="tenantry-") as data:
        for outcome in prove(Path(data), texts, lambda _: None):
            replies = ", ".join(f"{count} {code}" for code, count in outcome.codes.most_common())
            field = f"{outcome.probe.action} {outcome.probe.field}"
            print(f"{field:<34}{outcome.stored:>16}  {replies}", flush=True)
            problems += outcome.problems
    for problem in problems:
        print(f"problem: {problem}")
    print(f"verdict: {len(problems)} problems" if problems else "verdict: nothing else changed")
    return FOUND if problems else 0


def texts_of(file: Path) -> list[str]:
    """Return the texts of a set."""
    return [json.loads(line) for line in file.read_text(encoding="utf-8").split("\n") if line]


def tallies(screener: Screener, folder: Path, kind: str) -> Iterator[CorpusFigures]:
    """Yield the figures of each set in a folder, by name."""
    for file in sorted(folder.glob("*.jsonl")):
        texts = [text for text in texts_of(file) if len(text) <= SHORT]
        counts: Counter[str] = Counter()
        for text in texts:
            counts.update(engines_that_reject(screener, text, kind))
        yield CorpusFigures(file.stem, len(texts), counts["any"], counts["re2"], counts["library"])


def engines_that_reject(screener: Screener, text: str, kind: str) -> set[str]:
    """Return which of `re2` and `library` reject a text, and `any` if one does."""
    blocking = [rule for rule in screener.find(text, kind) if rule.state == "block"]
    by = {"library" if rule.id.startswith("libinjection") else "re2" for rule in blocking}
    return by | {"any"} if by else by


def make_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(
        prog=command("screen"),
        description="Show what the screening of input makes of a text.",
        epilog=as_typed(EXAMPLES),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("texts", nargs="*", metavar="TEXT", help="as it would come in a field")
    parser.add_argument("--kind", choices=KINDS, default="line", help="of the field (line)")
    parser.add_argument("--corpora", type=Path, metavar="DIR", help="a folder of sets")
    parser.add_argument(
        "--prove", action="store_true", help="send the sets through every field of a served desk"
    )
    parser.add_argument("--every", type=int, default=1, metavar="N", help="each Nth text (1: all)")
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
