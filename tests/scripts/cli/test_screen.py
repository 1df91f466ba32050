"""scripts/screen: one text's variants and rules, and the table of sets of texts."""

from __future__ import annotations

from pathlib import Path

import pytest

from scripts.cli.screen import main


def test_a_text_is_shown_with_its_variants_rules_and_verdict(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["%2527 or 1=1--"]) == 1
    out = capsys.readouterr().out
    assert "engine: re2, " in out
    assert "text: '%2527 or 1=1--'\nvariant: '%27 or 1=1--'\nvariant: \"' or 1=1--\"\n" in out
    assert "rule: sql-tautology (sql injection, block)" in out
    assert out.endswith("verdict: rejected as line\n")


def test_a_text_of_a_person_passes(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--kind", "text", "O'Brien's 50% & more"]) == 0
    assert capsys.readouterr().out.endswith("verdict: passes as text\n")


def test_a_table_counts_each_set(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "good.jsonl").write_text('"O\'Brien"\n"a"\n')
    (tmp_path / "bad.jsonl").write_text('"1\' or 1=1--"\n"a"\n')
    assert main(["--corpora", str(tmp_path)]) == 1
    rows = [line.split()[:3] for line in capsys.readouterr().out.splitlines()]
    assert ["bad", "2", "1"] in rows
    assert ["good", "2", "0"] in rows


def test_texts_and_sets_together_are_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main([])
    assert "give texts, or --corpora DIR" in capsys.readouterr().err
