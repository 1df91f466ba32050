"""What a developer reads about one function: golden pieces of it, and lines that can be sent."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from actors.guidance.instructions import MOST_TEXT, instructions, truncate
from actors.guidance.tasks import related
from actors.guidance.workplace import find_test, workplace
from actors.index.entries import Action, Index
from actors.index.parser import built_in_index, parse_index, read_index
from scripts.cli.call import make_parser
from scripts.cli.params import read_params
from scripts.codegen.client import stubs

ROOT = Path(__file__).parents[3]
DESK = read_index(ROOT / "registry.toml")

SHOP = """
[shapes.item]
required = ["id"]
properties.id = { type = "integer", minimum = 1, maximum = 9 }

[actions."shop.buy"]
summary = "Buy an item."
access = "owner"
area = "config"
effect = "write"
connectors = ["timer.sleep"]
instructions = "Ask the seller first."
[actions."shop.buy".params]
required = ["what"]
[actions."shop.buy".params.properties.what]
type        = "string"
description = "Name."
minLength   = 1
maxLength   = 9
examples    = ["it's red"]
[actions."shop.buy".params.properties.tags]
type     = "array"
maxItems = 3
items    = { type = "string", maxLength = 5 }
[actions."shop.buy".result]
required = ["item"]
properties.item = { "$ref" = "#/shapes/item" }

[actions."shop.look"]
summary = "Look."
access = "public"
effect = "read"

[actions."stock.count"]
summary = "Count."
access = "member"
effect = "read"
[actions."stock.count".result]
properties.item = { "$ref" = "#/shapes/item" }

[actions."other.thing"]
summary = "Another."
access = "member"
effect = "read"
"""

VERSION = """
[[actions."{name}".versions]]
version = {number}
state   = "{state}"
code    = "{code}"
"""


def version(number: int, state: str, code: str, name: str = "shop.buy", rest: str = "") -> str:
    """A version as the index has it."""
    return VERSION.format(name=name, number=number, state=state, code=code) + rest


def shop(tmp_path: Path, *versions: str) -> Index:
    """An index in a directory of its own."""
    return parse_index(tmp_path / "registry.toml", SHOP + "".join(versions))


def told(index: Index, name: str = "shop.buy", test: str | None = None) -> str:
    """The text, with API in place of what it is given."""
    return instructions(index, index.actions[name], "API", test)


def commands(text: str) -> list[str]:
    """What is to be typed."""
    return re.findall(r"^\$ (scripts/call .*)$", text, flags=re.MULTILINE)


def moves_of(text: str) -> list[tuple[int, str]]:
    """Each move for which there is a command: of which version, and where to."""
    lines = [line for line in commands(text) if "functions.move" in line]
    found = [read_params(shlex.split(line)[4:]) for line in lines]
    return [(each["version"], each["to"]) for each in found]


def test_the_task_is_told(tmp_path: Path) -> None:
    text = told(shop(tmp_path))
    assert text.startswith("# shop.buy\n\nBuy an item.\n\nAsk the seller first.\n")
    assert "- who may call it: the tenant's owners to whom `config` is delegated" in text
    assert "- effect: write: what it wrote is kept when it returns" in text
    assert "- effect: read: what it writes is rolled back" in told(shop(tmp_path), "shop.look")


def test_params_and_result_are_lists_with_limits(tmp_path: Path) -> None:
    text = told(shop(tmp_path))
    assert "- `what`: string. Name. 1 to 9 characters.\n" in text
    assert "- `tags`: array of string, optional. At most 3 items. Each: at most 5" in text
    assert "- `item.id`: integer. 1 to 9.\n" in text
    assert "## Params\n\nNone.\n" in told(shop(tmp_path), "shop.look")


def test_the_example_and_the_reply_to_it_are_told(tmp_path: Path) -> None:
    text = told(shop(tmp_path))
    line = commands(text)[0]
    assert read_params(shlex.split(line)[3:]) == {"what": "it's red"}
    assert '```json\n{"item": {"id": 1}}\n```' in text


def test_connectors_are_told_with_their_params_those_of_the_engine_too(tmp_path: Path) -> None:
    text = told(shop(tmp_path))
    assert '`await ctx.call("timer.sleep", …)`, in an `async def`: Wait a number of seconds' in text
    assert "- `seconds`: number. 0 to 600.\n" in text
    assert "async def buy(ctx: Context, params: ShopBuyParams) -> ShopBuyResult:" in text
    assert "It may call none" in told(shop(tmp_path), "shop.look")


def test_what_has_most_in_common_is_related(tmp_path: Path) -> None:
    index = shop(
        tmp_path,
        version(1, "release", "pay:buy"),
        version(1, "release", "pay:look", "shop.look"),
    )
    assert related(index, index.actions["shop.buy"]) == {
        "shop.look": ["same group", "code in `pay.py`"],
        "stock.count": ["shape `item`"],
    }
    assert "- `stock.count` (shape `item`): Count.\n" in told(index)
    assert related(index, index.actions["other.thing"]) == {}
    assert "## Related\n\nNone.\n" in told(index, "other.thing")


def test_each_version_is_told_with_where_it_is_served_and_may_go(tmp_path: Path) -> None:
    index = shop(
        tmp_path,
        version(1, "release", "pay:buy"),
        version(2, "under user test", "pay_2:buy", rest='request = "R-12"\nby = "Ada"\n'),
    )
    text = told(index)
    assert "- version 2: under user test, `pay_2:buy`, for R-12, moved by Ada\n" in text
    assert "local-dev, local-test, local-qa, hosted-test, hosted-live (testers)\n" in text
    assert "- version 1: release, `pay:buy`\n  - served in: hosted-live\n" in text
    assert "  - may go to: reverted, erroring\n" in text


class TestWhereToWork:
    """The version that may be changed, its file, and the commands for it."""

    def test_a_first_version_is_a_file_and_an_entry_of_its_own(self, tmp_path: Path) -> None:
        text = told(shop(tmp_path))
        assert "Version 1, in `functions/shop_buy_1.py` beside `registry.toml`:" in text
        assert version(1, "under dev", "functions.shop_buy_1:buy").strip() in text
        assert moves_of(text)[0] == (1, "potential release")

    def test_it_goes_where_the_rest_of_the_code_is(self, tmp_path: Path) -> None:
        index = shop(tmp_path, version(1, "release", "pay.x:look", "shop.look"))
        assert workplace(index, index.actions["shop.buy"]).code == "pay.shop_buy_1:buy"
        index = shop(tmp_path, version(1, "release", "x:look", "shop.look"))
        assert workplace(index, index.actions["shop.buy"]).file == "shop_buy_1.py"

    def test_a_version_under_dev_is_worked_on(self, tmp_path: Path) -> None:
        text = told(shop(tmp_path, version(3, "under dev", "pay.buying:purchase")))
        assert "Version 3, in `pay/buying.py`" in text
        assert "async def purchase(" in text
        assert "[[actions." not in text
        assert moves_of(text) == [(3, "potential release"), (3, "dummy")]

    def test_what_must_stay_as_it_is_in_that_file_is_named(self, tmp_path: Path) -> None:
        text = told(
            shop(
                tmp_path,
                version(2, "under dev", "pay:buy_2"),
                version(1, "release", "pay:buy"),
            )
        )
        assert "The file holds shop.buy version 1 as well" in text

    def test_after_a_release_it_is_the_next_one(self, tmp_path: Path) -> None:
        text = told(shop(tmp_path, version(4, "release", "pay.buying:buy")))
        assert "Version 5, in `pay/shop_buy_5.py`" in text
        assert moves_of(text) == [(5, "potential release"), (5, "dummy"), (4, "reverted")]

    def test_a_dummy_in_the_index_is_given_its_code_by_the_move(self, tmp_path: Path) -> None:
        dummy = '[[actions."shop.buy".versions]]\nversion = 1\nstate = "dummy"\n'
        text = told(shop(tmp_path, dummy))
        assert "to='under dev' expected=dummy why='…' code=functions.shop_buy_1:buy" in text
        assert moves_of(text) == [(1, "under dev")]

    def test_a_test_is_named_where_there_is_one(self, tmp_path: Path) -> None:
        index = shop(tmp_path)
        place = workplace(index, index.actions["shop.buy"])
        assert find_test(index, place) is None
        assert "pytest" not in told(index)
        (tmp_path / "tests").mkdir()
        (tmp_path / "tests" / "test_shop_buy_1.py").write_text("")
        assert find_test(index, place) == "tests/test_shop_buy_1.py"
        text = told(index, test=find_test(index, place))
        assert "$ python -m pytest tests/test_shop_buy_1.py\n" in text


@pytest.mark.parametrize("action", DESK.actions.values(), ids=lambda each: each.name)
def test_every_command_is_one_that_its_action_takes(action: Action) -> None:
    known = {**DESK.actions, **built_in_index().actions}
    found = commands(instructions(DESK, action, ""))
    assert len(found) >= 4
    for each in found:
        if not each.endswith("=DIGEST"):
            given = make_parser().parse_args(shlex.split(each)[1:])
            params = read_params(given.params)
            known[given.action].params.parse(params)
            if given.action == "functions.dry_run":
                action.params.parse(params.get("params", {}))


def test_the_types_to_import_are_those_that_are_written() -> None:
    written = stubs(DESK)
    for action in DESK.actions.values():
        (names,) = re.findall(r"from contracts import (\w+), (\w+)", instructions(DESK, action, ""))
        assert all(f"class {name}" in written or f"{name} = " in written for name in names)


def test_the_text_is_bounded() -> None:
    assert truncate("x" * MOST_TEXT) == "x" * MOST_TEXT
    cut = truncate("x" * (MOST_TEXT + 1))
    assert len(cut) == MOST_TEXT
    assert f"… {MOST_TEXT + 1} characters in all" in cut
