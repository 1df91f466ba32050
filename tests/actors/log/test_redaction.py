"""Redaction: no secret gets into a log, whatever it is called and wherever it stands; what is none, stays."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.log import redaction
from actors.log.redaction import (
    ALL_SECRET,
    MAX_BYTES,
    MAX_SECRETS,
    NOTHING_KNOWN,
    SECRET,
    SECRET_NAMES,
    SUMMARY,
    UNKNOWN,
    Redaction,
    is_secret_name,
    mask_secrets,
    mask_tokens,
    normalise_names,
    redact,
)
from actors.schema.schema import Schema

NEEDLE = "hunter2-XYZZY"
"""The secret text that must not survive."""

TOKEN = "tnt_" + "Ab-9_" * 8 + "xyz"


def shown(params: dict[str, Any], properties: dict[str, Any], **schema: Any) -> dict[str, Any]:
    """Redacted by a schema as the index prepares it."""
    return redact(params, Schema.build("a.b.params", {"properties": properties, **schema}).source)


# ---------------------------------------------------------------- by schema


@pytest.mark.parametrize("mark", [{"writeOnly": True}, {"format": "password"}])
def test_what_a_schema_marks_is_redacted(mark: dict[str, Any]) -> None:
    """And what stands beside it is not."""
    properties = {"pin": {"type": "string", **mark}, "name": {"type": "string"}}

    assert shown({"pin": NEEDLE, "name": "Ada"}, properties) == {"pin": SECRET, "name": "Ada"}


SECRET_TEXT = {"type": "string", "format": "password", "maxLength": 40}


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({"properties": {"inner": SECRET_TEXT}}, {"inner": NEEDLE}),
        ({"type": "array", "items": SECRET_TEXT}, [NEEDLE, NEEDLE]),
        ({"type": "array", "prefixItems": [SECRET_TEXT], "items": {"type": "string"}}, [NEEDLE]),
        ({"type": "object", "additionalProperties": SECRET_TEXT}, {"any": NEEDLE}),
        ({"type": "object", "patternProperties": {"^p": SECRET_TEXT}}, {"pin": NEEDLE}),
        ({"$ref": "#/$defs/pin"}, NEEDLE),
        ({"type": "array", "items": {"$ref": "#/$defs/pin"}}, [NEEDLE]),
        ({"anyOf": [{"type": "integer"}, SECRET_TEXT]}, NEEDLE),
        ({"oneOf": [{"type": "integer"}, {"$ref": "#/$defs/pin"}]}, NEEDLE),
        ({"type": "string", "allOf": [{"format": "password"}]}, NEEDLE),
        ({"type": "string", "if": {"minLength": 3}, "then": {"writeOnly": True}}, NEEDLE),
        ({"type": "object", "properties": {"a": {"type": "string"}}, "writeOnly": True}, {"a": NEEDLE}),
        ({"$ref": "#/$defs/tree"}, {"below": {"below": {"pin": NEEDLE}}}),
    ],
)  # fmt: skip
def test_a_mark_is_found_wherever_a_schema_can_have_it(schema: dict[str, Any], value: Any) -> None:
    """In maps and arrays, behind references and among alternatives."""
    definitions = {
        "pin": SECRET_TEXT,
        "tree": {
            "type": "object",
            "properties": {"pin": SECRET_TEXT, "below": {"$ref": "#/$defs/tree"}},
        },
    }

    found = redact({"at": value}, {"properties": {"at": schema}, "$defs": definitions})

    assert NEEDLE not in json.dumps(found)
    assert SECRET in json.dumps(found)


@pytest.mark.parametrize("value", [NEEDLE, [NEEDLE], 4711, True, 1.5, [{"pin": NEEDLE}]])
def test_where_a_map_of_secrets_belongs_nothing_else_is_shown(value: Any) -> None:
    """The map shows its names, at its top; what came in its place may be the secret itself."""
    properties = {"settings": {"type": "object", "additionalProperties": {"writeOnly": True}}}
    assert shown({"settings": value}, properties) == {"settings": SECRET}
    assert shown({"settings": {"host": value, "user": None}}, properties) == {
        "settings": {"host": SECRET, "user": None}
    }
    assert shown({"settings": None}, properties) == {"settings": None}


def test_where_only_what_is_described_may_be_shown_the_rest_is_marked() -> None:
    """At every depth, and with the mark that was asked for."""
    schema = {
        "properties": {
            "host": {"type": "string"},
            "pin": {"type": "string", "format": "password"},
            "headers": {"type": "object"},
            "anything": {},
            "list": {"type": "array"},
        },
        "additionalProperties": True,
    }
    source = Schema.build("mail.settings", schema).source
    told = Redaction(source, described_only=True, mark="set").redact(
        {
            "host": "mail.example.com",
            "pin": NEEDLE,
            "headers": {"X-Auth": NEEDLE, "empty": None},
            "anything": {"at": NEEDLE},
            "list": [NEEDLE, None],
            "more": NEEDLE,
        }
    )
    misplaced = Redaction(source, described_only=True).redact({"headers": NEEDLE, "host": {}})
    assert misplaced == {"headers": SECRET, "host": UNKNOWN}
    assert told == {
        "host": "mail.example.com",
        "pin": "set",
        "headers": {"X-Auth": "set", "empty": None},
        "anything": "set",
        "list": ["set", None],
        "more": "set",
    }


def test_a_secret_that_is_left_out_stays_null() -> None:
    """There is nothing to hide."""
    properties = {"pin": {"type": ["string", "null"], "writeOnly": True}}

    assert shown({"pin": None}, properties) == {"pin": None}


def test_definitions_that_refer_to_each_other_come_to_an_end() -> None:
    """A schema that the index would refuse does not stop the log."""
    source = {
        "properties": {"a": {"$ref": "#/$defs/b"}},
        "$defs": {"b": {"$ref": "#/$defs/c"}, "c": {"$ref": "#/$defs/b"}},
    }

    assert redact({"a": "text"}, source) == {"a": "text"}


# ---------------------------------------------------------------- by name


@pytest.mark.parametrize(
    "name",
    [
        *("token", "TOKEN", "access_token", "refreshToken", "tokens", "client-secret", "Secret"),
        *("password", "passwd", "newPassword", "user.passwd", "passphrase", "db_credentials"),
        *("pwd", "db.pwd", "passcode", "bearer", "Set-Cookie", "aws_access_key", "signingKey"),
        *("api_key", "apiKey", "X-API-Key", "apikey", "private_key", "privateKey"),
        *(
            "Authorization",
            "proxy-authorization",
            "ｐａｓｓｗｏｒｄ",
            "pass\u200bword",
            "p a s s w d",
        ),
    ],
)
def test_names_of_secrets_are_known_however_they_are_spelt(name: str) -> None:
    """At any depth, for actions that no schema describes."""
    assert is_secret_name(name)
    for params in ({name: NEEDLE}, {"deep": [{"er": {name: NEEDLE}}]}, {name: {"text": NEEDLE}}):
        assert NEEDLE not in json.dumps(redact(params, None))


@pytest.mark.parametrize(
    "name", ["name", "person", "key", "label", "text", "scope", "pass", "author"]
)
def test_other_names_are_none(name: str) -> None:
    """Their values are what the log is read for."""
    assert redact({name: "value"}, None) == {name: "value"}


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("smtp://ada:hunter2@mail.example:25/x", "smtp://(redacted)@mail.example:25/x"),
        ("postgres://:hunter2@db", "postgres://(redacted)@db"),
        ("see http://a:p@ss@h/ and ftp://b:q@i", "see http://(redacted)@h/ and ftp://(redacted)@i"),
        ("https://shop.example/@ada:notes", "https://shop.example/@ada:notes"),
        ("mail ada@example.org at 10:30", "mail ada@example.org at 10:30"),
    ],
)
def test_a_login_within_an_address_is_no_secret_any_more(text: str, shown: str) -> None:
    """Under any name, in messages too; other addresses stay."""
    assert redact({"url": text}, None) == {"url": shown}
    assert mask_tokens(text) == shown


@pytest.mark.parametrize("value", ["t_4f1c22ab90de7731", "p_91ab03f7c2d45e68", True, False, None])
def test_ids_and_flags_stay_under_any_name(value: Any) -> None:
    """`tokens.revoke token=t_…` says which one, and that is no secret."""
    params = {"token": value, "tokens": [value]}

    assert redact(params, None) == params


@pytest.mark.parametrize(
    "value", ["t_4f1c22ab90de773", "t_4f1c22ab90de7731\n", "x_4f1c22ab90de7731", 4711, 0.5]
)
def test_what_is_nearly_an_id_is_a_secret(value: Any) -> None:
    """Numbers, too: a PIN is one."""
    assert redact({"token": value, "tokens": [value]}, None) == {
        "token": SECRET,
        "tokens": [SECRET],
    }


def test_a_schema_s_mark_holds_for_ids_too() -> None:
    """Its author decides."""
    properties = {"token": {"type": "string", "writeOnly": True}}

    assert shown({"token": "t_4f1c22ab90de7731"}, properties) == {"token": SECRET}


# ---------------------------------------------------------------- by text


def test_our_tokens_are_taken_out_of_any_text() -> None:
    """Of values, of what is in the middle of them, and of names."""
    params = {"note": f"use {TOKEN}, please", "list": [TOKEN], TOKEN: 1}

    found = redact(params, None)

    assert found == {
        "note": f"use tnt_{SECRET}, please",
        "list": [f"tnt_{SECRET}"],
        f"tnt_{SECRET}": 1,
    }


def test_a_token_that_is_cut_short_is_taken_out_too() -> None:
    """Most of one is too much."""
    assert mask_tokens(TOKEN[:12]) == f"tnt_{SECRET}"


# ---------------------------------------------------------------- form


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (float("nan"), "nan"),
        (float("-inf"), "-inf"),
        (b"\x00\xff", "(2 bytes)"),
        ("\ud800", "?"),
        ("a\0b", "a\ufffdb"),
        (2**64, "18446744073709551616"),
        ((1, 2), [1, 2]),
    ],
)
def test_what_json_cannot_say_is_described(value: Any, expected: Any) -> None:
    """Params of msgpack hold more than JSON does."""
    assert redact({"a": value}, None) == {"a": expected}


def test_endless_depth_is_cut_off() -> None:
    """Whatever a caller may send, the log is not what fails."""
    deep: dict[str, Any] = {"text": NEEDLE}
    for _ in range(500):
        deep = {"a": deep}

    assert "(too deep)" in json.dumps(redact(deep, None))


def test_large_params_are_shown_in_outline() -> None:
    """Short ones whole, of large ones the size, and of all of them a hash."""
    params = {"name": "Ada", "patch": {"text": "x" * 10_000}, "password": NEEDLE}

    found = redact(params, None)

    assert found["name"] == "Ada"
    assert found["patch"] == "(10011 bytes)"
    assert found["password"] == SECRET
    assert found[SUMMARY].startswith("10058 bytes, SHA-256 ")
    assert NEEDLE not in json.dumps(found)


def test_the_hash_in_an_outline_says_nothing_of_a_secret() -> None:
    """Guesses cannot be tried on it."""
    one, other = (redact({"password": each, "big": "x" * 5000}, None) for each in ("a", "b"))

    assert one == other


def test_many_params_are_shown_as_far_as_they_fit() -> None:
    """The outline says that there are more."""
    found = redact({f"name{number}": "x" * 100 for number in range(200)}, None)

    assert len(json.dumps(found)) <= MAX_BYTES
    assert found["name0"] == "x" * 100
    assert found[SUMMARY].endswith("; 200 params, not all of them here")
    assert redact(found, None) == found


# ---------------------------------------------------------------- properties

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(), inner, max_size=5),
    max_leaves=20,
)


@given(st.dictionaries(st.text(), JSON, max_size=5))
def test_whatever_is_asked_gives_json_of_bounded_size(params: dict[str, Any]) -> None:
    """In UTF-8, too."""
    found = redact(params, None)

    assert len(json.dumps(found, allow_nan=False, ensure_ascii=False).encode()) <= MAX_BYTES


@given(st.dictionaries(st.text(), JSON, max_size=5))
def test_what_is_redacted_stays_as_it_is(params: dict[str, Any]) -> None:
    """So that each reader of params may redact them, whether or not that was done before."""
    found = redact(params, None)

    assert redact(found, None) == found


def planted(secret: Any) -> st.SearchStrategy[Any]:
    """The secret under a name of one, somewhere within maps and arrays."""
    beside = st.dictionaries(st.text(max_size=5), st.integers(), max_size=3)
    name = st.sampled_from(SECRET_NAMES).flatmap(
        lambda part: st.tuples(st.sampled_from(["", "my_", "X-"]), st.just(part)).map("".join)
    )
    leaf = st.tuples(beside, name).map(lambda each: {**each[0], each[1]: secret})
    return st.recursive(
        leaf,
        lambda inner: (
            st.lists(inner, min_size=1, max_size=3)
            | st.tuples(beside, st.text(max_size=5), inner).map(
                lambda each: {**each[0], each[1]: each[2]}
            )
        ),
        max_leaves=5,
    )


@given(st.sampled_from([NEEDLE, [NEEDLE], {"a": [NEEDLE]}, {"t": {"a": NEEDLE}}]).flatmap(planted))
def test_no_secret_survives_under_a_secret_s_name(params: Any) -> None:
    """Wherever it is put."""
    assert NEEDLE not in json.dumps(redact({"params": params}, None))


@given(st.text(), st.text(), st.from_regex(r"\Atnt_[A-Za-z0-9_-]{1,60}\Z"))
def test_no_token_survives_in_any_text(before: str, after: str, token: str) -> None:
    """Its first characters are all that is left."""
    found = redact({"text": before + token + after}, None)["text"]

    assert "tnt_" in found
    assert token not in found


# ---------------------------------------------------------------- by configured name


@pytest.mark.parametrize("name", ["iban", "IBAN", "i-ban", "I_B_A_N", "ｉｂａｎ"])
@pytest.mark.parametrize("value", [NEEDLE, 4711, True, "t_4f1c22ab90de7731", {"a": NEEDLE}, [1]])
def test_names_that_the_settings_hide_show_nothing(name: str, value: Any) -> None:
    """However they are spelt, and whatever is in them: not even what would be harmless elsewhere."""
    params = {"deep": [{name: value}]}

    assert redact(params, None, normalise_names(["Iban"])) == {"deep": [{name: SECRET}]}


def test_names_that_only_contain_a_hidden_one_stay() -> None:
    """Anyone who hides `pin` does not hide what is being shipped."""
    assert redact({"shipping": 1}, None, normalise_names(["pin"])) == {"shipping": 1}


def test_a_name_without_letters_hides_nothing() -> None:
    """It would be the name of all that is called by signs."""
    assert normalise_names(["", "--", "a"]) == {"a"}


# ---------------------------------------------------------------- what is said of params


def test_what_was_taken_out_of_params_is_taken_out_of_what_is_said_of_them() -> None:
    """A function may quote what it was given, plainly or as Python shows it."""
    redaction = Redaction({"properties": {"pin": {"writeOnly": True}}}, normalise_names(["iban"]))
    redaction.params(
        {"pin": "a'b\\c\"d", "password": {"deep": ["q-1234"]}, "iban": 47114711, "x": "open"}
    )

    said = redaction.text("a'b\\c\"d and " + repr("a'b\\c\"d") + " q-1234 47114711 open " + TOKEN)

    assert said == f"{SECRET} and '{SECRET}' {SECRET} {SECRET} open tnt_{SECRET}"


def test_the_longest_secret_is_looked_for_first() -> None:
    """Otherwise the rest of it would stay."""
    redaction = Redaction(None)
    redaction.params({"password": "abcd", "token": "abcdefgh"})

    assert redaction.text("abcdefgh abcd") == f"{SECRET} {SECRET}"


def test_where_there_are_too_many_secrets_nothing_is_said() -> None:
    """Rather than to look for some of them."""
    redaction = Redaction(None)
    redaction.params({"passwords": [f"needle{number}" for number in range(MAX_SECRETS + 1)]})

    assert redaction.text(f"needle{MAX_SECRETS}") == SECRET


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("password=abc def", f"password={SECRET} def"),
        ('{"api_key": "a \\"b\\" c", "x": 1}', f'{{"api_key": {SECRET}, "x": 1}}'),
        ("{'client-secret': 'abc'}", f"{{'client-secret': {SECRET}}}"),
        ("Authorization: Bearer abc", f"Authorization: {SECRET}"),
        ("https://u:abc@host/?token=abc&x=1", f"https://{SECRET}@host/?token={SECRET}&x=1"),
        ("iban: AT61", f"iban: {SECRET}"),
        ("KeyError: password=abc", f"KeyError: password={SECRET}"),
        ("a=b=token=abc", f"a=b=token={SECRET}"),
        ("x" * 100 + "-secret: abc", "x" * 100 + f"-secret: {SECRET}"),
        ("password: 'abc", f"password: {SECRET}"),
        ("password=", "password="),
        ("name=Ada at 12:30, x: 1", "name=Ada at 12:30, x: 1"),
        (f"use {TOKEN}", f"use tnt_{SECRET}"),
    ],
)
def test_what_programs_say_is_without_what_they_call_a_secret(said: str, shown: str) -> None:
    """And stays so where it is looked through again."""
    hide = normalise_names(["iban"])

    assert mask_secrets(said, hide) == shown
    assert mask_secrets(shown, hide) == shown


@given(st.text())
def test_whatever_is_said_is_looked_through_in_no_time_and_once_is_enough(text: str) -> None:
    """Of odd texts, too."""
    once = mask_secrets(text)

    assert mask_secrets(once) == once


@pytest.mark.parametrize(
    "text",
    [
        "a=" * 500_000,
        "password=" * 100_000,
        "a" * 200_000,
        "a:" * 100_000,
        '"' * 200_000,
        "://" + "a" * 200_000,
        "= " * 99_999,
    ],
)
def test_no_text_takes_long(text: str) -> None:
    """A pattern that tries every way through a long text would hold up the one who logs it.

    Twice as much takes twice as long then, or four times; eight times as much would take 64 times as long.
    """

    def took(said: str) -> float:
        began = time.thread_time()
        mask_secrets(said)
        return time.thread_time() - began

    part = text[: len(text) // 8]
    assert took(text) < 24 * max(min(took(part) for _ in range(3)), 0.001)


# ---------------------------------------------------------------- what no schema describes


@pytest.mark.parametrize(
    ("schema", "value", "shown"),
    [
        ({"type": "string"}, {"pin": NEEDLE}, UNKNOWN),
        ({"type": "string"}, [NEEDLE], UNKNOWN),
        ({"type": "integer"}, "text", "text"),
        ({"properties": {"b": {"type": "string"}}}, {"b": "x", "c": NEEDLE}, {"b": "x", "c": UNKNOWN}),
        ({"type": "array", "prefixItems": [{"type": "string"}], "items": False}, ["x"], ["x"]),
        ({"type": "array", "items": {"type": "string"}}, ["x", [NEEDLE]], ["x", UNKNOWN]),
        ({"type": "object"}, {"any": {"thing": [1]}}, {"any": {"thing": [1]}}),
        ({"type": ["object", "null"], "properties": {"b": {}}}, {"b": [1]}, {"b": [1]}),
        ({"anyOf": [{"type": "string"}, {"type": "object"}]}, {"b": 1}, {"b": 1}),
        ({}, {"b": [1]}, {"b": [1]}),
        ({"type": "object", "properties": {"b": {"type": "string"}}}, {"c": None}, {"c": None}),
    ],
)  # fmt: skip
def test_what_a_closed_schema_does_not_know_is_not_shown(
    schema: Any, value: Any, shown: Any
) -> None:
    """It may be a secret in the wrong place, which nothing marks there; what is open shows all."""
    assert shown_by(schema, value) == shown


def shown_by(schema: Any, value: Any) -> Any:
    """What is left of the value of a property."""
    return shown({"a": value}, {"a": schema})["a"]


def test_of_an_action_that_is_not_there_only_names_are_shown() -> None:
    """A misspelt one must not show what the right one hides."""
    params = {"pin": NEEDLE, "deep": {"x": NEEDLE}, "token": "t_4f1c22ab90de7731", "none": None}

    found = redact(params, NOTHING_KNOWN)

    assert found == {"pin": UNKNOWN, "deep": UNKNOWN, "token": UNKNOWN, "none": None}
    assert redact(found, NOTHING_KNOWN) == found == redact(found, None)


def test_of_a_request_about_which_nothing_is_known_nothing_is_said() -> None:
    """As of one that ended its actor."""
    walk = Redaction(ALL_SECRET)
    walk.params({"a": "text-1", "b": {"c": ["text-2"]}})

    assert walk.text("text-1 and text-2") == f"{SECRET} and {SECRET}"


def test_of_a_thousand_rows_each_name_is_looked_up_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """As many times as there are names; a secret in any of them is found all the same."""
    asked: list[str] = []

    def counted(schema: Any, name: str) -> Any:
        asked.append(name)
        return of_property(schema, name)

    of_property = redaction._of_property
    monkeypatch.setattr(redaction, "_of_property", counted)
    row = {"type": "object", "properties": {"pin": {"type": "string", "writeOnly": True}}}
    source = {"type": "object", "properties": {"rows": {"type": "array", "items": row}}}
    rows = [{"name": f"n{number}", "pin": NEEDLE, "password": NEEDLE} for number in range(1000)]

    found = Redaction(source).redact({"rows": rows})

    assert found["rows"][999] == {"name": "n999", "pin": SECRET, "password": SECRET}
    assert NEEDLE not in json.dumps(found)
    assert sorted(asked) == ["name", "password", "pin", "rows"]
