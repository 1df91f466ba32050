"""The code of one version: loaded fresh from its file, under a module name of its own.

It is a function of (ctx, params), or the class of a connector.

So two versions of one module can run side by side, and what ran before goes on running. What such a
module imports, its siblings included, is imported in the ordinary way and shared (actors/index/imports.py).
"""

from __future__ import annotations

import importlib.util
import inspect
import itertools
import re
import sys
import traceback
from collections.abc import Callable, Iterator
from hashlib import sha256
from importlib.abc import SourceLoader
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

from actors.errors import CodeProblem
from actors.index.imports import NONE, Digests, Imports, changed, refreshed

REFERENCE = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*\Z", re.ASCII)
"""`package.module:name`. No other spelling can name a file outside the index's directory."""

INSTALLED = Path(__file__).resolve().parents[2]
"""What holds `actors`."""

BUNDLED = frozenset(f"actors.connectors.{name}" for name in ("mail", "storage", "webhook"))
"""What any index may name, wherever it is; a file of that name beside it comes first."""

OWN_NAME = "tenantry_code_"
"""What names of modules begin with that are loaded here; others are imported in the ordinary way."""

_numbers = itertools.count(1)


CONNECTOR_METHODS = {
    "outer": ("delivery", "params", "settings"),
    "exchange": ("delivery", "outer", "settings"),
    "inner": ("delivery", "response"),
    "close": (),
}
"""What the class of a connector has (actors/connectors/contract.py), and what each is called with."""

AWAITED = frozenset({"exchange", "close"})
"""Those of them that are `async def`."""


class Loaded(NamedTuple):
    """Code that can be served, and where it came from."""

    reference: str
    function: Callable[..., Any]
    """A function of (ctx, params); or a connector's class, which takes the operator's EgressPolicy."""
    is_async: bool
    """True for `async def`, which has to be stepped and cannot simply be called."""
    module: ModuleType
    """Its globals hold the statements that the code was written with."""
    file: Path
    digest: str
    """SHA-256 of the file as it was loaded, in hexadecimal."""
    imports: Digests = NONE
    """The shared modules that it imports, as they were then."""


class Unit(NamedTuple):
    """One file of code, loaded."""

    module: ModuleType
    file: Path
    digest: str


class CodeFile(NamedTuple):
    """One file of code, read."""

    file: Path
    text: bytes
    digest: str


class Codebase:
    """Loads from one directory. Each file is loaded once for each Codebase, and again by the next one."""

    def __init__(self, root: Path) -> None:
        self._root = root if root.is_symlink() else root.resolve()
        self._sources: dict[str, CodeFile] = {}
        self._units: dict[str, Unit] = {}
        self._imports = Imports(self._root)
        self._imported: dict[str, Digests] = {}

    def load(self, reference: str, before: Loaded | None = None) -> Loaded:
        """Load `package.module:name`, a function of (ctx, params).

        `before` is what that gave earlier: it is given again where the file is what it was.

        CodeProblem names the reference, the file and what is wrong with them: outside the directory, not
        there, an import that raises or tries to exit, no such name, not such a function.
        """
        return self._loaded(reference, before, _function)

    def load_connector(self, reference: str, before: Loaded | None = None) -> Loaded:
        """Load `package.module:Name`, the class of a connector; as `load`."""
        return self._loaded(reference, before, _connector)

    def _loaded(
        self, reference: str, before: Loaded | None, take: Callable[[str, Unit, str], Any]
    ) -> Loaded:
        source = self.source(reference)
        path, _, name = reference.partition(":")
        imports = self.imports(reference)
        if before is not None and (before.digest, before.imports) == (source.digest, imports):
            return before
        unit = self._units.get(path)
        if unit is None:
            with refreshed(imports):
                unit = self._units[path] = self._load(reference, path, source)
        function = take(reference, unit, name)
        is_async = inspect.iscoroutinefunction(function)
        return Loaded(reference, function, is_async, unit.module, unit.file, unit.digest, imports)

    def digest(self, reference: str) -> str | None:
        """Of the file that this refers to; None where there is none."""
        try:
            return self.source(reference).digest
        except CodeProblem:
            return None

    def imports(self, reference: str) -> Digests:
        """The shared modules that the file of a reference imports; CodeProblem where there is no file."""
        source, path = self.source(reference), reference.partition(":")[0]
        if path not in self._imported:
            is_bundled = not source.file.is_relative_to(self._root)
            self._imported[path] = NONE if is_bundled else self._imports.of(path, source.text)
        return self._imported[path]

    def imported_files(self, reference: str) -> Iterator[Path]:
        """Yield the files of the shared modules that the file of a reference imports."""
        package = reference.partition(":")[0].rpartition(".")[0]
        for name in self.imports(reference):
            if (file := self._imports.file_of(name, package)) is not None:
                yield file

    def source(self, reference: str) -> CodeFile:
        """The file of a reference, without running it; CodeProblem where there is none."""
        if not REFERENCE.match(reference):
            raise CodeProblem(f"code {reference!r} must be written package.module:name")
        return self._source(reference, reference.partition(":")[0])

    def _source(self, reference: str, path: str) -> CodeFile:
        if path not in self._sources:
            file = self._find(reference, path)
            try:
                text = file.read_bytes()
            except OSError as error:
                raise CodeProblem(f"code {reference}: {file}: {error.strerror}") from error
            self._sources[path] = CodeFile(file, text, sha256(text).hexdigest())
        return self._sources[path]

    def _load(self, reference: str, path: str, source: CodeFile) -> Unit:
        self._make_importable()
        loader = _Snapshot(source.file, source.text)
        return Unit(_executed(reference, path, loader, source.digest), source.file, source.digest)

    def _find(self, reference: str, path: str) -> Path:
        file = self._root.joinpath(*path.split(".")).with_suffix(".py")
        if path in BUNDLED and not file.is_file():
            return INSTALLED.joinpath(*path.split(".")).with_suffix(".py")
        if not file.is_file():
            raise CodeProblem(f"code {reference}: there is no file {file}")
        if not file.resolve().is_relative_to(self._root.resolve()):
            raise CodeProblem(
                f"code {reference}: {file} leads out of {self._root}; code is beside its index"
            )
        return file

    def _make_importable(self) -> None:
        """Let the code import its siblings; last, so that nothing installed is hidden by them."""
        if str(self._root) not in sys.path:
            sys.path.append(str(self._root))


def load(reference: str, root: Path) -> Loaded:
    """Load one reference fresh from below `root`; as Codebase.load."""
    return Codebase(root).load(reference)


def changes_of(loaded: Loaded, codebase: Codebase) -> Iterator[str]:
    """Yield what has changed since code was loaded: its file, or a shared module that it imports."""
    if codebase.digest(loaded.reference) != loaded.digest:
        yield f"its code has changed ({loaded.file.name})"
        return
    for name in changed(loaded.imports, codebase.imports(loaded.reference)):
        yield f"the shared module {name} has changed"


def describe_error(error: BaseException, folder: Path) -> str:
    """Return an error in one line, with the last line below a folder that it came from."""
    text = f"{type(error).__name__}: {error}"
    if isinstance(error, SyntaxError):
        return text  # it names file and line
    frames = traceback.extract_tb(error.__traceback__)
    for frame in reversed(frames):
        file = Path(frame.filename)
        if file.is_relative_to(folder):
            return f"{text} ({file.relative_to(folder)}:{frame.lineno})"
    return text


def unload(module: ModuleType) -> None:
    """No request is served by it any more: what still runs in it goes on, and then it can go."""
    sys.modules.pop(module.__name__, None)


class _Snapshot(SourceLoader):
    """Executes the very bytes of which the digest was taken, never a cached .pyc."""

    def __init__(self, file: Path, text: bytes) -> None:
        self.file = file
        self._text = text

    def get_filename(self, fullname: str) -> str:  # noqa: ARG002 - there is one file for every name
        return str(self.file)

    def get_data(self, path: str | bytes) -> bytes:  # noqa: ARG002 - as above
        return self._text


def _executed(reference: str, path: str, loader: _Snapshot, digest: str) -> ModuleType:
    """Run the module under a name of its own, in its true package, so that `from .x import y` works."""
    package, dot, stem = path.rpartition(".")
    name = f"{package}{dot}{OWN_NAME}{stem}_{digest[:12]}_{next(_numbers)}"
    spec = importlib.util.spec_from_loader(name, loader, origin=str(loader.file))
    assert spec is not None
    spec.has_location = True
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        loader.exec_module(module)
    except (Exception, SystemExit) as error:
        del sys.modules[name]
        raise CodeProblem(
            f"code {reference}: {loader.file} does not import: {describe_error(error, loader.file.parent)}"
        ) from error
    return module


def _function(reference: str, unit: Unit, name: str) -> Callable[..., Any]:
    function = getattr(unit.module, name, None)
    if function is None:
        raise CodeProblem(f"code {reference}: {unit.file} has no {name}")
    if not inspect.isfunction(function) or _yields(function):
        raise CodeProblem(
            f"code {reference}: {name} in {unit.file} is not a function: write def {name}(ctx, params)"
        )
    _check_signature(reference, unit.file, function)
    return function


def _yields(function: Any) -> bool:
    return inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function)


def _check_signature(reference: str, file: Path, function: Callable[..., Any]) -> None:
    signature = inspect.signature(function)
    kinds = [parameter.kind.name for parameter in signature.parameters.values()]
    if len(kinds) != 2 or not set(kinds) <= {"POSITIONAL_ONLY", "POSITIONAL_OR_KEYWORD"}:
        raise CodeProblem(
            f"code {reference}: {file} defines it with {signature}; it takes exactly (ctx, params)"
        )


def _connector(reference: str, unit: Unit, name: str) -> Callable[..., Any]:
    found = getattr(unit.module, name, None)
    if found is None:
        raise CodeProblem(f"code {reference}: {unit.file} has no {name}")
    if not inspect.isclass(found):
        raise CodeProblem(f"code {reference}: {name} in {unit.file} is not a class")
    for problem in _unlike_a_connector(found):
        raise CodeProblem(f"code {reference}: {name} in {unit.file} {problem}")
    return found


def _unlike_a_connector(found: type) -> Iterator[str]:
    """What keeps a class from being a connector's."""
    if not _takes(found, ("egress",)):
        yield "needs def __init__(self, egress): what the operator lets it reach"
    for name, params in CONNECTOR_METHODS.items():
        method = getattr(found, name, None)
        listed = ", ".join(("self", *params))
        is_awaited = name in AWAITED
        if not callable(method) or not _takes(method, ("self", *params)):
            yield f"needs {'async ' * is_awaited}def {name}({listed})"
        elif inspect.iscoroutinefunction(method) != is_awaited:
            yield f"needs {name} to be {'async def' if is_awaited else 'a plain def'}"


def _takes(function: Callable[..., Any], params: tuple[str, ...]) -> bool:
    try:
        inspect.signature(function).bind(*params)
    except (TypeError, ValueError):
        return False
    return True
