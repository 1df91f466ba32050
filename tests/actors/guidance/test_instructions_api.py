"""What a function can use, told from the files themselves: nothing of it is missing."""

from __future__ import annotations

import inspect

import pytest

from actors import errors
from actors.guidance.instructions import context_api
from actors.messages import Principal
from actors.profiles import Config
from actors.tenant.context import Context, Database

API = context_api()


@pytest.mark.parametrize("name", [each for each in Context._fields if each != "calls"])
def test_every_field_of_the_context_is_told(name: str) -> None:
    assert f"- `ctx.{name}: " in API


@pytest.mark.parametrize(
    ("path", "fields"),
    [("ctx.caller", Principal.__struct_fields__), ("ctx.config", Config._fields)],
)
def test_so_is_what_hangs_on_it(path: str, fields: tuple[str, ...]) -> None:
    assert [name for name in fields if f"- `{path}.{name}: " not in API] == []


@pytest.mark.parametrize("name", [name for name in vars(Database) if not name.startswith("_")])
def test_every_method_of_the_database_is_told_with_what_it_takes_and_says(name: str) -> None:
    method = getattr(Database, name)
    assert f"- `ctx.db.{name}(statement: Executable, " in API
    assert f": {' '.join((inspect.getdoc(method) or '').split())}" in API
    assert "self" not in API.partition("`ctx.caller`")[0]


def test_the_text_below_a_field_is_told() -> None:
    assert "- `ctx.tenant: str`: The tenant's name.\n" in API
    assert "use `.get(name, default)`" in API


def test_how_a_call_is_made_is_no_business_of_a_function() -> None:
    assert "ctx.calls" not in API
    assert "- `ctx.call(operation: str, /, **params: Any) -> Awaitable[Any]`: Call a" in API


def test_every_refusal_that_a_function_may_mean_is_told() -> None:
    means = [each for each in vars(errors).values() if isinstance(each, type)]
    known = [each.__name__ for each in means if errors.ActionError in each.__bases__]
    assert len(known) > 10
    assert [name for name in known if f"- `{name}`: " not in API] == []
    assert "SettingsError" not in API
