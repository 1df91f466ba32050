"""Reads by GET: params in the query, a tag of the result; and no token in a URL."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.transport.gateway.conftest import Web
from transport.gateway.query import params_in
from transport.gateway.statuses import HttpRefusal

CONTACT = {"name": "Ada Lovelace"}


def test_a_read_is_a_get_whose_params_have_the_types_of_the_schema(web: Web) -> None:
    made = web.post("contacts.add", CONTACT).json()["result"]["id"]
    response = web.http.get(f"/v1/acme/contacts.get?id={made}", headers=web.headers())
    assert response.status_code == 200
    assert response.json()["result"]["name"] == "Ada Lovelace"
    refused = web.http.get("/v1/acme/contacts.get?id=x", headers=web.headers())
    assert (refused.status_code, refused.json()["error"]["details"][0]["field"]) == (
        400,
        "params.id",
    )


def test_a_result_that_is_known_is_not_sent_again(web: Web) -> None:
    """The tag is the result's: the rest of a reply is another each time."""
    made = web.post("contacts.add", CONTACT).json()["result"]["id"]
    path = f"/v1/acme/contacts.get?id={made}"
    first = web.http.get(path, headers=web.headers())
    tag = first.headers["etag"]
    known = web.http.get(path, headers=web.headers() | {"if-none-match": tag})
    assert (known.status_code, known.content, known.headers["etag"]) == (304, b"", tag)
    other = web.post("contacts.add", {"name": "Grace"}).json()["result"]["id"]
    changed = web.http.get(
        f"/v1/acme/contacts.get?id={other}", headers=web.headers() | {"if-none-match": tag}
    )
    assert changed.status_code == 200
    assert "private" in first.headers["cache-control"]


def test_head_is_a_get_without_its_body(web: Web) -> None:
    response = web.http.head("/v1/acme/contacts.find?text=ada", headers=web.headers())
    assert (response.status_code, response.content) == (200, b"")


def test_what_writes_has_no_get(web: Web) -> None:
    """A page elsewhere, or a program that looks ahead, could do it with a link."""
    response = web.http.get("/v1/acme/contacts.add?name=x", headers=web.headers())
    assert (response.status_code, response.headers["allow"]) == (405, "OPTIONS, POST")


def test_a_get_of_what_the_caller_may_not_call_is_refused(web: Web) -> None:
    assert web.http.get("/v1/acme/contacts.find").status_code == 401
    assert web.http.get("/v1/acme/no.such_action", headers=web.headers()).status_code == 404
    theirs = web.http.get("/v1/globex/contacts.find?text=a", headers=web.headers())
    assert theirs.status_code == 401


@pytest.mark.parametrize("name", ["token", "access_token", "Authorization", "q"])
def test_a_token_in_a_url_is_refused_wherever_it_stands(web: Web, name: str) -> None:
    token = web.server.tokens["acme"]
    response = web.http.get(f"/v1/acme/contacts.find?{name}={token}")
    assert response.status_code == 400
    assert "Authorization: Bearer" in response.json()["error"]["message"]
    assert token not in response.text


@pytest.mark.parametrize("query", ["text=%ff", "&&", "text", "id=1&id=2&text=a", "text=%00"])
def test_a_query_that_is_none_is_refused(web: Web, query: str) -> None:
    response = web.http.get(f"/v1/acme/contacts.find?{query}", headers=web.headers())
    assert response.status_code == 400


SCHEMA: dict[str, Any] = {
    "$defs": {"kind": {"type": "string"}},
    "properties": {
        "count": {"type": "integer"},
        "share": {"type": "number"},
        "open": {"type": "boolean"},
        "text": {"type": ["string", "null"]},
        "none": {"type": ["integer", "null"]},
        "tags": {"type": "array", "items": {"type": "integer"}},
        "kind": {"$ref": "#/$defs/kind"},
        "map": {"type": "object"},
    },
}


@pytest.mark.parametrize(
    ("query", "params"),
    [
        ("", {}),
        ("count=5&share=1.5&open=true", {"count": 5, "share": 1.5, "open": True}),
        ("count=05", {"count": "05"}),
        ("count=1e3", {"count": "1e3"}),
        ("count=99999999999999999999", {"count": "99999999999999999999"}),
        ("share=NaN", {"share": "NaN"}),
        ("open=1", {"open": "1"}),
        ("text=5&kind=5", {"text": "5", "kind": "5"}),
        ("text=null", {"text": "null"}),
        ("none=null", {"none": None}),
        ("tags=1&tags=2&tags=x", {"tags": [1, 2, "x"]}),
        ("text=a%2Bb+c", {"text": "a+b c"}),
        ('map={"a":1}', {"map": {"a": 1}}),
        ('map={"a"', {"map": '{"a"'}),
        ("other=5&__proto__=x", {"other": "5", "__proto__": "x"}),
        ("text=", {"text": ""}),
    ],
)
def test_a_text_of_the_query_becomes_what_its_schema_says(
    query: str, params: dict[str, Any]
) -> None:
    """What does not fit stays text, and the server's refusal names it."""
    assert params_in(query.encode(), SCHEMA) == params


@pytest.mark.parametrize("query", [b"token=x", b"text=tnt_abc", b"text=a&text=b", b"\xff=1"])
def test_what_must_not_be_in_a_query_is_refused(query: bytes) -> None:
    with pytest.raises(HttpRefusal):
        params_in(query, SCHEMA)


def test_a_schema_may_have_a_param_of_that_name() -> None:
    assert params_in(b"token=abc", {"properties": {"token": {"type": "string"}}}) == {
        "token": "abc"
    }


def test_a_reference_of_what_the_caller_may_see_is_served(web: Web) -> None:
    everyone = web.http.get("/openapi.json").json()
    members = web.http.get("/openapi.json", headers=web.headers()).json()
    assert everyone["openapi"] == "3.1.0"
    assert "/v1/system/ping" in everyone["paths"]
    assert "/v1/{tenant}/contacts.add" not in everyone["paths"]
    assert members["paths"]["/v1/{tenant}/contacts.add"].keys() == {"parameters", "post"}
    assert "get" in members["paths"]["/v1/{tenant}/contacts.get"]
    assert web.http.get("/openapi.json", headers={"authorization": "Bearer x"}).status_code == 401


def test_the_page_loads_nothing_from_outside(web: Web) -> None:
    page = web.http.get("/docs")
    assert page.headers["content-security-policy"].startswith("default-src 'none'")
    assert "//" not in page.text.replace("<!doctype", "")
    for file in ("page.js", "page.css"):
        assert web.http.get(f"/docs/{file}").status_code == 200
    assert web.http.post("/docs").status_code == 405


def test_every_reference_of_the_document_leads_somewhere(web: Web) -> None:
    document = web.http.get("/openapi.json", headers=web.headers()).json()

    def references(value: Any) -> set[str]:
        if isinstance(value, list):
            return {each for inner in value for each in references(inner)}
        if not isinstance(value, dict):
            return set()
        own = {value["$ref"]} if isinstance(value.get("$ref"), str) else set()
        return own.union(*(references(each) for each in value.values()))

    found = references(document)
    assert found
    for reference in found:
        place: Any = document
        for part in reference.removeprefix("#/").split("/"):
            place = place[part]
    assert json.dumps(document).count("#/$defs/") == 0
