"""The repository's own index: whole, served everywhere, and worth reading for callers."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from actors.access import LEVELS
from actors.index.code import Codebase
from actors.index.entries import DEFAULT_ENVIRONMENTS, DUMMY, RELEASE, Action, Version
from actors.index.parser import built_in_index, read_index
from actors.index.selection import NONE_SERVED
from actors.schema.validation import VISIBLE
from tests.actors.tables import load_table

PATH = Path(__file__).parent.parent / "registry.toml"

INDEX = read_index(PATH)

ENVIRONMENTS = ["local-dev", "local-test", "local-qa", "hosted-test", "hosted-live"]

VERSIONS = [(action, version) for action in INDEX.actions.values() for version in action.versions]

BUILT_IN = built_in_index()
"""The engine's own part, which is held to the same."""

ACTIONS = [*INDEX.actions.values(), *BUILT_IN.actions.values()]

each_action = pytest.mark.parametrize("action", ACTIONS, ids=lambda each: each.name)


def test_it_states_where_each_state_is_served() -> None:
    """In the file, not only in the code; both say the same."""
    stated = {name: INDEX.environments[name] for name in ENVIRONMENTS}
    assert list(INDEX.environments) == ENVIRONMENTS
    assert stated == {each.name: each for each in DEFAULT_ENVIRONMENTS}
    text = PATH.read_text()
    assert all(f"[environments.{name}]" in text for name in ENVIRONMENTS)


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_it_can_be_served_in_every_environment(environment: str) -> None:
    """All code of what is served there loads."""
    table = load_table(PATH, environment)
    assert set(table.routes) == {*INDEX.actions, *BUILT_IN.actions}
    served = [route for route in table.routes.values() if route.reason != NONE_SERVED]
    assert {route.name for route in served} >= set(BUILT_IN.actions)
    assert all((route.function is None) == (route.example is not None) for route in served)


@each_action
def test_its_examples_have_the_types_that_functions_get(action: Action) -> None:
    """Which are made when they are first needed, and not at the start."""
    for schema in (action.params, action.result):
        schema.model.model_validate(schema.example())


def test_dummies_are_served_to_developers_and_not_to_customers() -> None:
    """And there are some, as in a real index."""
    dev, live = load_table(PATH, "local-dev").routes, load_table(PATH, "hosted-live").routes
    dummies = {name for name, route in dev.items() if route.state == DUMMY}
    assert len(dummies) >= 3
    assert {name for name, route in live.items() if route.reason == NONE_SERVED} == dummies
    assert all(dev[name].example for name in dummies)


def referring() -> list[tuple[Action, Version]]:
    """Versions with code."""
    found = [*VERSIONS, *((each, each.versions[0]) for each in BUILT_IN.actions.values())]
    return [(action, version) for action, version in found if version.code is not None]


@pytest.mark.parametrize(
    ("action", "version"), referring(), ids=lambda each: getattr(each, "name", None)
)
def test_every_reference_to_code_leads_to_a_function(action: Action, version: Version) -> None:
    """Whether it is served or not; it says what it does."""
    assert version.code is not None
    loaded = Codebase(INDEX.root).load(version.code)
    assert loaded.function.__doc__


@each_action
def test_an_action_is_described_for_whoever_calls_it(action: Action) -> None:
    """A sentence in words, and an example that fits."""
    assert action.summary[0].isupper()
    assert action.summary.endswith(".")
    assert len(action.summary) > 15
    assert LEVELS[action.access]
    action.result.check(action.result.example())
    action.params.parse(action.params.example())


OF_MEMBERS = tuple(
    f"requests.{each}" for each in ("submit", "list", "show", "vote", "answer", "withdraw")
)


@pytest.mark.parametrize("action", BUILT_IN.actions.values(), ids=lambda each: each.name)
def test_what_is_built_in_is_administration_and_released(action: Action) -> None:
    """On the admin channel; members read their config on the data channel, and request on both."""
    others = {"config.get": "data", **dict.fromkeys(OF_MEMBERS, "both")}
    assert action.channel == others.get(action.name, "admin")
    assert [version.state for version in action.versions] == [RELEASE]


@each_action
def test_schemas_stand_alone(action: Action) -> None:
    """Each reference leads to a definition that comes with it, and is needed."""
    for schema in (action.params.source, action.result.source):
        told = json.dumps(schema)
        referred = set(re.findall(r'"\$ref": "([^"]*)"', told))
        assert referred == {f"#/$defs/{name}" for name in schema.get("$defs", {})}


@each_action
def test_a_dummy_tells_its_developer_what_to_do(action: Action) -> None:
    """Separate instructions for each function that is to be written."""
    if not any(version.state != DUMMY for version in action.versions):
        assert len(action.instructions.split()) > 20


def parts(schema: dict[str, Any], at: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """A schema and those inside it, with their places."""
    yield at, schema
    for word in ("properties", "$defs"):
        for name, inner in schema.get(word, {}).items():
            yield from parts(inner, f"{at}.{name}")
    if isinstance(schema.get("items"), dict):
        yield from parts(schema["items"], f"{at}[]")


def is_bounded(schema: dict[str, Any]) -> bool:
    """Whether a value that fits can only be so large."""
    if (
        "enum" in schema
        or "const" in schema
        or "$ref" in schema
        or ("pattern" in schema and "$" in schema["pattern"])
    ):
        return True
    kinds = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    needed = {"string": ["maxLength"], "array": ["maxItems"], "integer": ["minimum", "maximum"]}
    return all(bound in schema for kind in kinds for bound in needed.get(kind, ()))


@each_action
def test_what_goes_in_is_bounded(action: Action) -> None:
    """Every text, every list, every number."""
    unbounded = [at for at, part in parts(action.params.source, "params") if not is_bounded(part)]
    assert unbounded == []


@each_action
def test_lists_that_come_out_are_bounded(action: Action) -> None:
    """A page, and not the whole table."""
    lists = [part for _, part in parts(action.result.source, "result") if "items" in part]
    assert all("maxItems" in each for each in lists)


def test_what_is_released_is_written() -> None:
    """No released version is a dummy without code."""
    released = [version for _, version in VERSIONS if version.state == RELEASE]
    assert released
    assert all(version.code for version in released)


def test_tables_come_from_migrations_in_the_repository() -> None:
    """Below the index."""
    assert INDEX.storage.migrations is not None
    assert list(INDEX.storage.migrations.glob("versions/*.py"))
    assert INDEX.storage.migrations.is_relative_to(PATH.parent)


@each_action
def test_what_people_are_called_can_be_seen(action: Action) -> None:
    """Names, labels and reasons: what must not be empty must not look empty either."""
    stated = action.params.source["properties"]
    texts = {name: part for name, part in stated.items() if part.get("type") == "string"}
    for name in ("label", "reason", "subject", "body", "phone", "company", "why"):
        if texts.get(name, {}).get("minLength"):
            assert texts[name]["pattern"] == VISIBLE, name
