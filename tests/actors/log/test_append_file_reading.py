"""Volumes: a file read from its end, in pieces of bounded size."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.log.append_file import (
    BLOCK_BYTES,
    LINE_BYTES,
    LogFile,
    display_path,
    month_file_name,
    month_files,
)
from actors.log.audit.chain import offset_of
from tests.actors.log.records import DECEMBER, NOVEMBER, write


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of a file that tests write as they like."""
    return tmp_path_factory.mktemp("audit") / "2026-11.jsonl"


def backwards(path: Path) -> list[bytes]:
    """Every line, from the last one on."""
    with LogFile(path) as volume:
        return list(volume.backwards(volume.size))


LINES = st.lists(st.sampled_from([1, 2, 500, BLOCK_BYTES - 1, BLOCK_BYTES, 3]), max_size=8)


@given(sizes=LINES, rest=st.sampled_from([0, 1, 700]))
def test_lines_come_from_the_last_to_the_first(path: Path, sizes: list[int], rest: int) -> None:
    """Wherever the blocks they are read in happen to end; the last may want its break."""
    lines = [bytes([97 + at]) * (size - 1) + b"\n" for at, size in enumerate(sizes)]
    lines += [b"z" * rest] if rest else []
    path.write_bytes(b"".join(lines))

    assert backwards(path) == lines[::-1]


def test_what_is_longer_than_any_record_comes_in_pieces(path: Path) -> None:
    """So that a file of anything fits into memory; nothing of it is left out."""
    content = b"first\n" + b"x" * 10 * BLOCK_BYTES + b"\nlast\n"
    path.write_bytes(content)

    pieces = backwards(path)

    assert b"".join(reversed(pieces)) == content
    assert max(map(len, pieces)) <= LINE_BYTES + BLOCK_BYTES
    assert pieces[0] == b"last\n"


def test_a_volume_is_as_long_as_it_was(path: Path) -> None:
    """What is appended meanwhile is another reader's."""
    path.write_bytes(b"one\ntwo\n")
    with LogFile(path) as volume:
        with path.open("ab") as file:
            file.write(b"three\n")

        assert list(volume.backwards(volume.size)) == [b"two\n", b"one\n"]


def test_records_are_found_by_their_numbers(tmp_path: Path) -> None:
    """Each, and the places before the first and behind the last."""
    lines = write(tmp_path / "audit", *[NOVEMBER] * 50)
    with LogFile(tmp_path / "audit" / "2026-11.jsonl") as volume:
        for seq in range(1, 52):
            assert offset_of(volume, seq) == sum(map(len, lines[: seq - 1]))
        assert offset_of(volume, 10**9) == volume.size


def test_volumes_are_told_from_other_files_by_their_names(tmp_path: Path) -> None:
    """In the order of their months."""
    for name in ("2027-01.jsonl", "2026-12.jsonl", "2026-12.torn", "x2026-12.jsonl", "2026.jsonl"):
        (tmp_path / name).touch()

    assert [path.name for path in month_files(tmp_path)] == ["2026-12.jsonl", "2027-01.jsonl"]


def test_a_volume_has_the_name_of_its_month() -> None:
    """In UTC, and without the path to the server's data where people see it."""
    assert (month_file_name(NOVEMBER), month_file_name(DECEMBER)) == (
        "2026-11.jsonl",
        "2026-12.jsonl",
    )
    assert display_path(Path("/srv/data/audit/2026-11.jsonl")) == "audit/2026-11.jsonl"
