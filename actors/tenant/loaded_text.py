"""Finds every text that loaded code holds as a constant, so that KnownText can tell it from the rest.

Run when code is loaded, a few milliseconds for a module; never during a message.
"""

from __future__ import annotations

import sys
import sysconfig
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path
from types import CodeType, FunctionType, MethodType, ModuleType
from typing import Any, Final

from sqlalchemy import Table, insert, update
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.sql import ClauseElement

from actors.tenant.dialect import TenantCompiler, TenantDialect

LIBRARIES: Final = tuple(
    Path(sysconfig.get_path(kind)) for kind in ("stdlib", "platstdlib", "purelib", "platlib")
)
"""What lies here is nobody's backend code, and is not read."""

PYTHON_CODE: Final = (
    FunctionType,
    MethodType,
    staticmethod,
    classmethod,
    property,
    partial,
    CodeType,
)


def static_fragments(modules: Iterable[ModuleType]) -> frozenset[str]:
    """Every constant text of these modules and of those they import, libraries aside.

    Constants are: text in module and class variables and in the collections they hold, text written in
    the body of a function, and whatever text() or the like holds within a statement that is a constant.
    """
    roots = list(modules)
    reading = _Reading({file for module in roots if (file := getattr(module, "__file__", None))})
    for module in roots:
        reading.read(vars(module))
    return frozenset(reading.found)


class _Reading:
    """One walk over everything reachable, each object once."""

    def __init__(self, roots: set[str]) -> None:
        self.found: set[str] = set()
        self._roots = roots
        self._seen: dict[int, object] = {}
        self._dialect = TenantDialect()

    def read(self, thing: object) -> None:
        waiting = [thing]
        while waiting:
            thing = waiting.pop()
            if isinstance(thing, str):
                self.found.add(str(thing))
            elif id(thing) not in self._seen:
                self._seen[id(thing)] = thing  # held, so that its id is not given away meanwhile
                waiting.extend(self._inside(thing))

    def _inside(self, thing: object) -> Iterable[object]:
        if isinstance(thing, Mapping):
            return [*thing, *thing.values()]
        if isinstance(thing, (list, tuple, set, frozenset)):
            return thing
        if isinstance(thing, PYTHON_CODE):
            return () if self._is_library(_file_of(thing)) else _of_code(thing)
        if isinstance(thing, ModuleType) and thing.__name__ in sys.builtin_module_names:
            return ()  # sys, above all: through its list of modules all of the process would be known
        if isinstance(thing, (ModuleType, type)):
            return () if self._is_library(_file_of(thing)) else (dict(vars(thing)),)
        if isinstance(thing, ClauseElement):
            return self._of_statement(thing)
        return ()

    def _of_statement(self, element: ClauseElement) -> Iterator[str]:
        """A table's defaults are written into its inserts and updates."""
        for part in (
            (insert(element), update(element)) if isinstance(element, Table) else (element,)
        ):
            try:
                compiled = part.compile(dialect=self._dialect)
            except SQLAlchemyError:
                continue  # a part of a statement that cannot stand alone; its whole is a constant too
            if isinstance(compiled, TenantCompiler):
                yield from compiled.fragments

    def _is_library(self, file: str | None) -> bool:
        if file is None or file in self._roots:
            return False
        return any(Path(file).is_relative_to(library) for library in LIBRARIES)


def _file_of(thing: object) -> str | None:
    """Where a function, class or module was written; None where nothing says so."""
    if isinstance(thing, FunctionType):
        return thing.__globals__.get("__file__")
    if isinstance(thing, type):
        thing = sys.modules.get(thing.__module__)
    return getattr(thing, "__file__", None)


def _of_code(thing: Any) -> Iterable[object]:
    """What a function, or what wraps one, holds: its constants, its closure and its module."""
    match thing:
        case CodeType():
            return thing.co_consts
        case FunctionType():
            cells = [cell.cell_contents for cell in thing.__closure__ or () if _is_filled(cell)]
            defaults = (thing.__defaults__, thing.__kwdefaults__, thing.__globals__)
            return [thing.__code__, vars(thing), *cells, *defaults]
        case partial():
            return (thing.func, thing.args, thing.keywords)
        case property():
            return (thing.fget,)
        case _:
            return (thing.__func__,)


def _is_filled(cell: Any) -> bool:
    try:
        cell.cell_contents  # noqa: B018  # reading is the test
    except ValueError:
        return False
    return True
