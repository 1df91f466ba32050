"""docs/message-api.md says what the code does: its tables and examples are read and tried."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import msgpack
import pytest

from transport.codec import encode, parse_reply
from transport.message import CODES, VERSION
from transport.request.model import Request
from transport.request.parser import BadRequest, parse_request
from transport.validation import LIMITS, REPLIES

PAGE = (Path(__file__).parents[2] / "docs" / "message-api.md").read_text(encoding="utf-8")


def example(kind: str) -> str:
    """The fenced block that is marked so."""
    found = re.search(rf"^```{kind}\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
    assert found, f"the page has no {kind}"
    return found.group(1)


def bytes_of(kind: str) -> bytes:
    """The bytes of a hex block, whose comments begin after three spaces."""
    return bytes.fromhex(" ".join(line.split("   ")[0] for line in example(kind).splitlines()))


def map_of(kind: str) -> dict[str, Any]:
    """The map of a JSON block."""
    value: dict[str, Any] = json.loads(example(kind))
    return value


def section(title: str) -> str:
    """The text of one section."""
    return PAGE.split(f"\n## {title}\n")[1].split("\n## ")[0]


def first_cells(text: str) -> list[str]:
    """The first column of the tables in a text, without their heads."""
    rows = re.findall(r"^\| (.+?) \|.*\|$", text, re.MULTILINE)
    return [row for row in rows if "`" in row]


def test_the_two_requests_are_one() -> None:
    """Both bodies are taken, and mean the same."""
    request, encoding = parse_request(bytes_of("hex request"))
    assert encoding == "msgpack"
    assert len(bytes_of("hex request")) == 82
    assert parse_request(example("json request").strip().encode()) == (request, "json")
    assert msgpack.unpackb(bytes_of("hex request")) == map_of("json request")


def test_the_two_replies_are_one() -> None:
    """They are what the codec makes, to the byte."""
    reply = map_of("json reply")
    assert encode(reply, "msgpack") == bytes_of("hex reply")
    assert encode(reply, "json") == example("json reply").strip().encode()
    assert len(bytes_of("hex reply")) == 113
    assert parse_reply(bytes_of("hex reply")).result == {"id": 7}


def test_the_refusal_is_what_a_misspelt_field_gets() -> None:
    """Word for word."""
    request = {**map_of("json request"), "timeout": 5}
    with pytest.raises(BadRequest) as caught:
        parse_request(encode(request, "json"))
    refusal = map_of("json refusal")
    assert caught.value.refusal.as_map() == refusal["error"]
    assert parse_reply(encode(refusal, "json")).error == caught.value.refusal


def test_the_table_of_fields_is_the_envelope() -> None:
    """Every field, with its default and its bounds."""
    rows = re.findall(r"^\| `(\w+)` \| (.*?) \| (.*?) \|", section("Request"), re.MULTILINE)
    assert [name for name, _, _ in rows] == list(Request.model_fields)
    said = {name: rest for name, *rest in rows}
    assert said["v"][1] == f"default {VERSION}"
    assert said["timeout_ms"] == ["int 1–600000", "default 30000"]
    required = [name for name, (_, need) in said.items() if need == "required"]
    assert required == [name for name, f in Request.model_fields.items() if f.is_required()]


def test_the_table_of_codes_is_complete() -> None:
    """No code that the page does not explain, and none that does not exist."""
    codes = " ".join(first_cells(section("Reply")))
    assert set(re.findall(r"`(\w+)`", codes)) == CODES


def test_the_limits_are_those_of_the_codec() -> None:
    """The figures of the page are the defaults of the code."""
    text = section("What a body may hold")
    assert f"{LIMITS.body_bytes // 1024} KiB (setting `TENANTRY_BODY_BYTES`)" in text
    assert f"| depth | {LIMITS.depth} maps and arrays" in text
    assert f"| values in all | {LIMITS.values:,}:" in text
    assert f"| elements of one array | {LIMITS.array:,} |" in text
    assert f"| entries of one map | {LIMITS.map:,} |" in text
    said = " ".join(text.split())
    assert f"at most {REPLIES.body_bytes // 1024**2} MiB, depth {REPLIES.depth}" in said
    assert f"{REPLIES.values:,} values, {REPLIES.array:,} elements of an array" in said
    assert f"{REPLIES.map:,} entries of a map" in said
