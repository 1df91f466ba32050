"""Completion where there is much of everything: what is asked of the server, and how much of it."""

from __future__ import annotations

import asyncio
from bisect import bisect_right
from collections.abc import Mapping
from typing import Any, cast

import pytest

from scripts.cli.console.completion import MOST, Words
from scripts.cli.console.shell import Shell
from scripts.cli.describe import before
from scripts.cli.entry import DescribedAction

TENANTS = sorted([f"t{number}" for number in range(10_000)] + ["ac", "acme", "a-z", "b", "z9"])
FUNCTIONS = [f"group{number // 20}.act{number % 20:02}" for number in range(1_000)]


class Server:
    """Answers as a server with ten thousand tenants and a thousand functions, and keeps what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, Mapping[str, Any]]] = []

    async def call(self, action: str, params: Mapping[str, Any]) -> dict[str, Any]:
        """One page, as large as it was asked for."""
        self.asked.append((action, params))
        limit = params["limit"]
        if action == "tenants.list":
            at = bisect_right(TENANTS, params["after"])
            return {"tenants": [{"name": name} for name in TENANTS[at : at + limit]]}
        found = [name for name in FUNCTIONS if name.startswith(params["prefix"])][:limit]
        return {"functions": [{"name": name, "states": {"1": "release"}} for name in found]}


class Catalog:
    """Has every action that completion asks for."""

    async def find(self, name: str) -> DescribedAction:
        """Any."""
        params = {"properties": {"function": {"type": "string"}, "why": {"type": "string"}}}
        return DescribedAction(name, "", "owner", None, "admin", "read", params)

    async def all(self) -> dict[str, DescribedAction]:
        """A thousand actions of tenants."""
        return {name: await self.find(name) for name in FUNCTIONS}


class Desk:
    """The parts of a shell that completion uses."""

    def __init__(self) -> None:
        self.connection = Server()
        self.catalog = Catalog()
        self.traces: dict[str, None] = {}
        self.lookup = Shell.lookup.__get__(self)


def candidates(line: str) -> tuple[list[str], list[tuple[str, Mapping[str, Any]]]]:
    """What may stand at the end of a line, and what was asked for it."""
    desk = Desk()
    *words, current = line.split(" ")
    found = asyncio.run(Words(cast("Shell", desk)).candidates(words, current))
    return found, desk.connection.asked


@pytest.mark.parametrize(
    ("typed", "first"),
    [("ac", ["ac", "acme"]), ("a", ["a-z", "ac", "acme"]), ("t777", ["t777", "t7770"]), ("q", [])],
)
def test_of_ten_thousand_tenants_a_page_is_asked_for(typed: str, first: list[str]) -> None:
    found, asked = candidates(f"owners {typed}")
    assert found[: len(first)] == first
    assert all(each.startswith((typed, "function", "why")) for each in found)
    assert [(action, params["limit"]) for action, params in asked] == [("tenants.list", MOST)]


def test_of_a_thousand_functions_a_page_is_asked_for() -> None:
    found, asked = candidates("move group7.act1")
    assert found[0] == "group7.act10@"
    assert len(asked) == 1
    assert asked[0][1] == {"prefix": "group7.act1", "limit": MOST}


@pytest.mark.parametrize("prefix", ["", "a", "acme", "t9", "z9", "-"])
def test_a_page_after_the_name_before_a_prefix_begins_with_the_prefix(prefix: str) -> None:
    later = TENANTS[bisect_right(TENANTS, before(prefix)) :]
    wanted = [name for name in TENANTS if name.startswith(prefix)]
    assert later[: len(wanted)] == wanted
