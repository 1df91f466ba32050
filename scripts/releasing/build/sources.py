"""The files that code needs of the folder of its index, and what it imports from elsewhere.

Nothing is run: imports are found in the text. What is neither in the folder, nor installed, nor one of the
engine's public modules is refused by name, because another machine would not have it.
"""

from __future__ import annotations

import ast
import importlib.metadata
import importlib.util
import sys
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import NamedTuple

from actors.errors import CodeProblem
from actors.index.code import BUNDLED, Codebase
from actors.index.imports import DESKS_OWN, ENGINE, ENGINES_OWN, Imports

PUBLIC = (
    *("actors.errors", "actors.tenant.context", "actors.profiles", "actors.schema.validation"),
    *("actors.connectors.contract", "actors.connectors.mime", "actors.connectors.outbound"),
    *("actors.tenant.functions", "transport.errors", "transport.message"),
)
"""Modules of the engine that functions and connectors may import, with what is below them."""

LOADERS = frozenset({"import_module", "__import__"})
"""Functions that import what a text names."""


class Sources(NamedTuple):
    """What some code is made of."""

    files: Mapping[str, bytes]
    """Content by path below the folder of the index."""
    distributions: Mapping[str, str]
    """Versions of the installed distributions that it imports, by name."""
    problems: tuple[str, ...]
    """What it imports from elsewhere, in sentences."""


class Import(NamedTuple):
    """One name that an import statement asks for."""

    line: int
    module: str
    """Absolute; empty for one that leads out of its package."""
    is_for_types: bool
    """Whether it stands below `if TYPE_CHECKING`, which does not run."""


class Folder:
    """The folder of an index, which code is resolved in."""

    def __init__(self, root: Path) -> None:
        self._root = root.resolve()
        self._codebase = Codebase(self._root)
        self._imports = Imports(self._root)
        self._is_engines = self._root == ENGINE

    def sources(self, references: Iterable[str], scripts: Iterable[Path] = ()) -> Sources:
        """Return what these references (`package.module:name`) and scripts of migrations are made of.

        CodeProblem for a reference without a file.
        """
        files: dict[str, bytes] = {}
        for reference in references:
            for file in self._files_of(reference):
                files[self._below(file)] = file.read_bytes()
        for script in scripts:
            files[self._below(script)] = script.read_bytes()
            files |= {self._below(each): each.read_bytes() for each in self._shared_by(script)}
        distributions: dict[str, str] = {}
        problems = [
            problem
            for path, content in sorted(files.items())
            if path.endswith(".py")
            for problem in self._checked(path, content, distributions)
        ]
        return Sources(dict(sorted(files.items())), distributions, tuple(problems))

    def _files_of(self, reference: str) -> Iterator[Path]:
        module = reference.partition(":")[0]
        own = self._codebase.source(reference).file
        if not own.is_relative_to(self._root):
            return  # it comes with the engine
        yield own
        yield from self._packages(module)
        yield from self._codebase.imported_files(reference)

    def _packages(self, module: str) -> Iterator[Path]:
        """The `__init__.py` of each package that a module is in; the engine's own stay where they are."""
        folder = self._root
        for part in module.split(".")[:-1]:
            folder /= part
            file = folder / "__init__.py"
            if file.is_file() and not self._is_engines:
                yield file

    def _shared_by(self, script: Path) -> Iterator[Path]:
        module = ".".join(script.relative_to(self._root).with_suffix("").parts)
        package = module.rpartition(".")[0]
        for name in self._imports.of(module, script.read_bytes()):
            if (file := self._imports.file_of(name, package)) is not None:
                yield file

    def _below(self, file: Path) -> str:
        return file.relative_to(self._root).as_posix()

    def _checked(self, path: str, content: bytes, distributions: dict[str, str]) -> Iterator[str]:
        package = ".".join(Path(path).parent.parts)
        try:
            found = list(imports_of(content, package))
        except (SyntaxError, ValueError) as error:
            yield f"{path}: is no Python: {error}"
            return
        for each in found:
            if problem := self._problem(each, distributions):
                yield f"{path}:{each.line}: {problem}"

    def _problem(self, each: Import, distributions: dict[str, str]) -> str | None:
        """Why an import cannot be served elsewhere; None, and its distribution noted, if it can."""
        top = each.module.partition(".")[0]
        if not each.module:
            return (
                "imports what cannot be found in the text: name the module in an import statement"
            )
        if top in sys.stdlib_module_names or self._is_here(each.module):
            return self._hidden(top)
        if top in ENGINES_OWN:
            return _not_public(each.module)
        if top in _installed():
            name = _installed()[top]
            distributions[name] = importlib.metadata.version(name)
            return None
        return None if each.is_for_types else self._outside(each.module)

    def _is_here(self, module: str) -> bool:
        if self._is_engines and module.partition(".")[0] in ENGINES_OWN:
            return module.startswith(DESKS_OWN)
        path = self._root.joinpath(*module.split("."))
        file = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
        return (path.is_dir() and not file.exists()) or (
            file.is_file() and file.resolve().is_relative_to(self._root)
        )

    def _hidden(self, top: str) -> str | None:
        """Of two modules of one name the installed one is imported."""
        mine = [self._root / top, self._root / f"{top}.py"]
        if not any(each.exists() for each in mine) or self._is_engines:
            return None
        other = "the standard library" if top in sys.stdlib_module_names else None
        other = other or _installed().get(top)
        return (
            other
            and f"imports {top}, which is also a module of {other}: rename the one of the folder"
        )

    def _outside(self, module: str) -> str:
        top = module.partition(".")[0]
        if (self._root / top).exists() or (self._root / f"{top}.py").exists():
            return f"imports {module}, and there is no such file in the folder of the index"
        spec = importlib.util.find_spec(top)
        where = f" ({spec.origin})" if spec is not None and spec.origin else ""
        return (
            f"imports {module} from outside of the folder of the index{where}: move it into the folder, or "
            "install it as a distribution"
        )


@cache
def _installed() -> dict[str, str]:
    """Names of installed distributions by the modules that they bring."""
    found = importlib.metadata.packages_distributions()
    return {top: min(names) for top, names in found.items()}


def imports_of(content: bytes, package: str) -> Iterator[Import]:
    """Yield each module that a text asks for; raises SyntaxError and ValueError."""
    ahead: list[tuple[ast.AST, bool]] = [(ast.parse(content), False)]
    while ahead:
        node, is_for_types = ahead.pop()
        if isinstance(node, ast.If) and _is_for_types(node.test):
            ahead += [(each, True) for each in node.body]
            ahead += [(each, is_for_types) for each in node.orelse]
            continue
        for line, module in _named(node, package):
            yield Import(line, module, is_for_types)
        ahead += [(each, is_for_types) for each in ast.iter_child_nodes(node)]


def _named(node: ast.AST, package: str) -> Iterator[tuple[int, str]]:
    if isinstance(node, ast.Import):
        yield from ((node.lineno, each.name) for each in node.names)
    elif isinstance(node, ast.ImportFrom):
        yield node.lineno, _absolute(node, package)
    elif isinstance(node, ast.Call) and _called(node.func) in LOADERS:
        first = node.args[0] if node.args else None
        is_text = isinstance(first, ast.Constant) and isinstance(first.value, str)
        named = first.value if isinstance(first, ast.Constant) and is_text else ""
        yield node.lineno, str(named)


def _absolute(node: ast.ImportFrom, package: str) -> str:
    if not node.level:
        return node.module or ""
    parts = package.split(".") if package else []
    if node.level > len(parts) + (not package):
        return ""
    kept = parts[: len(parts) - node.level + 1]
    return ".".join([*kept, *([node.module] if node.module else [])])


def _called(function: ast.expr) -> str | None:
    if isinstance(function, ast.Name):
        return function.id
    return function.attr if isinstance(function, ast.Attribute) else None


def _is_for_types(test: ast.expr) -> bool:
    return _called(test) == "TYPE_CHECKING"


def _not_public(module: str) -> str | None:
    if module == "actors" or any(
        module == each or module.startswith(f"{each}.") for each in PUBLIC
    ):
        return None
    if module in BUNDLED:
        return None
    return f"imports {module}, which is not one of the engine's public modules: {', '.join(PUBLIC)}"


__all__ = ["CodeProblem", "Folder", "Import", "Sources", "imports_of"]
