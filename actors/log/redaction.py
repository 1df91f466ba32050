"""What a log may show of a request's params: everything but secrets, and no more than fits a record.

A value is a secret where its schema says so (`writeOnly`, or `format = "password"`), or where the name it
goes by looks like one's. Where a schema leaves open which of several descriptions a value follows, each of
them counts: rather too little is shown than too much.
"""

from __future__ import annotations

import json
import math
import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from hashlib import sha256
from typing import Any

SECRET = "(redacted)"  # noqa: S105 - what stands in place of one
"""What stands in place of a secret."""

SECRET_NAMES = (
    *("token", "secret", "password", "passwd", "pwd", "passphrase", "passcode", "credential"),
    *("apikey", "accesskey", "privatekey", "signingkey", "encryptionkey"),
    *("authorization", "bearer", "cookie"),
)
"""Parts of names that tell a secret, as letters and digits alone: api_key, X-API-Key and apiKey are one."""

MOST_BYTES = 4096
"""Bytes of params as JSON; what is larger is shown in outline."""

SHORT_BYTES = 256
"""Bytes of one param as JSON that an outline still shows as it is."""

SUMMARY = "_summary"
"""The name under which an outline says how large the params were."""

MOST_DEPTH = 32
"""Maps and arrays inside each other, twice what a request can hold."""

_TOKEN = re.compile(r"tnt_[A-Za-z0-9_-]+")
_LOGIN = re.compile(r"(?<=://)[^/?#\s@:]*:[^/?#\s]*@")
"""User and password in an address, as in `smtp://ada:…@host` (RFC 3986, section 3.2.1)."""
_ID = re.compile(r"[tpg]_[0-9a-f]{16}")
"""Of a token, a person or a grant: names one, and opens nothing."""

Schemas = Sequence[Mapping[str, Any]]
"""All that a value may have to fit."""

COMBINED = ("allOf", "anyOf", "oneOf")
CONDITIONAL = ("if", "then", "else", "not")
ELEMENTS = ("items", "contains")


def redacted(params: Mapping[str, Any], source: Mapping[str, Any] | None) -> dict[str, Any]:
    """A JSON map of these params without secrets; `source` is their schema, None where there is none.

    Larger than MOST_BYTES, it is an outline: short params as they are, of the others their size, and under
    SUMMARY the size of all and their SHA-256, after redaction: one of the secrets could be guessed from.
    """
    schemas = [] if source is None else [source]
    shown = _Redaction(source or {}).map(params, schemas, 0)
    encoded = _json(shown)
    return shown if len(encoded) <= MOST_BYTES else _outline(shown, encoded)


def scrubbed(text: str) -> str:
    """The text without tokens of ours and without logins in addresses, and fit for UTF-8."""
    clean = text.encode(errors="replace").decode()  # a lone surrogate is no character
    return _TOKEN.sub(f"tnt_{SECRET}", _LOGIN.sub(f"{SECRET}@", clean))


def is_secret_name(name: str) -> bool:
    """Whether a name looks like that of a secret, however it is spelt."""
    letters = "".join(filter(str.isalnum, unicodedata.normalize("NFKC", name).casefold()))
    return any(part in letters for part in SECRET_NAMES)


class _Redaction:
    """One walk over params, with the definitions that their schema refers to."""

    def __init__(self, source: Mapping[str, Any]) -> None:
        self._definitions: Mapping[str, Any] = source.get("$defs", {})

    def map(self, value: Mapping[Any, Any], schemas: Schemas, depth: int) -> dict[str, Any]:
        """Each value by what its name and its schemas say."""
        known = list(self._applicable(schemas))
        return {
            scrubbed(str(name)): self._named(str(name), inner, known, depth + 1)
            for name, inner in value.items()
        }

    def _named(self, name: str, value: Any, schemas: Schemas, depth: int) -> Any:
        inner = [each for schema in schemas for each in _of_property(schema, name)]
        shown = self._value(value, inner, depth)
        return _unless_harmless(value, shown) if is_secret_name(name) else shown

    def _value(self, value: Any, schemas: Schemas, depth: int) -> Any:
        known = list(self._applicable(schemas))
        if value is not None and any(map(_is_secret, known)):
            return SECRET
        if isinstance(value, Mapping | list | tuple) and depth > MOST_DEPTH:
            return "(too deep)"
        if isinstance(value, Mapping):
            return self.map(value, known, depth)
        if isinstance(value, list | tuple):
            inner = [each for schema in known for each in _of_elements(schema)]
            return [self._value(each, inner, depth + 1) for each in value]
        return _scalar(value)

    def _applicable(self, schemas: Schemas) -> Iterator[Mapping[str, Any]]:
        """These schemas and all that they refer to or combine, each once."""
        ahead: list[Any] = list(schemas)
        seen: set[int] = set()
        while ahead:
            schema = ahead.pop()
            if not isinstance(schema, Mapping) or id(schema) in seen:
                continue
            seen.add(id(schema))
            yield schema
            ahead.append(self._definitions.get(str(schema.get("$ref", "")).rpartition("/")[2]))
            ahead.extend(schema[word] for word in CONDITIONAL if word in schema)
            ahead.extend(each for word in COMBINED for each in schema.get(word, ()))


def _is_secret(schema: Mapping[str, Any]) -> bool:
    return schema.get("writeOnly") is True or schema.get("format") == "password"


def _of_property(schema: Mapping[str, Any], name: str) -> Iterator[Any]:
    """Schemas of the value under this name; whether it fits a pattern is not asked."""
    properties = schema.get("properties", {})
    yield from schema.get("patternProperties", {}).values()
    yield properties[name] if name in properties else schema.get("additionalProperties")


def _of_elements(schema: Mapping[str, Any]) -> Iterator[Any]:
    """Schemas of an array's elements, wherever they stand."""
    yield from (schema[word] for word in ELEMENTS if word in schema)
    yield from schema.get("prefixItems", ())


def _unless_harmless(value: Any, shown: Any) -> Any:
    """What is shown under a name like a secret's: yes, no and ids, alone or in an array; nothing else."""
    if isinstance(value, list | tuple) and isinstance(shown, list):
        return [_unless_harmless(*each) for each in zip(value, shown, strict=True)]
    if value is None or isinstance(value, bool):
        return shown
    return shown if isinstance(value, str) and _ID.fullmatch(value) else SECRET


def _scalar(value: Any) -> Any:
    """As JSON has it."""
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, bytes | bytearray | memoryview):
        return f"({len(value)} bytes)"
    return scrubbed(str(value))


def _outline(shown: dict[str, Any], encoded: bytes) -> dict[str, Any]:
    """As many params as fit, in their order."""
    outline = {SUMMARY: f"{len(encoded)} bytes, SHA-256 {sha256(encoded).hexdigest()}"}
    left = MOST_BYTES - SHORT_BYTES
    for name, value in shown.items():
        size = len(_json(value))
        brief = value if size <= SHORT_BYTES else f"({size} bytes)"
        left -= len(_json({name: brief}))
        if left < 0:
            outline[SUMMARY] += f"; {len(shown)} params, not all of them here"
            break
        if name != SUMMARY:
            outline[name] = brief
    return outline


def _json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
