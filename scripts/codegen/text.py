"""Writes Python text in the format of ruff's formatter: classes, docstrings, and their imports."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Callable, Collection, Iterable, Iterator

from actors.guidance.schema_text import describe
from scripts.codegen.types import WORDS, Choice, Class, Declaration, TypedField, Types, Whatever

WIDTH = 100

MARK = "Written by scripts/schema from"
"""The mark of every generated Python file."""

UNUSUAL = (
    "# fmt: off\n# ruff: noqa: E501 - a name of the index makes a longer line than is allowed\n"
)
"""The head of a module with a line that cannot be kept short."""

_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|\w+')


class ImportList:
    """The imports of a module, collected while its text is written."""

    def __init__(self, *, closed: bool) -> None:
        """`closed`: declare every TypedDict as closed, which only type checkers understand."""
        self.closed = closed
        self._modules = {**WORDS, "TypedDict": "typing_extensions" if closed else "typing"}
        self._used: set[tuple[str, str]] = set()

    def of(self, type_: str, hidden: Collection[str] = ()) -> str:
        """Return the type, with `_list` for `list` if a class uses that name for a member."""

        def word(found: re.Match[str]) -> str:
            text = found[0]
            return self.word(text, hidden) if text in WORDS else text

        return _TOKEN.sub(word, type_)

    def word(self, word: str, hidden: Collection[str] = ()) -> str:
        """Return one word of WORDS, and import it if needed."""
        module = self._modules[word]
        if word in hidden:
            self._used.add((module, f"{word} as _{word}"))
            return f"_{word}"
        if module != "builtins":
            self._used.add((module, word))
        return word

    def lines(self) -> Iterator[str]:
        """Yield imports in isort's order: the standard library first, one module a line."""
        for modules in (lambda name: name != "typing_extensions", "typing_extensions".__eq__):
            yield from _block(self._used, modules)


def _block(used: Iterable[tuple[str, str]], chosen: Callable[[str], bool]) -> Iterator[str]:
    plain = sorted({module for module, _ in used if chosen(module)})
    for module in plain:
        words = sorted((word for each, word in used if each == module), key=_isort_key)
        apart = [word for word in words if " as " in word]
        together = [word for word in words if " as " not in word]
        if together:
            yield f"from {module} import {', '.join(together)}"
        yield from (f"from {module} import {word}" for word in apart)
    if plain:
        yield ""


def _isort_key(word: str) -> tuple[bool, str]:
    """Return ruff's sort key: classes before functions."""
    return not word[:1].isupper(), word


def declarations(types: Types, imports: ImportList) -> Iterator[list[str]]:
    """Yield the lines of each type of a module."""
    for name, declared in types.declared.items():
        yield list(_declaration(name, declared, imports))


def _declaration(name: str, declared: Declaration, imports: ImportList) -> Iterator[str]:
    match declared:
        case Whatever(type_):
            yield f"{name} = {imports.of(type_)}"
        case Choice(values):
            yield f"{name} = {imports.word('Literal')}["
            yield from (f"    {value}," for value in values)
            yield "]"
        case Class("travelling", doc, fields):
            base = f"{imports.word('TypedDict')}{', closed=True' if imports.closed else ''}"
            yield f"class {name}({base}):"
            yield from _documented(doc, list(_fields(fields, imports, optional=True)))
        case Class(_, doc, fields, is_open):
            yield f"@{imports.word('dataclass')}(frozen=True, init=False)"
            yield f"class {name}:"
            members = [*_fields(fields, imports, optional=False)]
            yield from _documented(doc, [*members, *_model(fields, imports, is_open)])


def _documented(doc: str, members: list[str]) -> Iterator[str]:
    """Yield the body of a class."""
    if doc:
        yield from docstring(doc, 4, "An object.")
        yield from ("",) if members else ()
    yield from members or (() if doc else ("    pass",))


def _fields(fields: Iterable[TypedField], imports: ImportList, *, optional: bool) -> Iterator[str]:
    hidden = {each.name for each in fields}
    for each in fields:
        type_ = imports.of(each.type, hidden)
        if optional and not each.required:
            type_ = f"{imports.word('NotRequired', hidden)}[{type_}]"
        yield f"    {each.name}: {type_}"
        if words := describe(each.schema):
            yield from docstring(words, 4)


def _model(fields: Iterable[TypedField], imports: ImportList, is_open: bool) -> Iterator[str]:
    """Yield the members of a function's params other than their properties."""
    hidden = {each.name for each in fields}
    text = imports.of("set[str]", hidden)
    yield f"    @{imports.word('property', hidden)}"
    yield f"    def model_fields_set(self) -> {text}: ..."
    if is_open:
        types = imports.of("str", hidden), imports.of("Any", hidden)
        yield f"    def __getattr__(self, name: {types[0]}, /) -> {types[1]}: ..."


def docstring(text: str, indent: int, title: str | None = None) -> Iterator[str]:
    """Yield a docstring: one line if it fits, else a paragraph, below a title if one is given."""
    margin = " " * indent
    words = "".join(each if each.isprintable() else " " for each in text)
    words = " ".join(words.replace('"""', "'''").split())
    words = words if words.endswith((".", "!", "?", ":")) else f"{words}."
    opening = 'r"""' if "\\" in words else '"""'
    room = WIDTH - indent - len(opening) - 3
    if len(words) <= room:
        yield f'{margin}{opening}{words}"""'
        return
    lines = textwrap.wrap(words, room, break_long_words=False, break_on_hyphens=False)
    first, *rest = [title, "", *lines] if title else lines
    yield f"{margin}{opening}{first}"
    yield from (f"{margin}{line}".rstrip() for line in rest)
    yield f'{margin}"""'


def heading(text: str, source: str) -> Iterator[str]:
    """Yield a module's docstring: its purpose, and its source."""
    yield f'"""{text}'
    yield ""
    yield f"{MARK} {source}: change that and run it again."
    yield '"""'
    yield ""


def finished(lines: Iterable[str]) -> str:
    """Return the text of a module, with the formatter turned off if a line is too long for it."""
    text = "\n".join(lines).rstrip("\n") + "\n"
    if all(len(line) <= WIDTH for line in text.splitlines()):
        return text
    return UNUSUAL + text
