"""The journal: what is kept where there is no room for all."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import NoReturn

import pytest

from actors.connectors.engine import journal as module
from actors.connectors.engine.journal import CallJournal
from actors.messages import FindCalls
from tests.actors.connectors.calls import call

TEXT = "x" * 2000


def test_where_the_file_is_full_the_oldest_make_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a real file that may have 200 pages: the newest calls are there, and none of them is doubled."""
    monkeypatch.setattr(module, "MAX_PAGES", 200)
    path = tmp_path / "echo.db"

    async def main() -> None:
        journal = CallJournal(path)
        for number in range(20):
            for _ in range(20):
                each = call("acme", text=f"{number} {TEXT}")
                each.schemas = ({}, {})
                each.succeed({})
                journal.record(each)
            found = await journal.find(FindCalls(None, 100, asyncio.Future()))
            said = [row["inner_request"]["text"].partition(" ")[0] for row in found]
            assert said[:20] == [str(number)] * 20
        assert len({row["id"] for row in found}) == len(found)
        assert len(found) < 400
        await journal.close()

    asyncio.run(main())
    assert path.stat().st_size <= 200 * 4096


def test_a_call_that_cannot_be_told_is_lost_alone(tmp_path: Path) -> None:
    """Others that are written together with it are kept."""

    class Odd(dict[str, str]):
        def items(self) -> NoReturn:
            raise RuntimeError

    async def main() -> None:
        journal = CallJournal(tmp_path / "echo.db")
        for params in ({"text": "first"}, Odd(text="odd"), {"text": "last"}):
            each = call("acme")
            each.schemas = ({}, {})
            each.request = each.request._replace(params=params)
            each.succeed({})
            journal.record(each)
        found = await journal.find(FindCalls(None, 100, asyncio.Future()))
        assert [row["inner_request"]["text"] for row in found] == ["last", "first"]
        await journal.close()

    asyncio.run(main())
