"""Settings of a connector as a value: what a patch makes of them, and what of them is ever shown."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.admin.directory.connector_settings import (
    AGAIN,
    MAX_BYTES,
    MAX_DEPTH,
    SET,
    patched,
    visible_settings,
)
from actors.errors import InvalidArgument
from actors.index.parser import read_index
from actors.log.redaction import UNKNOWN
from actors.profiles import deep_freeze
from actors.schema.schema import Schema
from tests.actors.admin.directory_harness import SECRETS_INDEX

NEEDLE = "hunter2-XYZZY"

CONNECTORS = read_index(SECRETS_INDEX).connectors
MAIL, WEBHOOK = (CONNECTORS[name].settings for name in ("mail", "webhook"))

KEPT: dict[str, Any] = deep_freeze({"host": "mail.example.com", "password": NEEDLE})


def refusal(
    patch: dict[str, Any], settings: dict[str, Any] = KEPT, schema: Schema = MAIL
) -> InvalidArgument:
    """Why it cannot be like this; never with what was given or kept."""
    with pytest.raises(InvalidArgument) as caught:
        patched(settings, patch, schema)
    assert NEEDLE not in repr(caught.value.refusal)
    return caught.value


def changed(
    settings: dict[str, Any], patch: dict[str, Any], schema: Schema = MAIL
) -> dict[str, Any]:
    """What a patch makes that drops nothing."""
    made = patched(settings, patch, schema)
    assert made.dropped == ()
    return made.settings


def fields(error: InvalidArgument) -> set[str]:
    """What it names."""
    return {each.field for each in error.refusal.details}


def test_a_patch_changes_what_it_names_and_null_removes() -> None:
    """And what is kept is not changed by it."""
    assert changed(KEPT, {"pin": "abcd", "password": None}) == {
        "host": "mail.example.com",
        "pin": "abcd",
    }
    assert KEPT["password"] == NEEDLE


@pytest.mark.parametrize(
    ("patch", "named"),
    [
        ({"host": None}, {"params.settings.host"}),
        ({"port": NEEDLE}, {"params.settings.port"}),
        ({"pin": NEEDLE}, {"params.settings.pin"}),
        ({"hots": NEEDLE, "port": 0}, {"params.settings.hots", "params.settings.port"}),
        ({"password": NEEDLE * 10}, {"params.settings.password"}),
        ({"headers": [NEEDLE]}, {"params.settings.headers"}),
    ],
)
def test_what_does_not_fit_is_named_as_the_request_has_it(
    patch: dict[str, Any], named: set[str]
) -> None:
    """Without the value."""
    assert fields(refusal(patch)) == named


@pytest.mark.parametrize(
    "patch",
    [{"port": 25}, {"host": "mail.example.org"}, {"host": "mail.example.org", "pin": "abcd"}],
)
def test_another_target_does_not_get_the_secrets_of_the_one_before(patch: dict[str, Any]) -> None:
    """Neither a password nor what stands deeper, and what is not shown is one."""
    kept = deep_freeze({**KEPT, "headers": {"X-Auth": NEEDLE}})
    made = patched(kept, patch, MAIL)
    assert made.settings == {"host": "mail.example.com", "headers": {}, **patch}
    assert set(made.dropped) == {"password", "headers.X-Auth"}
    assert kept["password"] == NEEDLE


def test_a_secret_that_is_given_with_another_target_is_kept() -> None:
    made = patched(KEPT, {"port": 25, "password": "new"}, MAIL)
    assert made == ({"host": "mail.example.com", "port": 25, "password": "new"}, ())


@pytest.mark.parametrize("patch", [{"pin": "abcd"}, {"host": "mail.example.com"}, {}])
def test_the_same_target_keeps_its_secrets(patch: dict[str, Any]) -> None:
    assert changed(KEPT, patch)["password"] == NEEDLE


@pytest.mark.parametrize("name", ["smtp_host", "baseUrl", "endpoint", "api_server", "URL"])
def test_a_target_goes_by_many_names_and_may_stand_deeper(name: str) -> None:
    properties = {name: {"type": "string"}, "token": {"type": "string"}}
    inner = {"type": "object", "properties": properties}
    schema = Schema.build("x.settings", {"properties": {"one": inner}})
    kept = deep_freeze({"one": {name: "a.example", "token": NEEDLE}})
    made = patched(kept, {"one": {name: "b.example"}}, schema)
    assert made == ({"one": {name: "b.example"}}, ("one.token",))


def test_a_secret_that_is_required_has_to_be_given_again() -> None:
    """And the refusal says why it is not there any more."""
    properties = {"url": {"type": "string"}, "token": {"type": "string", "format": "password"}}
    schema = Schema.build("x.settings", {"properties": properties, "required": ["token"]})
    error = refusal(
        {"url": "https://b.example"}, deep_freeze({"url": "a", "token": NEEDLE}), schema
    )
    assert error.refusal.details == (("params.settings.token", AGAIN),)


def test_what_was_there_before_has_to_fit_too() -> None:
    """The index may have a new schema: the next change mends it."""
    before = {"host": "mail.example.com", "password": 4711, "gone": NEEDLE}
    assert fields(refusal({}, before)) == {"params.settings.password", "params.settings.gone"}
    assert changed(before, {"password": None, "gone": None}) == {"host": "mail.example.com"}


def test_there_is_a_size_and_a_depth_that_every_reader_can_hold() -> None:
    """Also of what fits any schema."""
    largest = {"a": "x" * (MAX_BYTES - len('{"a":""}'))}
    assert changed({}, largest, WEBHOOK) == largest
    assert fields(refusal({"b": 1}, largest, WEBHOOK)) == {"params.settings"}
    deep: Any = {}
    for _ in range(MAX_DEPTH - 1):
        deep = {"a": deep}
    assert changed({}, deep, WEBHOOK) == deep
    assert fields(refusal({"a": deep}, {}, WEBHOOK)) == {"params.settings"}


def test_secrets_are_shown_as_set_or_not_and_the_rest_as_it_is() -> None:
    """What could be set besides is null."""
    assert visible_settings({"host": "mail.example.com", "password": NEEDLE, "port": 25}, MAIL) == {
        "host": "mail.example.com",
        "port": 25,
        "password": SET,
        "pin": None,
        "headers": None,
    }


def test_what_no_schema_describes_is_not_shown_but_for_its_name() -> None:
    """Within what is described, where nothing is, and where the connector is gone from the index."""
    described = visible_settings({"host": "h", "headers": {"X-Auth": NEEDLE}, "old": NEEDLE}, MAIL)
    assert (described["headers"], described["old"]) == ({"X-Auth": SET}, UNKNOWN)
    for schema in (WEBHOOK, None):
        assert visible_settings({"url": NEEDLE, "deep": {"er": [NEEDLE]}}, schema)["url"] == SET
        assert NEEDLE not in repr(
            visible_settings({"url": NEEDLE, "deep": {"er": [NEEDLE]}}, schema)
        )


def test_a_name_like_a_secret_s_is_one_and_so_is_a_login_in_an_address() -> None:
    """Though the schema does not say so."""
    properties = {name: {"type": "string"} for name in ("api_key", "url")}
    schema = Schema.build("x.settings", {"properties": properties})
    told = visible_settings({"api_key": NEEDLE, "url": f"https://ada:{NEEDLE}@example.com"}, schema)
    assert told["api_key"] == SET
    assert NEEDLE not in told["url"]


values = st.recursive(
    st.just(NEEDLE),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=10,
)


@given(settings=st.dictionaries(st.sampled_from([*"abc", "headers", "pin", "password"]), values))
def test_whatever_is_kept_where_nothing_is_described_no_value_is_shown(
    settings: dict[str, Any],
) -> None:
    """At any depth."""
    for schema in (WEBHOOK, MAIL, None):
        assert NEEDLE not in repr(visible_settings(settings, schema))
