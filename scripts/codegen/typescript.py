"""A typed client in TypeScript: `client.contacts.add({name: "Ada"})`, over the files in typescript_files/.

What the index says is in client.ts; the rest is the same for every index and copied beside it. An integer
that may be beyond 2^53 - 1 is `Integer` (a number or a bigint), in params every integer is.
"""

from __future__ import annotations

import json
import re
import textwrap
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from actors.access import ADMIN
from actors.guidance.schema_text import describe
from actors.index.entries import Action, Index, class_name
from actors.schema.dialect import subschemas
from scripts.codegen.offer import Branch, offered, tree
from scripts.codegen.text import WIDTH
from scripts.codegen.types import Choice, Class, Declaration, TypedField, Types, Whatever

FILES: Final = Path(__file__).parent / "typescript_files"

COPIED: Final = (
    "src/channels.ts",
    "src/errors.ts",
    "src/json.ts",
    "src/runtime.ts",
    "tsconfig.json",
    "README.md",
)
"""Files that are the same for every index."""

BEGUN: Final = ("package.json", "package-lock.json")
"""Files that are written once: their name and version are their owner's from then on."""

TAKEN: Final = frozenset({"call", "request", "close", "tenant", "token", "constructor"})
"""Members of every client: a group or an action of such a name gets a trailing _."""

IMPORTED: Final = (
    *("Client", "Actions", "BaseClient", "CallOptions", "ClientOptions", "Integer", "Record"),
    *("Promise", "CallError", "AnyCallError", "Code", "Detail", "Meta", "Reply", "Waiting"),
)
"""Names that mean something in the module."""

SAFE: Final = 2**53 - 1
"""The largest integer up to which a number of JavaScript holds each one."""

_WORDS: Final[Mapping[str, str]] = {
    "str": "string",
    "float": "number",
    "bool": "boolean",
    "None": "null",
    "Any": "unknown",
    "True": "true",
    "False": "false",
}

_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|-?\w+|[\[\],|]')

_NAME = re.compile(r"[A-Za-z_$][\w$]*\Z", re.ASCII)

HEAD: Final = """\
// Written by scripts/schema from {source}: change that and run it again.
// A client of this backend, with a method for each action.

import {{ {values} }} from "./runtime.js";
import type {{ CallOptions }} from "./runtime.js";
{integer}
export {{ CallError, isCallError }} from "./errors.js";
export type {{ AnyCallError, Code, Detail, Meta, Reply }} from "./errors.js";
export type {{ CallOptions, ClientOptions, Waiting }} from "./runtime.js";
export type {{ Integer }} from "./json.js";
"""

INTEGER: Final = 'import type { Integer } from "./json.js";\n'


def typescript_client(index: Index) -> str:
    """Return the text of client.ts."""
    actions = offered(index)
    writer = _Writer(actions)
    lines = [*writer.types(), *writer.actions(), *writer.client(tree(actions))]
    body = "\n".join(lines)
    values = ", ".join(["BaseClient", *(["callable"] if "= callable(" in body else [])])
    integer = INTEGER if re.search(r"\bInteger\b", body) else ""
    return f"{HEAD.format(source=index.path.name, values=values, integer=integer)}\n{body}\n"


class _Writer:
    """Writes one module."""

    def __init__(self, actions: Iterable[Action]) -> None:
        self._types = Types(actions)
        self._sent: set[str] = set()
        self._names: dict[str, tuple[str, str]] = {}
        for name in IMPORTED:
            self._types.names.claim(name)
        for action in actions:
            self._declare(action)

    def _declare(self, action: Action) -> None:
        name = self._types.names.claim(class_name(action.name))
        before = set(self._types.declared)
        doc, source = f"Params of {action.name}.", action.params.source
        params = self._types.declare(f"{name}Params", doc, source, "travelling")
        self._sent |= self._types.declared.keys() - before
        doc, source = f"Result of {action.name}.", action.result.source
        result = self._types.declare(f"{name}Result", doc, source, "travelling")
        self._names[action.name] = params, result

    def types(self) -> Iterator[str]:
        """Yield the types of all params and results."""
        for name, declared in self._types.declared.items():
            yield from _type(name, declared, is_sent=name in self._sent)
            yield ""

    def actions(self) -> Iterator[str]:
        """Yield the types of each action by its name."""
        yield "/** Params and result of each action. */"
        yield "export interface Actions {"
        for name, (params, result) in self._names.items():
            yield f"  {key(name)}: {{ params: {params}; result: {result} }};"
        yield from ("}", "")

    def client(self, root: Branch) -> Iterator[str]:
        """Yield the class."""
        yield "/** Every action as a method: `await client.contacts.get({ id: 1 })`. */"
        yield "export class Client extends BaseClient<Actions> {"
        for word, branch in root.branches.items():
            name = key(word)
            while name in TAKEN or (name != word and name in root.branches):
                name += "_"
            yield from comment(_summary(branch), "  ")
            yield f"  readonly {name} = {self._value(branch, '  ')};"
        yield "}"

    def _value(self, branch: Branch, indent: str) -> str:
        """Return the expression for an action, a group of them, or both."""
        if not branch.branches:
            return self._method(branch, indent)
        if branch.action is None:
            return self._members(branch, indent)
        return f"callable({self._method(branch, indent)}, {self._members(branch, indent)})"

    def _members(self, branch: Branch, indent: str) -> str:
        inner = f"{indent}  "
        lines = [
            line
            for word, each in branch.branches.items()
            for line in (
                *comment(_summary(each), inner),
                f"{inner}{key(word)}: {self._value(each, inner)},",
            )
        ]
        return "\n".join(("{", *lines, f"{indent}}}"))

    def _method(self, branch: Branch, indent: str) -> str:
        assert branch.action is not None
        params, result = self._names[branch.action.name]
        declared = self._types.declared[params]
        needs = isinstance(declared, Class) and any(each.required for each in declared.fields)
        signature = f"(params: {params}{'' if needs else ' = {}'}, options?: CallOptions)"
        name = json.dumps(branch.action.name)
        return f"{signature}: Promise<{result}> =>\n{indent}  this.call({name}, params, options)"


def _summary(branch: Branch) -> str:
    if branch.action is None:
        return f"Actions whose names begin with `{branch.path}.`."
    summary = branch.action.summary.strip()
    if branch.action.channel != ADMIN:
        return summary
    return f"{summary.rstrip('.')}. On the admin channel, which has no gateway."


def _type(name: str, declared: Declaration, *, is_sent: bool) -> Iterator[str]:
    match declared:
        case Class(_, doc, ()):
            yield from comment(doc)
            yield f"export type {name} = Record<string, never>;"
        case Class(_, doc, fields):
            yield from comment(doc)
            yield f"export interface {name} {{"
            for field in fields:
                yield from comment(describe(field.schema), "  ")
                yield f"  {key(field.name)}{'' if field.required else '?'}: {_field(field, is_sent)};"
            yield "}"
        case Choice(values):
            yield f"export type {name} = {' | '.join(map(_literal, values))};"
        case Whatever(type_):
            yield f"export type {name} = {translated(type_)};"


def _field(field: TypedField, is_sent: bool) -> str:
    """Return the type of a property: integers are numbers if the server sends none beyond SAFE."""
    integers = [each for _, each in subschemas(field.schema) if _is_integer(each)]
    is_safe = not is_sent and all(_is_safe(each) for each in integers)
    return translated(field.type, "number" if is_safe else "Integer")


def _is_integer(schema: Any) -> bool:
    kind = schema.get("type") if isinstance(schema, Mapping) else None
    return "integer" in (kind if isinstance(kind, list) else [kind])


def _is_safe(schema: Mapping[str, Any]) -> bool:
    low = schema.get("minimum", schema.get("exclusiveMinimum", -SAFE - 1))
    high = schema.get("maximum", schema.get("exclusiveMaximum", SAFE + 1))
    return bool(low >= -SAFE and high <= SAFE)


def translated(type_: str, integer: str = "Integer") -> str:
    """Return a type of scripts/codegen/types.py in TypeScript; `integer` stands for `int`."""
    return _union(_TOKEN.findall(type_)[::-1], integer)


def _union(tokens: list[str], integer: str) -> str:
    """Take a union from the end of the tokens, which are in reverse."""
    parts = [_term(tokens, integer)]
    while tokens and tokens[-1] == "|":
        tokens.pop()
        parts.append(_term(tokens, integer))
    return " | ".join(parts)


def _term(tokens: list[str], integer: str) -> str:
    word = tokens.pop()
    if not tokens or tokens[-1] != "[":
        return {**_WORDS, "int": integer}.get(word, word)
    inner: list[str] = []
    while tokens.pop() != "]":
        inner.append(_literal(tokens.pop()) if word == "Literal" else _union(tokens, integer))
    if word == "Literal":
        return " | ".join(inner)
    if word == "dict":
        return f"Record<string, {inner[-1]}>"
    return f"({inner[0]})[]" if " | " in inner[0] else f"{inner[0]}[]"


def _literal(value: str) -> str:
    """Return a value of a Literal in TypeScript."""
    if value.lstrip("-").isdigit():
        return value if abs(int(value)) <= SAFE else f"{value}n"
    return _WORDS.get(value, value)


def key(name: str) -> str:
    """Return a property's name, in quotes if needed."""
    return name if _NAME.match(name) else json.dumps(name)


def comment(text: str, indent: str = "") -> Iterator[str]:
    """Yield a comment for editors; nothing for no text."""
    words = " ".join("".join(each if each.isprintable() else " " for each in text).split())
    lines = textwrap.wrap(words.replace("*/", "*\\/"), WIDTH - len(indent) - 8)
    if len(lines) == 1:
        yield f"{indent}/** {lines[0]} */"
    elif lines:
        yield f"{indent}/**"
        yield from (f"{indent} * {line}" for line in lines)
        yield f"{indent} */"
