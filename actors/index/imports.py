"""The shared modules of an index: what its code imports from the folder of the index.

They are found in the text, and nothing is run. A shared module is imported in the ordinary way, once, and all
that import it share it; if its file changes, the next code that is loaded gets a fresh one.
"""

from __future__ import annotations

import ast
import importlib
import importlib.util
import json
import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from types import MappingProxyType, ModuleType

from actors.index.toml import TomlReader

ENGINE = Path(__file__).resolve().parents[2]
"""What holds `actors`."""

ENGINES_OWN = frozenset({"actors", "transport", "scripts"})
"""Packages of the engine: part of an index's folder only where that is the engine's own repository."""

DESKS_OWN = "actors.tenant.functions."
"""Modules among them that belong to the desk's functions. No other one is imported again: a second copy of
`actors.connectors.contract` has other error classes than those that the engine catches."""

Digests = Mapping[str, str]
"""SHA-256 of files, in hexadecimal, by the names of their modules."""

TEXTS_KEPT = 512
"""Texts whose imports are kept: an index is read again at each move, and few of its files have changed."""

_DIGEST = re.compile("[0-9a-f]{64}")

NONE: Digests = MappingProxyType({})

_current: dict[str, str] = {}
"""The digests of shared modules as they were imported. Only the thread that loads code uses it."""


class Imports:
    """What code below one directory imports of it. Each file is looked for and read once for each Imports."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._resolved = root.resolve()
        self._files: dict[str, Path | None] = {}
        self._read: dict[Path, tuple[str, tuple[str, ...]]] = {}

    def of(self, module: str, text: bytes) -> Digests:
        """Return the shared modules that the text of a module imports, and those that these import.

        A text that is no Python imports nothing: loading it says what is wrong.
        """
        package = module.rpartition(".")[0]
        found: dict[str, str] = {}
        due = list(_named(text, package))
        while due:
            name = due.pop()
            file = self.file_of(name, package)
            if name in found or file is None or name == module:
                continue
            found[name], inner = self._parsed(name, file)
            due += inner
        return MappingProxyType(dict(sorted(found.items())))

    def file_of(self, name: str, package: str) -> Path | None:
        """Return the file of a shared module that code of a package imports; None if it is none."""
        if not self._is_shared(name, package):
            return None
        if name not in self._files:
            self._files[name] = self._found(name)
        return self._files[name]

    def _found(self, name: str) -> Path | None:
        path = self._root.joinpath(*name.split("."))
        for file in (path / "__init__.py", path.with_suffix(".py")):
            if file.is_file() and file.resolve().is_relative_to(self._resolved):
                return file
        return None

    def _is_shared(self, name: str, package: str) -> bool:
        if self._root != ENGINE or name.partition(".")[0] not in ENGINES_OWN:
            return bool(name)
        return name.startswith(DESKS_OWN) and name.startswith(f"{package}.")

    def _parsed(self, name: str, file: Path) -> tuple[str, tuple[str, ...]]:
        if file not in self._read:
            try:
                text = file.read_bytes()
            except OSError:
                text = b""
            package = name if file.name == "__init__.py" else name.rpartition(".")[0]
            self._read[file] = sha256(text).hexdigest(), _named(text, package)
        return self._read[file]


@contextmanager
def refreshed(imports: Digests) -> Iterator[None]:
    """Within, import those of these modules again whose files have changed, with all that import them.

    If the block raises, the modules from before are there again.
    """
    removed: dict[str, ModuleType] = {}
    there = {name: digest for name, digest in imports.items() if name in sys.modules}
    if any(_current.get(name) != digest for name, digest in there.items()):
        removed = {name: sys.modules.pop(name) for name in there}
        for module in removed.values():
            _forget_bytecode(module)
    importlib.invalidate_caches()
    try:
        yield
    except BaseException:
        sys.modules.update(removed)
        raise
    _current.update(imports)  # those, too, that a function imports when it is called


def forget_folder(root: Path) -> None:
    """Import nothing of this folder any more: the index is in another one, whose modules have the same names.

    What was loaded goes on with the modules that it has.
    """
    with suppress(ValueError):
        sys.path.remove(str(root))
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None)
        if name in _current and file and Path(file).is_relative_to(root):
            del sys.modules[name]
            del _current[name]
    importlib.invalidate_caches()


def changed(before: Digests, now: Digests) -> list[str]:
    """Return the names of modules that are other than before, or gone."""
    return [name for name, digest in before.items() if now.get(name) != digest]


def frozen_imports(table: TomlReader) -> Digests | None:
    """The digests of shared modules, as the Registry has written them down."""
    text = table.optional_text("imports")
    if text is None:
        return None
    try:
        stated = json.loads(text)
        if not all(_DIGEST.fullmatch(digest) for digest in stated.values()):
            raise ValueError(text)
    except (ValueError, TypeError, AttributeError, RecursionError):
        table.note("must be as the Registry wrote it: take the text back", "imports")
        return None
    return MappingProxyType(stated)


def _forget_bytecode(module: ModuleType) -> None:
    """Python compares it by the second and the size: of two edits in one second it would miss one."""
    with suppress(OSError, NotImplementedError):
        Path(importlib.util.cache_from_source(str(module.__file__))).unlink(missing_ok=True)


@lru_cache(maxsize=TEXTS_KEPT)
def _named(text: bytes, package: str) -> tuple[str, ...]:
    """Each module that may be meant by an import statement of a text, its packages included."""
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError):
        return ()
    found: dict[str, None] = {}
    due: list[ast.AST] = [tree]
    while due:
        node = due.pop()
        found.update(dict.fromkeys(_imported(node, package)))
        due += [each for each in ast.iter_child_nodes(node) if not isinstance(each, ast.expr)]
    return tuple(found)


def _imported(node: ast.AST, package: str) -> Iterator[str]:
    """What one statement may mean."""
    if isinstance(node, ast.Import):
        for each in node.names:
            yield from _packages(each.name)
    elif isinstance(node, ast.ImportFrom):
        base = _base(node, package)
        yield from _packages(base)
        for each in node.names:
            yield f"{base}.{each.name}" if base else each.name


def _base(node: ast.ImportFrom, package: str) -> str:
    """The module that `from …` names, absolute."""
    if not node.level:
        return node.module or ""
    parts = package.split(".") if package else []
    parts = parts[: len(parts) - node.level + 1]
    return ".".join([*parts, *([node.module] if node.module else [])])


def _packages(name: str) -> Iterator[str]:
    """`a`, `a.b` and `a.b.c` of `a.b.c`: each is imported."""
    parts = name.split(".")
    for end in range(1, len(parts) + 1):
        if name:
            yield ".".join(parts[:end])
