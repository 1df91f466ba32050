"""A tenant's config: what a merge patch makes of it, and what it may never hold."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.admin.directory.config import (
    MAX_BYTES,
    MAX_DEPTH,
    checked,
    control_characters,
    merge_patch,
    patched,
    unsafe_text_problem,
)
from actors.admin.messages import (
    AddDeveloper,
    AddMember,
    ChangeMember,
    CreateTenant,
    DeleteTenant,
    GrantSuper,
    IssueToken,
    ListMembers,
    SuspendTenant,
)
from actors.errors import InvalidArgument
from actors.index.defaults import default_schema
from actors.index.entries import ConfigSchemas
from actors.profiles import deep_freeze
from actors.schema.schema import Schema
from tests.actors.admin.directory_harness import DirectoryHarness

ANYTHING = Schema.build("config.whitelabel", {"additionalProperties": True})
DEFAULT = ConfigSchemas(default_schema("settings"), default_schema("whitelabel"))
OPEN = ConfigSchemas(default_schema("settings"), ANYTHING)
"""Whose whitelabel may be any map: what is refused is refused by the texts' own rules."""

NOTHING: dict[str, Any] = {"settings": {}, "whitelabel": {}}


def refusal(patch: Any, schemas: ConfigSchemas = OPEN, config: Any = NOTHING) -> InvalidArgument:
    """Why this patch is refused."""
    with pytest.raises(InvalidArgument) as caught:
        patched(config, patch, schemas)
    return caught.value


def fields(error: InvalidArgument) -> list[str]:
    """Which fields it names."""
    return [problem.field for problem in error.refusal.details]


# JSON Merge Patch

VECTORS = """
{"a":"b"}           {"a":"c"}            {"a":"c"}
{"a":"b"}           {"b":"c"}            {"a":"b","b":"c"}
{"a":"b"}           {"a":null}           {}
{"a":"b","b":"c"}   {"a":null}           {"b":"c"}
{"a":["b"]}         {"a":"c"}            {"a":"c"}
{"a":"c"}           {"a":["b"]}          {"a":["b"]}
{"a":{"b":"c"}}     {"a":{"b":"d","c":null}}   {"a":{"b":"d"}}
{"a":[{"b":"c"}]}   {"a":[1]}            {"a":[1]}
["a","b"]           ["c","d"]            ["c","d"]
{"a":"b"}           ["c"]                ["c"]
{"a":"foo"}         null                 null
{"a":"foo"}         "bar"                "bar"
{"e":null}          {"a":1}              {"e":null,"a":1}
[1,2]               {"a":"b","c":null}   {"a":"b"}
{}                  {"a":{"bb":{"ccc":null}}}  {"a":{"bb":{}}}
"""


@pytest.mark.parametrize("vector", VECTORS.strip().splitlines())
def test_a_merge_patch_does_what_the_rfc_says(vector: str) -> None:
    """RFC 7396, appendix A: original, patch, result."""
    target, patch, result = map(json.loads, vector.split())
    assert merge_patch(target, patch) == result


SCALARS = st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=3)
NAMES = st.sampled_from(["a", "b", "c", "texts"])
VALUES: st.SearchStrategy[Any] = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=8,
)


def without_null(value: Any) -> Any:
    """As a merge patch can make it: no map has a null, lists may."""
    if isinstance(value, dict):
        return {name: without_null(each) for name, each in value.items() if each is not None}
    return value


@given(VALUES, VALUES)
def test_a_merge_patch_given_twice_is_given_once(target: Any, patch: Any) -> None:
    """It states what is wanted, not a step: a repeated request does no harm."""
    once = merge_patch(target, patch)
    assert merge_patch(once, patch) == once


@given(VALUES)
def test_a_merge_patch_of_nothing_changes_nothing(target: Any) -> None:
    """For maps; anything else is replaced by a map, as the RFC has it."""
    assert merge_patch(target, {}) == (target if isinstance(target, dict) else {})


@given(VALUES)
def test_a_value_without_null_can_be_made_from_nothing(value: Any) -> None:
    """And a merge patch never leaves a null in a map that it wrote."""
    assert merge_patch(None, value) == without_null(value)


@given(VALUES, VALUES)
def test_a_merge_patch_changes_neither_of_its_arguments(target: Any, patch: Any) -> None:
    """The old revision is still somebody's, and the request's params are hashed."""
    before = copy.deepcopy((target, patch))
    merge_patch(target, patch)
    assert (target, patch) == before


# What a config may be


def test_a_patch_states_only_what_it_changes() -> None:
    """Null takes a field away, and a whole part; what is not named stays."""
    config = patched(NOTHING, {"settings": {"a": 1, "b": 2}}, DEFAULT)
    config = patched(config, {"settings": {"a": None}, "whitelabel": {"locale": "en"}}, DEFAULT)
    assert config == {"settings": {"b": 2}, "whitelabel": {"locale": "en"}}
    assert patched(config, {"settings": None}, DEFAULT) == {
        "settings": {},
        "whitelabel": {"locale": "en"},
    }


def test_a_frozen_config_can_be_patched() -> None:
    """It is what functions and the Directory's readers have."""
    config = deep_freeze({"settings": {"list": [1]}, "whitelabel": {}})
    assert patched(config, {"settings": {"b": 2}}, DEFAULT)["settings"] == {"list": [1], "b": 2}


def test_there_is_nothing_at_the_top_but_settings_and_whitelabel() -> None:
    """A misspelt part would otherwise be kept and never read."""
    error = refusal({"setings": {}, "whitelabel": 5})
    assert fields(error) == ["params.patch.setings", "params.patch.whitelabel"]


@pytest.mark.parametrize(
    ("patch", "field"),
    [
        ({"logo_url": "ftp://example.com/logo.svg"}, "params.patch.whitelabel.logo_url"),
        ({"logo_uri": "https://example.com"}, "params.patch.whitelabel.logo_uri"),
        ({"texts": {"not_found": 5}}, "params.patch.whitelabel.texts.not_found"),
        ({"colours": {"primary": "red"}}, "params.patch.whitelabel.colours.primary"),
        ({"support_address": "nowhere"}, "params.patch.whitelabel.support_address"),
    ],
)
def test_a_part_of_the_wrong_shape_is_refused_by_its_field(patch: Any, field: str) -> None:
    """As the index's schema says; the field is spelt as in the request."""
    error = refusal({"whitelabel": patch}, DEFAULT)
    assert fields(error) == [field]
    assert field in error.refusal.message


def test_settings_are_held_to_their_schema_too() -> None:
    """Whatever the index states for them."""
    schema = Schema.build("config.settings", {"properties": {"seats": {"type": "integer"}}})
    error = refusal({"settings": {"seats": "many"}}, ConfigSchemas(schema, ANYTHING))
    assert fields(error) == ["params.patch.settings.seats"]


def of_size(size: int) -> dict[str, Any]:
    """A patch that makes a config of so many bytes."""
    empty = len('{"settings":{"a":""},"whitelabel":{}}')
    text = "é" + "x" * (size - empty - 2)  # é is two bytes and one character
    return {"settings": {"a": text}}


def test_a_config_of_64_kib_is_the_largest() -> None:
    """Counted in bytes, of the whole and not of the patch; the error names both sizes."""
    full = patched(NOTHING, of_size(MAX_BYTES), OPEN)
    error = refusal(of_size(MAX_BYTES + 1))
    assert str(MAX_BYTES + 1) in error.refusal.message
    assert str(MAX_BYTES) in error.refusal.message.replace(str(MAX_BYTES + 1), "")
    assert fields(refusal({"whitelabel": {"a": ""}}, config=full)) == ["params.patch"]


def nested(depth: int, innermost: Any) -> Any:
    """Maps and lists by turns."""
    for level in range(depth):
        innermost = {"a": innermost} if level % 2 else [innermost]
    return innermost


@pytest.mark.parametrize("innermost", [5, None, "text"], ids=repr)
def test_a_config_is_8_deep_at_most(innermost: Any) -> None:
    """The config and its part are the first two levels. A deep patch is refused unmerged, also of nulls."""
    inside = nested(MAX_DEPTH - 2, innermost)
    patched(NOTHING, {"settings": {"a": nested(MAX_DEPTH - 2, innermost)}}, OPEN)
    error = refusal({"settings": {"a": {"a": inside}}})
    assert fields(error) == ["params.patch"]
    assert str(MAX_DEPTH) in error.refusal.message


def test_a_patch_deeper_than_pythons_stack_is_refused_like_another() -> None:
    """It must not end the actor that looks at it."""
    assert fields(refusal({"settings": {"a": nested(50_000, 1)}})) == ["params.patch"]


@pytest.mark.parametrize("value", ["\ud800", float("nan"), {"a": b"bytes"}], ids=repr)
def test_what_json_cannot_say_is_refused(value: Any) -> None:
    """The channels' decoder keeps it out; this does not rely on it."""
    assert fields(refusal({"settings": {"a": value}})) == ["params.patch"]


def test_many_problems_are_told_in_part() -> None:
    """A reply stays small."""
    texts = {f"t{n}": "<" for n in range(1000)}
    assert len(fields(refusal({"whitelabel": {"texts": texts}}))) == 20


def test_an_old_config_that_fits_no_longer_is_refused_when_it_is_to_hold_again() -> None:
    """A revert is held to today's schema; the fields are the config's."""
    old = {"settings": {}, "whitelabel": {"tagline": "since 1843"}}
    assert checked(old, OPEN) == old
    with pytest.raises(InvalidArgument) as caught:
        checked(old, DEFAULT)
    assert fields(caught.value) == ["config.whitelabel.tagline"]


def test_a_field_that_fits_no_longer_is_named_although_the_patch_leaves_it_alone() -> None:
    """The config as a whole has to fit when it is changed."""
    old = {"settings": {}, "whitelabel": {"tagline": "since 1843"}}
    assert fields(refusal({"settings": {"a": 1}}, DEFAULT, old)) == [
        "params.patch.whitelabel.tagline"
    ]
    assert patched(old, {"whitelabel": {"tagline": None}}, DEFAULT) == NOTHING


# What whitelabel may say

HOSTILE = [
    "<script>alert(1)</script>",
    "a < b",
    "</p",
    "&lt;script&gt;",
    "&LT",
    "&#60;img",
    "&#x3C;img",
    "&#0000060img",
    "&amp;lt;b",
    "\uff1cscript\uff1e",
    "&#xff1c;b",
    "\uff06lt;b",
    "<\u0338b",
    "javascript:alert(1)",
    "JaVaScRiPt:alert(1)",
    "  javascript:alert(1)",
    "java\tscript:alert(1)",
    "java\nscript :alert(1)",
    "java\u200bscript:alert(1)",
    "java&#115;cript&colon;alert(1)",
    "java&Tab;script:alert(1)",
    "\uff4aavascript:alert(1)",
    "[press](javascript:alert(1))",
    "vbscript:msgbox",
    "data:text/html;base64,PHNjcmlwdD4=",
    " data:,hello",
    "see data:text/html,hello",
    "da\tta:text/html,hello",
    "DATA:image/svg+xml,x",
    "\u202egnp.exe",
    "a\u2066b",
    "&#x202e;b",
    "nul\0",
    "bell\x07",
    "return\r\n",
    "escape\x1b[2J",
    "delete\x7f",
    "next\x85line",
    "line\u2028separator",
]


@pytest.mark.parametrize("text", HOSTILE, ids=ascii)
@pytest.mark.parametrize(
    "where",
    [
        lambda text: {"texts": {"not_found": text}},
        lambda text: {"deep": [{"list": ["fine", text]}]},
        lambda text: {"texts": {text: "fine"}},
    ],
    ids=["text", "deep", "name"],
)
def test_hostile_text_is_refused_wherever_it_stands(where: Any, text: str) -> None:
    """Texts and names at any depth; the error names the field and says what to do."""
    error = refusal({"whitelabel": where(text)})
    (field,) = fields(error)
    assert field.startswith("params.patch.whitelabel.")
    assert ": " in error.refusal.details[0].problem


@pytest.mark.parametrize(
    "text",
    [
        "Q&A – R&D, 5 % off; “quoted” 'text' {product_name}",
        "first line\n\tsecond line",
        "Fish & Chips; AT&T",
        "Ваши данные: всё, что мы знаем",
        "We keep your data: names, addresses and/or numbers.",
        "Java, script and data",
        "https://example.com/?a=1&b=2#c",
        "اتصل بنا \u200f(24)",
        "👩‍👩‍👧 🏴󠁧󠁢󠁥󠁮󠁧󠁿",
        "5 ≥ 3, → ← « »",
    ],
)
def test_ordinary_text_is_kept_as_it_is(text: str) -> None:
    """Of any language; nothing is rewritten."""
    assert unsafe_text_problem(text) is None
    config = patched(NOTHING, {"whitelabel": {"texts": {"not_found": text}}}, OPEN)
    assert config["whitelabel"]["texts"]["not_found"] == text


def test_settings_may_say_what_whitelabel_may_not() -> None:
    """Functions read them; no page shows them."""
    assert patched(NOTHING, {"settings": {"a": "1 < 2"}}, OPEN)["settings"] == {"a": "1 < 2"}


ODD = st.text(
    st.sampled_from("<>&#;x36cltgCamp\t\n \0\u202e\uff1cjavascript:data/,") | st.characters(),
    max_size=12,
)
WHITELABELS: st.SearchStrategy[Any] = st.dictionaries(
    ODD,
    st.recursive(
        SCALARS | ODD,
        lambda inner: st.lists(inner, max_size=2) | st.dictionaries(ODD, inner, max_size=2),
        max_leaves=4,
    ),
    max_size=3,
)


@given(WHITELABELS, WHITELABELS)
def test_nothing_accepted_holds_markup_and_all_of_it_passes_again(first: Any, second: Any) -> None:
    """Whatever is patched onto whatever: it is refused, or it is a config."""
    config = NOTHING
    for patch in (first, second):
        try:
            config = patched(config, {"whitelabel": patch}, OPEN)
        except InvalidArgument:
            continue
        assert not set("<>\0\u202e\uff1c") & set(
            json.dumps(config["whitelabel"], ensure_ascii=False)
        )
        assert checked(config, OPEN) == config


@given(VALUES)
def test_whatever_is_patched_is_refused_or_a_config(value: Any) -> None:
    """No other error, whatever a caller sends as the parts."""
    try:
        config = patched(NOTHING, {"settings": value, "whitelabel": value}, DEFAULT)
    except InvalidArgument:
        return
    assert checked(config, DEFAULT) == config


FIELDS: dict[str, Callable[[str, str], Any]] = {
    "params.owner.name": lambda text, _: CreateTenant("globex", text, None, token=False),
    "params.owner.email": lambda text, _: CreateTenant("globex", "Ada", text, token=False),
    "params.name": lambda text, _: AddMember("acme", text, None),
    "params.email": lambda text, _: AddMember("acme", "Joan", text),
    "params.label": lambda text, ada: IssueToken("acme", ada, text, None, None),
    "params.reason": lambda text, _: SuspendTenant("acme", text),
}
"""What each text's command is, by the name that its request gives it."""

OTHERS: list[tuple[str, Callable[[str, str], Any]]] = [
    ("params.name", lambda text, _: CreateTenant(text, "Ada", None, token=False)),
    ("params.name", lambda text, ada: ChangeMember("acme", ada, text, None)),
    ("params.email", lambda text, ada: ChangeMember("acme", ada, None, text)),
    ("params.name", lambda text, _: AddDeveloper(text, None, "developer")),
    ("params.reason", lambda text, _: DeleteTenant("acme", 30, text)),
    ("params.reason", lambda text, ada: GrantSuper("acme", ada, 60, text)),
]

HOSTILE_TEXTS = [
    "a\x1b[2Jb",
    "a\nb",
    "ab\n",
    "a\tb",
    "a\x00b",
    "a\x9bb",
    "a\u2028b",
    "a\u202eb",
    "a\u2066b",
]


@pytest.mark.parametrize(("field", "command"), [*FIELDS.items(), *OTHERS])
def test_each_text_of_a_command_is_looked_at(
    directory: DirectoryHarness, field: str, command: Callable[[str, str], Any]
) -> None:
    """The refusal names the field as the request has it, never its text; nothing is done."""
    ada = directory.tenant().person
    before = directory.ask(ListMembers("acme", "", 50))
    for text in HOSTILE_TEXTS:
        error = directory.refusal(command(text, ada))
        assert isinstance(error, InvalidArgument)
        assert [each.field for each in error.refusal.details] == [field]
        assert str(error).startswith(f"{field} contains a c")
        assert text not in str(error)
    assert directory.ask(ListMembers("acme", "", 50)) == before


@pytest.mark.parametrize("name", ["Zoë O’Hara-Ünal", "山田 太郎", "אדה", "عائشة", "👩‍💻 Ada"])
def test_people_are_called_what_they_are_called(directory: DirectoryHarness, name: str) -> None:
    """In any script, from right to left as well."""
    directory.tenant()
    assert directory.execute(AddMember("acme", name, None))["member"]["name"] == name


def test_texts_of_several_lines_may_be_laid_out() -> None:
    """Where they are for that, as those of whitelabel."""
    assert control_characters("a\n\tb", "\n\t") is None
    assert "only line breaks" in str(control_characters("a\r\nb", "\n\t"))
    assert "line breaks" in str(control_characters("a\nb"))


# ---------------------------------------------------------------- origins


@pytest.mark.parametrize(
    "origin",
    [
        "https://desk.example",
        "https://a.b.c.example:8443",
        "https://xn--bcher-kva.example",
        "http://localhost:3000",
        "http://127.0.0.1:8080",
        "http://[::1]:8080",
    ],
)
def test_origins_are_listed_as_browsers_send_them(origin: str) -> None:
    config = patched(NOTHING, {"origins": [origin]}, DEFAULT)
    assert config == {**NOTHING, "origins": [origin]}
    assert patched(deep_freeze(config), {"origins": None}, DEFAULT) == NOTHING
    assert patched(deep_freeze(config), {"origins": []}, DEFAULT) == NOTHING


@pytest.mark.parametrize(
    "origin",
    [
        "*",
        "null",
        "https://*.example",
        "https://desk.example/",
        "https://desk.example/page",
        "https://Desk.example",
        "https://desk.example:443",
        "https://desk.example:0",
        "https://user@desk.example",
        "http://desk.example",
        "http://localhost.evil.example",
        "https://",
        "https://-a.example",
        "https://desk.example\n",
        "javascript:alert(1)",
        "https://bücher.example",
        "https://" + "a" * 64 + ".example",
        5,
        None,
    ],
)
def test_what_no_browser_sends_is_no_origin(origin: Any) -> None:
    """A pattern among them would open a tenant to more pages than its owner thinks."""
    assert fields(refusal({"origins": ["https://desk.example", origin]})) == [
        "params.patch.origins.1"
    ]


@pytest.mark.parametrize("origins", ["https://desk.example", {"a": 1}, 5])
def test_origins_are_a_list(origins: Any) -> None:
    assert fields(refusal({"origins": origins})) == ["params.patch.origins"]


def test_there_are_so_many_origins_at_most() -> None:
    origins = [f"https://a{number}.example" for number in range(51)]
    assert patched(NOTHING, {"origins": origins[:50]}, DEFAULT)["origins"] == origins[:50]
    assert fields(refusal({"origins": origins})) == ["params.patch.origins"]
