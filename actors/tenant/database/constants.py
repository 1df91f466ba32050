"""Finds every text that loaded code holds as a constant, so that KnownText can tell it from the rest.

Run when code is loaded, a few milliseconds for a module; never during a message.
"""

from __future__ import annotations

import os
import sys
import sysconfig
from collections.abc import Iterable, Iterator, Mapping
from functools import cache, lru_cache, partial
from pathlib import Path
from types import CodeType, FunctionType, MethodType, ModuleType
from typing import Any, Final, NamedTuple
from weakref import WeakKeyDictionary

from sqlalchemy import Table, insert, update
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.sql import ClauseElement

from actors.errors import StatementRefused
from actors.index.code import OWN_NAME
from actors.tenant.database.dialect import TenantCompiler, TenantDialect
from actors.tenant.database.guard import AllowedSql

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


CONTAINERS: Final = (
    *(Mapping, list, tuple, set, frozenset, ModuleType, type, ClauseElement),
    *PYTHON_CODE,
)
"""What texts may be in."""

PLAIN: Final = frozenset({str, int, float, bool, bytes, type(None)})
"""No containers, and most of what there is; to ask `isinstance` of them would take most of the time."""


class Seen(NamedTuple):
    """What was in an object when it was first looked at."""

    thing: object
    """Held, so that its address is not given away."""
    texts: tuple[str, ...]
    inside: tuple[object, ...]


READ: Final[WeakKeyDictionary[ModuleType, frozenset[str]]] = WeakKeyDictionary()
"""Of each module that is served, its texts as they were when it was loaded."""

SEEN: Final[dict[int, Seen]] = {}
"""By address: objects that modules share are not looked at again when the next module is loaded. What is
written here is never changed, whichever thread comes first."""

ENCLOSED: Final[dict[int, frozenset[str]]] = {}
"""By address, as SEEN: all that can be reached from what a module shares, so that none is read again."""


@lru_cache(maxsize=1)
def allowed_sql(modules: tuple[ModuleType, ...]) -> AllowedSql:
    """Return the SQL text that this code contains as constants: the only text its functions may run.

    Each module is read once, when it is loaded; the last result is kept for every tenant's turn.
    """
    allowed = AllowedSql(static_fragments(modules))
    forget_unloaded()
    return allowed


def static_fragments(modules: Iterable[ModuleType]) -> frozenset[str]:
    """Every constant text of these modules and of those they import, libraries aside.

    Constants are: text in module and class variables and in the collections they hold, text written in
    the body of a function, and whatever text() or the like holds within a statement that is a constant. They
    are as they were when this was first asked of a module, which is when it was loaded, before any message:
    what a function puts into a variable or a collection afterwards is none, for this version or another one.
    """
    wanted = list(modules)
    siblings = _beside({_directory(module) for module in wanted if module not in READ})
    found: set[str] = set()
    for module in wanted:
        texts = READ.get(module)
        found |= READ.setdefault(module, _fragments(module, siblings)) if texts is None else texts
    return frozenset(found)


def forget_unloaded() -> None:
    """Let go of what only modules had that are served no more; what others import stays as it was seen."""
    kept: dict[int, Seen] = {}
    roots = [*READ, *_beside({_directory(module) for module in READ})]
    ahead = [id(vars(module)) for module in roots]
    while ahead:
        at = ahead.pop()
        if at not in kept and (seen := SEEN.get(at)) is not None:
            kept[at] = seen
            ahead.extend(map(id, seen.inside))
    for at in SEEN.keys() - kept.keys():
        SEEN.pop(at, None)
        ENCLOSED.pop(at, None)


def _fragments(module: ModuleType, siblings: list[ModuleType]) -> frozenset[str]:
    file = getattr(module, "__file__", None)
    roots = set() if file is None else {file}
    for beside in siblings:
        if _directory(beside) == _directory(module) and id(vars(beside)) not in SEEN:
            _ConstantCollector(roots).read(vars(beside))
    own = _ConstantCollector(roots)
    own.read(vars(module))
    return frozenset(own.found)


def _beside(directories: set[str | None]) -> list[ModuleType]:
    """Modules that were imported in the ordinary way, from where these are."""
    return [
        each
        for name, each in list(sys.modules.items())
        if OWN_NAME not in name and _directory(each) in directories - {None}
    ]


def _directory(module: ModuleType) -> str | None:
    file = getattr(module, "__file__", None)
    return file and directory_of(file)


class _ConstantCollector:
    """One walk over everything reachable, each object once."""

    def __init__(self, roots: set[str]) -> None:
        self.found: set[str] = set()
        self._roots = roots
        self._dialect = TenantDialect()

    def read(self, thing: object, *, is_shared: bool = False) -> None:
        """Find the texts within; `is_shared` where that is what other modules hold, too."""
        waiting = [thing]
        done: set[int] = set()
        while waiting:
            if id(each := waiting.pop()) in done:
                continue
            done.add(id(each))
            enclosed = ENCLOSED.get(id(each))
            if enclosed is None and not is_shared and self._may_share(each):
                enclosed = self._enclosed(each)
            if enclosed is not None:
                self.found |= enclosed
            else:
                seen = self._seen(each)
                self.found.update(seen.texts)
                waiting.extend(seen.inside)

    def _may_share(self, thing: object) -> bool:
        """Whether this is the content of a module that was imported in the ordinary way."""
        if type(thing) is not dict or "__spec__" not in thing or any(map(is_library, self._roots)):
            return False
        name = thing.get("__name__")
        module = sys.modules.get(name) if isinstance(name, str) and OWN_NAME not in name else None
        return module is not None and vars(module) is thing

    def _enclosed(self, thing: object) -> frozenset[str]:
        """All texts that can be reached from here."""
        reading = _ConstantCollector(self._roots)
        reading.read(thing, is_shared=True)
        return ENCLOSED.setdefault(id(thing), frozenset(reading.found))

    def _seen(self, thing: object) -> Seen:
        seen = SEEN.get(id(thing))
        if seen is not None:
            return seen
        inside = list(self._inside(thing))
        texts = tuple(str(each) for each in inside if isinstance(each, str))
        others = tuple(
            each for each in inside if type(each) not in PLAIN and isinstance(each, CONTAINERS)
        )
        seen = Seen(thing, texts, others)
        is_passed_over = not inside and isinstance(thing, (ModuleType, type, *PYTHON_CODE))
        return seen if is_passed_over else SEEN.setdefault(id(thing), seen)

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
            except (SQLAlchemyError, StatementRefused):
                continue  # a part of a statement that cannot stand alone; its whole is a constant too
            if isinstance(compiled, TenantCompiler):
                yield from compiled.fragments

    def _is_library(self, file: str | None) -> bool:
        return file is not None and file not in self._roots and is_library(file)


directory_of = cache(os.path.dirname)
"""Of a file: asked for every module there is, whenever one is loaded."""


@cache
def is_library(file: str) -> bool:
    """Whether this is the path of a library's file."""
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
