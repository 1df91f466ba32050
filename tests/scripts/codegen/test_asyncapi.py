"""The documents, against the standards that they follow."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import jsonschema_rs
import pytest
from hypothesis import HealthCheck, assume, given, settings

from actors.index.entries import Index
from actors.schema.schema import SchemaProblem
from scripts.codegen.asyncapi import asyncapi
from scripts.codegen.offer import offered
from scripts.codegen.schemas import MEANINGS, components, draft07, error_codes, identifier, schemas
from tests.actors.schema.test_schema import SCHEMAS
from tests.conftest import Server
from tests.raw_client import RawClient
from tests.scripts.codegen.indexes import AWKWARD_INDEX, DESK_INDEX, ROOT, action
from transport.message import CODES
from transport.request.model import Request

OFFICIAL = json.loads((ROOT / "tests" / "asyncapi" / "3.0.0.json").read_text())
"""AsyncAPI's own schema of a document, from the npm package @asyncapi/specs."""

each_index = pytest.mark.parametrize("index", [DESK_INDEX, AWKWARD_INDEX], ids=["desk", "awkward"])


def validator(document: dict[str, Any], reference: str) -> jsonschema_rs.Draft7Validator:
    """For what a reference within the document leads to."""
    whole = {"components": document["components"], "$ref": reference}
    return jsonschema_rs.Draft7Validator(whole)


def references(part: Any) -> Iterator[str]:
    """Every reference in a document."""
    if isinstance(part, dict):
        if isinstance(part.get("$ref"), str):
            yield part["$ref"]
        for each in part.values():
            yield from references(each)
    elif isinstance(part, list):
        for each in part:
            yield from references(each)


def found(document: dict[str, Any], reference: str) -> Any:
    """What a reference leads to; KeyError."""
    place: Any = document
    for word in reference.removeprefix("#/").split("/"):
        place = place[word]
    return place


class TestDocument:
    """asyncapi.json."""

    @each_index
    def test_it_is_valid_by_asyncapi_s_own_schema(self, index: Index) -> None:
        official = jsonschema_rs.Draft7Validator(OFFICIAL, offline=True)
        assert [error.message for error in official.iter_errors(asyncapi(index))] == []
        assert not official.is_valid({**asyncapi(index), "operations": {"x": {"action": "ask"}}})

    @each_index
    def test_every_reference_leads_somewhere(self, index: Index) -> None:
        document = asyncapi(index)
        assert all(found(document, each) is not None for each in references(document))

    @each_index
    def test_every_action_has_its_operation_and_its_messages(self, index: Index) -> None:
        document = asyncapi(index)
        assert set(document["operations"]) == {each.name for each in offered(index)}
        for name, operation in document["operations"].items():
            channel = operation["channel"]["$ref"]
            assert operation["messages"] == [{"$ref": f"{channel}/messages/{name}.request"}]
            replies = [each["$ref"] for each in operation["reply"]["messages"]]
            assert replies == [f"{channel}/messages/{name}.reply", f"{channel}/messages/refusal"]

    @each_index
    def test_examples_fit_their_payloads(self, index: Index) -> None:
        document = asyncapi(index)
        for message in document["components"]["messages"].values():
            payload = validator(document, message["payload"]["$ref"])
            for each in message["examples"]:
                assert [error.message for error in payload.iter_errors(each["payload"])] == []

    def test_actions_of_the_admin_channel_are_on_it(self) -> None:
        document = asyncapi(AWKWARD_INDEX)
        assert "terms.set.request" in document["channels"]["admin"]["messages"]
        assert document["operations"]["terms.set"]["x-area"] == "config"
        assert document["operations"]["terms.set"]["x-platform"] == "developer admin"
        assert asyncapi(DESK_INDEX)["channels"].keys() == {"data"}

    def test_what_is_public_needs_no_token(self) -> None:
        operations = asyncapi(AWKWARD_INDEX)["operations"]
        assert "security" not in operations["close"]
        assert "security" in operations["contacts"]

    def test_versions_are_told_with_their_states(self) -> None:
        operation = asyncapi(AWKWARD_INDEX)["operations"]["terms.set"]
        assert [each["version"] for each in operation["x-versions"]] == [2, 1]


class TestEnvelope:
    """What stands around params and results."""

    def test_every_code_and_every_field_is_explained(self) -> None:
        assert error_codes().keys() == CODES
        assert all(error_codes().values())
        assert MEANINGS.keys() | {"action", "params"} == Request.model_fields.keys()

    def test_what_a_server_says_fits_the_document(self, server: Server) -> None:
        """Results and refusals of every action, in both encodings."""
        document = asyncapi(DESK_INDEX)
        refused = validator(document, "#/components/schemas/refusal")
        seen = set()
        with RawClient(server.endpoint) as raw_client:
            for name, request in requests(document, server.tokens["acme"]):
                for encoding in ("json", "msgpack"):
                    reply = raw_client.ask(encoding, **request)
                    fits = validator(document, f"#/components/schemas/{name}.reply")
                    assert fits.is_valid(reply) == reply["ok"] != refused.is_valid(reply), reply
                    seen.add(reply["ok"])
        assert seen == {True, False}


def requests(document: dict[str, Any], token: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """The example of each action, as a known caller sends it."""
    messages = document["components"]["messages"]
    for name in document["operations"]:
        example = messages[f"{name}.request"]["examples"][0]["payload"]
        request = {field: value for field, value in example.items() if field != "id"}
        yield name, {**request, **({"token": token} if "token" in example else {})}


class TestDraft07:
    """The older dialect."""

    def test_definitions_become_components(self) -> None:
        schema = {
            "properties": {"a": {"$ref": "#/$defs/b"}},
            "$defs": {"b": {"items": {"$ref": "#/$defs/b"}}},
        }
        to_b = {"$ref": "#/components/schemas/x.params.b"}
        assert components("x.params", schema) == {
            "x.params": {"properties": {"a": to_b}},
            "x.params.b": {"items": to_b},
        }

    @pytest.mark.parametrize(
        ("new", "old"),
        [
            ({"prefixItems": [{}], "items": False}, {"items": [{}], "additionalItems": False}),
            ({"dependentRequired": {"a": ["b"]}}, {"dependencies": {"a": ["b"]}}),
            ({"contains": {}, "minContains": 0}, {}),
            ({"contains": {}, "maxContains": 2}, {"contains": {}}),
            ({"properties": {"$ref": {"const": 1}}}, {"properties": {"$ref": {"const": 1}}}),
            (
                {"$ref": "#/$defs/b", "title": "B"},
                {"title": "B", "allOf": [{"$ref": "#/components/schemas/x.b"}]},
            ),
        ],
    )
    def test_what_it_says_otherwise_is_said_otherwise(
        self, new: dict[str, Any], old: dict[str, Any]
    ) -> None:
        assert draft07(new, "x") == old


@given(SCHEMAS)
@settings(
    max_examples=25,
    deadline=None,  # building a schema takes its time
    suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow],
)
def test_what_fits_a_schema_fits_it_in_the_older_dialect(schema: dict[str, Any]) -> None:
    """Nothing is forbidden that the index allows."""
    try:
        each = action(schema)
    except SchemaProblem:
        assume(False)
    document = {"components": {"schemas": components("try.it.params", each.params.source)}}
    fits = validator(document, "#/components/schemas/try.it.params")
    assert fits.is_valid(each.params.example())


class TestBundle:
    """schemas.json."""

    @each_index
    def test_each_schema_is_found_by_its_id_and_decides(self, index: Index) -> None:
        bundle = schemas(index)
        registry = jsonschema_rs.Registry([(bundle["$id"], bundle)])
        for each in offered(index):
            for part, schema in (("params", each.params), ("result", each.result)):
                ask = jsonschema_rs.Draft202012Validator(
                    {"$ref": identifier(f"{each.name}.{part}")}, registry=registry
                )
                assert ask.is_valid(schema.example())
                assert not ask.is_valid([])
