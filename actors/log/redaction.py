"""What a log may show of a request's params: everything but secrets, and no more than fits a record.

A value is a secret where its schema says so (`writeOnly`, or `format = "password"`), where the name it goes
by looks like one's, or where it is one of the names that the server's settings hide. Where a schema leaves
open which of several descriptions a value follows, each of them counts: rather too little is shown than too
much. What a closed schema does not know is not shown either: it may be a secret of another action's, or one
in the wrong place.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from hashlib import sha256
from itertools import islice
from typing import Any

from transport.fit import fit, fit_text, text_of

SECRET = "(redacted)"  # noqa: S105 - what stands in place of one
"""What stands in place of a secret."""

UNKNOWN = "(unknown)"
"""What stands in place of what no schema describes."""

NOTHING_KNOWN: Mapping[str, Any] = {"type": "object", "additionalProperties": False}
"""The schema of an action that is not there."""

ALL_SECRET: Mapping[str, Any] = {"type": "object", "additionalProperties": {"writeOnly": True}}
"""The schema of params about which nothing is known, of which nothing may be said."""

SECRET_NAMES = (
    *("token", "secret", "password", "passwd", "pwd", "passphrase", "passcode", "credential"),
    *("apikey", "accesskey", "privatekey", "signingkey", "encryptionkey"),
    *("authorization", "bearer", "cookie"),
)
"""Parts of names that tell a secret, as letters and digits alone: api_key, X-API-Key and apiKey are one."""

MAX_BYTES = 4096
"""Bytes of params as JSON; what is larger is shown in outline."""

SHORT_BYTES = 256
"""Bytes of one param as JSON that an outline still shows as it is."""

SUMMARY = "_summary"
"""The name under which an outline says how large the params were."""

MAX_DEPTH = 32
"""Maps and arrays inside each other, twice what a request can hold."""

MAX_SECRETS = 1000
"""Secrets of one request that are looked for in what is said of it; where there are more, nothing is said."""

MIN_SECRET_LENGTH = 4
"""Characters of a text, at least, to be looked for: shorter ones are everywhere."""

CACHED_LENGTH = 64
"""Characters of a name, at most, whose verdict is remembered: names come from outside."""

MOST_NAMES = 1000
"""Names within one request whose descriptions are remembered: a thousand rows have the same ones."""

TOKEN_START = "tnt_"  # noqa: S105 - what every token begins with, and no token
"""What tokens of ours begin with."""

_TOKEN = re.compile(r"tnt_[A-Za-z0-9_-]+")
_NAME = re.compile(r"(?<![\w-])([\w-]++)[\"']?\s{0,3}[:=]\s{0,3}")
"""A name and what stands between it and its value, as programs write them."""

_VALUE = re.compile(
    r"""\"(?:[^\"\\]|\\.)*+\"?|'(?:[^'\\]|\\.)*+'?|(?:(?:Bearer|Basic)\s+)?[^\s,;&)}\]]+\)?"""
)

_LOGIN = re.compile(r"(?<=://)[^/?#\s@:]*:[^/?#\s]*@")
"""User and password in an address, as in `smtp://ada:…@host` (RFC 3986, section 3.2.1)."""
_ID = re.compile(r"[tpg]_[0-9a-f]{16}")
"""Of a token, a person or a grant: names one, and opens nothing."""

Schemas = Sequence[Mapping[str, Any]]
"""All that a value may have to fit."""

COMBINED = ("allOf", "anyOf", "oneOf")
CONDITIONAL = ("if", "then", "else", "not")
OBJECT = "object"
ARRAY = "array"
SCALARS = ("string", "integer", "number", "boolean")
ELEMENTS = ("items", "contains")


NO_NAMES: frozenset[str] = frozenset()
"""Nothing is hidden but what looks secret."""


def redact(
    params: Mapping[str, Any],
    source: Mapping[str, Any] | None,
    hide: frozenset[str] = NO_NAMES,
) -> dict[str, Any]:
    """A JSON map of these params without secrets; `source` is their schema, None where there is none.

    `hide` are further names of secrets, as `normalise_names` makes them. Larger than MAX_BYTES, it is an
    outline: short params as they are, of the others their size, and under SUMMARY the size of all and their
    SHA-256, after redaction: one of the secrets could be guessed from.
    """
    return Redaction(source, hide).params(params)


def mask_tokens(text: object) -> str:
    """The text without tokens of ours and without logins in addresses, and fit to be sent."""
    shown = fit_text(text)
    if "://" in shown:
        shown = _LOGIN.sub(f"{SECRET}@", shown)
    return _TOKEN.sub(f"{TOKEN_START}{SECRET}", shown) if TOKEN_START in shown else shown


def mask_secrets(text: str, hide: frozenset[str] = NO_NAMES) -> str:
    """What a program says, such as an error's message, without tokens and what it calls by a secret's name.

    That is the value in `password=…`, `"api_key": "…"`, `Authorization: Bearer …`, and in `://user:…@`.
    """
    return "".join(_without_values(mask_tokens(text), hide))


def _without_values(text: str, hide: frozenset[str]) -> Iterator[str]:
    """The text, piece by piece; a value may be a name itself, as in `problem: password=…`."""
    done = 0
    while found := _NAME.search(text, done):
        yield text[done : found.end()]
        done = found.end()
        if is_secret_name(found[1]) or normalise_name(found[1]) in hide:
            value = _VALUE.match(text, done)
            if value is not None and SECRET not in value[0]:
                yield SECRET
                done = value.end()
    yield text[done:]


def is_secret_name(name: str) -> bool:
    """Whether a name looks like that of a secret, however it is spelt."""
    return _is_judged_secret(name) if len(name) <= CACHED_LENGTH else _tells_secret(_letters(name))


def normalise_name(name: str) -> str:
    """A name as all its spellings have it: letters and digits alone, in one case."""
    return _folded(name) if len(name) <= CACHED_LENGTH else _letters(name)


def normalise_names(names: Iterable[str]) -> frozenset[str]:
    """What `redacted` takes as `hide`; a name without a letter or digit is none."""
    return frozenset(filter(None, map(normalise_name, names)))


def _letters(name: str) -> str:
    return "".join(filter(str.isalnum, unicodedata.normalize("NFKC", name).casefold()))


_folded = lru_cache(maxsize=4096)(_letters)


def _tells_secret(letters: str) -> bool:
    return any(part in letters for part in SECRET_NAMES)


@lru_cache(maxsize=4096)
def _is_judged_secret(name: str) -> bool:
    return _tells_secret(_letters(name))


class Redaction:
    """One walk over what one request holds; afterwards it knows what else must not be said."""

    def __init__(
        self,
        source: Mapping[str, Any] | None,
        hide: frozenset[str] = NO_NAMES,
        *,
        described_only: bool = False,
        mark: str = SECRET,
        secrets: set[str] | None = None,
    ) -> None:
        """With `described_only`, what no schema describes is a secret too; `mark` stands in place of one.

        `secrets` are shared with other walks: what one has taken out, the others do not say either.
        """
        self._described_only = described_only
        self._mark = mark
        self._schemas: Schemas = [] if source is None else [source]
        self._definitions: Mapping[str, Any] = {} if source is None else source.get("$defs", {})
        self._applied: dict[tuple[int, ...], tuple[Schemas, Schemas]] = {}
        self._named_by: dict[tuple[int, str], Schemas] = {}
        self._hide = hide
        self._secrets: set[str] = set() if secrets is None else secrets
        """Texts that were taken out; more than MOST_SECRETS of them are not kept."""

    def params(self, params: Mapping[str, Any], most: int = MAX_BYTES) -> dict[str, Any]:
        """As `redacted` says; in outline above `most` bytes."""
        shown = self.map(params, self._schemas, 0)
        encoded = _json(shown)
        return shown if len(encoded) <= most else _summary(shown, encoded, most)

    def redact(self, value: Mapping[str, Any]) -> dict[str, Any]:
        """The same of whatever size."""
        return self.map(value, self._schemas, 0)

    def text(self, said: object) -> str:
        """What was said of these params, such as an error's message, without any secret of theirs."""
        text = text_of(said)
        if len(self._secrets) > MAX_SECRETS:
            return SECRET
        for secret in sorted(self._secrets, key=len, reverse=True):
            text = text.replace(secret, SECRET)
        return mask_tokens(text)

    def map(self, value: Mapping[Any, Any], schemas: Schemas, depth: int) -> dict[str, Any]:
        """Each value by what its name and its schemas say."""
        known = self._known(schemas)
        return {
            mask_tokens(name): self._named(text_of(name), inner, known, depth + 1)
            for name, inner in value.items()
        }

    def _named(self, name: str, value: Any, schemas: Schemas, depth: int) -> Any:
        shown = self._described(value, self._of_name(name, schemas), depth)
        if self._hide and value is not None and normalise_name(name) in self._hide:
            return self._masked(value)
        if is_secret_name(name):
            return self._mask_named(value, shown)
        return shown

    def _of_name(self, name: str, schemas: Schemas) -> Schemas:
        """What describes the value of this name, of schemas that `_known` has returned."""
        key = id(schemas), name
        found = self._named_by.get(key)
        if found is None:
            found = [each for schema in schemas for each in _of_property(schema, name)]
            if len(self._named_by) < MOST_NAMES:
                self._named_by[key] = found
        return found

    def _value(self, value: Any, schemas: Schemas, depth: int) -> Any:
        known = self._known(schemas)
        if value is not None and self._is_withheld(value, known):
            return self._masked(value)
        if type(value) is str:  # nearly all are, and asking what else it may be takes longer
            return mask_tokens(value)
        if isinstance(value, Mapping | list | tuple) and depth > MAX_DEPTH:
            return "(too deep)"
        if isinstance(value, Mapping):
            entries = self.map(value, known, depth)
            return entries if _may_be(OBJECT, known) else UNKNOWN
        if isinstance(value, list | tuple):
            inner = [each for schema in known for each in _of_elements(schema)]
            elements = [self._described(each, inner, depth + 1) for each in value]
            return elements if _may_be(ARRAY, known) else UNKNOWN
        return _scalar(value)

    def _is_withheld(self, value: Any, known: Schemas) -> bool:
        """A map of secrets shows their names; what came in its place shows nothing."""
        if any(map(_is_secret, known)) or (
            self._described_only and not _is_described(value, known)
        ):
            return True
        return any(map(_holds_secrets, known)) and not isinstance(value, Mapping)

    def _described(self, value: Any, schemas: Schemas, depth: int) -> Any:
        """The value, looked through in any case: what it says is secret must not be said elsewhere."""
        shown = self._value(value, schemas, depth)
        return UNKNOWN if _is_closed_to(value, schemas) else shown

    def _known(self, schemas: Schemas) -> Schemas:
        """All that applies; of a thousand rows each has the same, which is looked up once."""
        key = tuple(map(id, schemas))
        found = self._applied.get(key)
        if found is None:  # they are held, so that no other one can get the address of one
            found = self._applied[key] = (schemas, list(self._applicable(schemas)))
        return found[1]

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

    def _mask_named(self, value: Any, shown: Any) -> Any:
        """What is shown under a name like a secret's: yes, no and ids, alone or in an array; nothing else."""
        if isinstance(value, list | tuple) and isinstance(shown, list):
            return [self._mask_named(*each) for each in zip(value, shown, strict=True)]
        if value is None or isinstance(value, bool) or value == UNKNOWN:
            return shown
        if isinstance(value, str) and _ID.fullmatch(value):
            return shown
        return self._masked(value)

    def _masked(self, value: Any) -> str:
        """What stands in the place of a secret, which is remembered."""
        for text in islice(_texts(value), MAX_SECRETS + 1 - len(self._secrets)):
            self._secrets |= {text, fit_text(text), repr(text)[1:-1]}
        return self._mark


def _is_secret(schema: Mapping[str, Any]) -> bool:
    return schema.get("writeOnly") is True or schema.get("format") == "password"


def _holds_secrets(schema: Mapping[str, Any]) -> bool:
    """Whether it describes a map each of whose values is one."""
    inner = schema.get("additionalProperties")
    return isinstance(inner, Mapping) and _is_secret(inner)


def _is_closed_to(value: Any, schemas: Sequence[Any]) -> bool:
    """Whether something says that there is no such value here, and nothing what it is."""
    return value is not None and False in schemas and not any(schemas)


def _is_described(value: Any, schemas: Schemas) -> bool:
    """Whether anything is said of such a value; of a scalar where a map or an array belongs nothing is."""
    is_scalar = not isinstance(value, Mapping | list | tuple)
    return any(schemas) and not (is_scalar and not any(_may_be(each, schemas) for each in SCALARS))


def _may_be(kind: str, schemas: Schemas) -> bool:
    """Whether what these schemas describe may be of this type; where none states one, it may."""
    stated = [schema["type"] for schema in schemas if "type" in schema]
    return not stated or any(kind == each or kind in each for each in stated)


def _of_property(schema: Mapping[str, Any], name: str) -> Iterator[Any]:
    """Schemas of the value under this name; whether it fits a pattern is not asked."""
    properties = schema.get("properties", {})
    yield from schema.get("patternProperties", {}).values()
    yield properties[name] if name in properties else schema.get("additionalProperties")


def _of_elements(schema: Mapping[str, Any]) -> Iterator[Any]:
    """Schemas of an array's elements, wherever they stand."""
    yield from (schema[word] for word in ELEMENTS if word in schema)
    yield from schema.get("prefixItems", ())


def _texts(value: Any) -> Iterator[str]:
    """Every text and number within that is long enough to be looked for, however deep."""
    ahead = [value]
    while ahead:
        each = ahead.pop()
        if isinstance(each, Mapping):
            ahead.extend(each.values())
        elif isinstance(each, list | tuple):
            ahead.extend(each)
        elif isinstance(each, bool):
            continue
        elif (
            isinstance(each, str | int | float) and len(text := text_of(each)) >= MIN_SECRET_LENGTH
        ):
            yield text


def _scalar(value: Any) -> Any:
    """As a reply holds it."""
    shown = fit(value)
    return mask_tokens(shown) if isinstance(shown, str) else shown


def _summary(shown: dict[str, Any], encoded: bytes, most: int) -> dict[str, Any]:
    """As many params as fit, in their order."""
    outline = {SUMMARY: f"{len(encoded)} bytes, SHA-256 {sha256(encoded).hexdigest()}"}
    left = most - SHORT_BYTES
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
