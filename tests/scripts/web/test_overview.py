"""The overview's tile of open circuit breakers: a number if it is known, and of which connectors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from scripts.web.caller import Panel
from scripts.web.pages.overview import UNKNOWN, open_breakers

LISTED = Panel("actors.list", {"actors": [], "total": 2}, "")
SAID, SILENT = {"actor": "connector mail", "open_breakers": 3}, {"actor": "connector webhook"}


@pytest.mark.parametrize(
    ("connectors", "rows", "expected"),
    [
        (
            LISTED._replace(result={"actors": [], "total": 0}),
            [],
            (0, "no connector has been called"),
        ),
        (LISTED, [SAID, {**SAID, "open_breakers": 0}], (3, "connectors' services left alone")),
        (LISTED, [SILENT, SAID], (3, "in 1 of 2 connectors")),
        (LISTED, [SILENT, SILENT], (UNKNOWN, "no connector answered")),
        (
            Panel("actors.list", {}, "unavailable: later"),
            [],
            (UNKNOWN, "connectors cannot be listed"),
        ),
    ],
)
def test_it_is_unknown_only_if_no_connector_has_said_it(
    connectors: Panel, rows: list[Mapping[str, Any]], expected: tuple[int | str, str]
) -> None:
    found = open_breakers(connectors, rows)
    assert found.open == expected[0]
    assert found.words.startswith(expected[1])
