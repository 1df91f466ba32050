"""A line of a tenant's log: always the same members, never a secret, whichever way it is made."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import jsonschema_rs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.log.closed_schema import is_closed_schema
from actors.log.lines import MAX_MESSAGE, MAX_REFUSED, Formatter
from actors.log.messages import Line
from actors.log.redaction import MAX_BYTES, SECRET, SUMMARY, UNKNOWN, normalise_names, redact
from actors.schema.schema import Schema
from tests.actors.log.tenant_lines import CONTACT, NOON, line

NEEDLE = "hunter2-XYZZY"
UTC_ZONE = ZoneInfo("UTC")
MEMBERS = [
    *("at", "tenant", "action", "version", "state", "reason", "outcome", "message", "caller", "person"),
    *("role", "params", "replayed", "source", "queued_ms", "handled_ms", "reply_bytes", "request_id"),
    "trace_id",
]  # fmt: skip


def made(
    given: Line, zone: ZoneInfo = UTC_ZONE, hide: frozenset[str] = frozenset()
) -> dict[str, Any]:
    """The line's members, as the one who reads the file gets them."""
    text = Formatter(zone, hide).format("acme", given)
    assert b"\n" not in text
    found: dict[str, Any] = json.loads(text)
    assert list(found) == MEMBERS
    return found


def test_a_line_says_all_that_was_answered() -> None:
    """In the order that the documentation has."""
    assert made(line(7)) == {
        "at": "2026-11-24T12:00:07.000+00:00",
        "tenant": "acme",
        "action": "contacts.add",
        "version": 1,
        "state": "release",
        "reason": "newest release",
        "outcome": "ok",
        "message": None,
        "caller": "t_4f1c22ab90de7731",
        "person": "p_91ab03f7c2d45e68",
        "role": "member",
        "params": {"name": "Ada Łovelace 7"},
        "replayed": False,
        "source": "tenant",
        "queued_ms": 1.25,
        "handled_ms": 0.5,
        "reply_bytes": 120,
        "request_id": "r-7",
        "trace_id": f"{7:032x}",
    }


@pytest.mark.parametrize(
    ("zone", "shown"),
    [
        ("Europe/Vienna", "2026-11-24T13:00:00.123+01:00"),
        ("America/New_York", "2026-11-24T07:00:00.123-05:00"),
    ],
)
def test_the_time_is_that_of_the_zone(zone: str, shown: str) -> None:
    """With its offset, so that it is one time all the same."""
    assert made(line(at=NOON + 0.1236), ZoneInfo(zone))["at"] == shown


@given(st.lists(st.floats(0, 4e9), max_size=5))
def test_the_time_is_right_whatever_was_asked_before(times: list[float]) -> None:
    """Across changes to daylight saving, too; the file of its day goes by the same rounding."""
    zone = ZoneInfo("Europe/Vienna")
    formatter = Formatter(zone)
    for at in times:
        expected = datetime.fromtimestamp(at, zone)
        found = datetime.fromisoformat(formatter.moment(at))
        assert abs((found.astimezone(UTC) - expected.astimezone(UTC)).total_seconds()) <= 0.001
        assert formatter.moment(at)[:10] == expected.date().isoformat()


def test_callers_and_actions_in_turn_each_have_their_own() -> None:
    """What many lines have alike is remembered for each of them."""
    formatter = Formatter(UTC_ZONE)
    given = [line(caller=caller, action=action) for caller in "ab" for action in ("x.y", "x.z")] * 2

    found = [json.loads(formatter.format(each.action, each)) for each in given]

    assert [(each["caller"], each["action"], each["tenant"]) for each in found] == [
        (each.caller, each.action, each.action) for each in given
    ]


# ---------------------------------------------------------------- secrets


def secretive(**properties: Any) -> dict[str, Any]:
    """A schema with these besides a name."""
    return Schema.build(
        "a.b.params", {"properties": {"name": {"type": "string"}, **properties}}
    ).source


@pytest.mark.parametrize("outcome", ["ok", "invalid_argument", "not_found"])
@pytest.mark.parametrize(
    ("schema", "params"),
    [
        (secretive(pin={"type": "string", "writeOnly": True}), {"pin": NEEDLE}),
        (secretive(pin={"type": "string", "format": "password"}), {"pin": NEEDLE}),
        (secretive(password={"type": "string"}), {"password": NEEDLE}),
        (secretive(iban={"type": "string"}), {"iban": NEEDLE}),
        (secretive(a={"properties": {"secret": {"type": "string"}}}), {"a": {"secret": NEEDLE}}),
        (secretive(a={"type": "object"}), {"a": {"secret": NEEDLE}}),
        (secretive(a={}), {"a": [{"iban": NEEDLE}]}),
        (secretive(a={"type": "array"}), {"a": [{"api-key": NEEDLE}]}),
        (None, {"x": {"token": NEEDLE}}),
    ],
)
def test_no_secret_is_in_a_line(outcome: str, schema: Any, params: dict[str, Any]) -> None:
    """Marked or named, at the top or below, in an open schema or without any; and no message quotes it."""
    given = line(params=params, schema=schema, outcome=outcome, message=f"not {NEEDLE!r}")

    found = made(given, hide=normalise_names(["iban"]))

    assert NEEDLE not in json.dumps(found)
    assert (UNKNOWN if schema is None else SECRET) in json.dumps(found["params"])
    assert found["message"] == f"not '{SECRET}'"


@pytest.mark.parametrize("outcome", ["permission_denied", "invalid_argument", "deadline_exceeded"])
@pytest.mark.parametrize(
    "params", [{"password": NEEDLE}, {"name": {"token": NEEDLE}}, {"tags": [{"secret": NEEDLE}]}]
)
def test_params_that_never_met_their_schema_are_looked_through(
    outcome: str, params: dict[str, Any]
) -> None:
    """What it leaves no room for was sent all the same."""
    assert NEEDLE not in json.dumps(made(line(params=params, outcome=outcome)))


@pytest.mark.parametrize("place", ["params", "request_id", "action", "message"])
def test_no_token_is_in_a_line(place: str) -> None:
    """Wherever a caller has put it."""
    token = "tnt_" + "Ab-9_" * 8
    said: dict[str, Any] = {place: {"name": token} if place == "params" else f"x {token}"}

    assert "Ab-9" not in json.dumps(made(line(**said)))


def test_a_message_is_cut_after_its_secrets_are_out() -> None:
    """Half a secret would be too much."""
    message = "x" * (MAX_MESSAGE - 5) + "tnt_abcdefghijk"

    found = made(line(message=message, outcome="not_found"))["message"]

    assert len(found) == MAX_MESSAGE
    assert "abc" not in found


# ---------------------------------------------------------------- odd params


@pytest.mark.parametrize(
    "value", [b"\x00", float("nan"), "\ud800", "a\0b", {1: 2}, {"a": {"b": b""}}]
)
def test_what_json_cannot_say_is_described(value: Any) -> None:
    """Msgpack and defects of ours bring more than JSON holds."""
    found = made(line(params={"name": value}, outcome="not_found"))["params"]

    assert found == redact({"name": value}, CONTACT)


@pytest.mark.parametrize(
    ("message", "shown"), [("a\0b \udce9", "a\ufffdb ?"), (404, "404"), ("", "")]
)
def test_a_message_is_made_fit_to_be_read_back(message: Any, shown: str) -> None:
    """With params that are looked through, and with others."""
    for schema in (CONTACT, None):
        found = made(line(message=message, outcome="not_found", schema=schema))
        assert found["message"] == shown


def test_ordinary_params_with_a_backslash_stay_as_they_are() -> None:
    """They look like what is not fit."""
    assert made(line(params={"name": "\\u0000"}))["params"] == {"name": "\\u0000"}


def test_deep_params_are_cut() -> None:
    """No caller may break the log."""
    deep: Any = 1
    for _ in range(5000):
        deep = [deep]

    assert "(too deep)" in json.dumps(made(line(params={"a": deep}, schema=secretive(a={}))))


def test_large_params_are_shown_in_outline() -> None:
    """A line stays a line."""
    found = made(line(params={"name": "x" * 5000, "tags": ["a"]}))["params"]

    assert found["tags"] == ["a"]
    assert SUMMARY in found


def test_large_params_that_were_refused_are_shown_in_outline_much_sooner() -> None:
    """Nothing came of them, and who is refused can send more: a line of them is no larger than others."""
    refused = line(params={"name": "x" * 3800, "tags": ["a"]}, outcome="resource_exhausted")
    found = made(refused)["params"]

    assert (found["name"], found["tags"]) == ("(3802 bytes)", ["a"])
    short = {"name": "x" * (MAX_REFUSED - 100)}
    assert made(line(params=short, outcome="not_found"))["params"] == short


@pytest.mark.parametrize("size", [MAX_BYTES - 1000, MAX_BYTES - 100])
def test_params_near_the_limit_are_shown_whole(size: int) -> None:
    """The limit is that of the params, not of the line."""
    params = {"name": "x" * size}

    assert made(line(params=params))["params"] == params


# ---------------------------------------------------------------- both ways agree

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.just("tnt_abc"),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["a", "token", "street", "iban"]), inner, max_size=3)
    ),
    max_leaves=6,
)
NAMES = st.sampled_from(["name", "tags", "home", "password", "note"])


@given(st.dictionaries(NAMES, VALUES, max_size=4), st.sampled_from(["ok", "not_found", "aborted"]))
def test_what_is_written_as_it_is_is_what_redaction_would_have_left(
    params: dict[str, Any], outcome: str
) -> None:
    """Where an action was done, its params fitted; otherwise they may be anything."""
    if outcome == "ok" and not jsonschema_rs.is_valid(CONTACT, params):
        outcome = "invalid_argument"
    hide = normalise_names(["iban"])

    assert made(line(params=params, outcome=outcome), hide=hide)["params"] == json.loads(
        json.dumps(redact(params, CONTACT, hide))
    )


# ---------------------------------------------------------------- which schemas


@pytest.mark.parametrize(
    "properties",
    [
        {},
        {"a": {"type": "string"}, "b": {"type": ["integer", "null"]}},
        {"a": {"type": "array", "items": {"type": "string"}}},
        {"a": {"properties": {"b": {"type": "string"}}}},
        {"a": {"$ref": "#/$defs/tree"}},
        {"a": {"anyOf": [{"type": "string"}, {"$ref": "#/$defs/tree"}]}},
        {"a": {"type": "array", "prefixItems": [{"type": "null"}], "items": False}},
    ],
)
def test_closed_schemas_without_secrets_are_harmless(properties: dict[str, Any]) -> None:
    """References, alternatives and recursion included."""
    tree = {"properties": {"below": {"$ref": "#/$defs/tree"}, "text": {"type": "string"}}}
    source = Schema.build("a.b.params", {"properties": properties, "$defs": {"tree": tree}}).source

    assert is_closed_schema(source)
    assert not is_closed_schema(source, normalise_names(["text"]))


@pytest.mark.parametrize(
    "schema",
    [
        {},
        {"type": "object"},
        {"type": "array"},
        {"type": "object", "additionalProperties": {"type": "string"}},
        {"type": "object", "patternProperties": {"^x": {"type": "string"}}, "additionalProperties": False},
        {"anyOf": [{"type": "string"}, {"type": "object"}]},
        {"type": "array", "items": {}},
        {"type": "array", "prefixItems": [{}], "items": False},
        {"type": "string", "writeOnly": True},
        {"type": "string", "allOf": [{"format": "password"}]},
        {"$ref": "#/$defs/missing"},
        {"enum": [{"a": 1}]},
        True,
    ],
)  # fmt: skip
def test_schemas_with_room_for_a_secret_are_not(schema: Any) -> None:
    """Or those that are not understood."""
    source = {"type": "object", "properties": {"a": schema}, "additionalProperties": False}

    assert not is_closed_schema(source)
