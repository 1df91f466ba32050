"""A typed client: `client.contacts.add(name="Ada")`, over the clients of transport/client.py.

Params are keywords by a TypedDict (PEP 692), so that an absent param stays absent, which differs from null.
The options of a single call (id, timeout, tenant, token) come before them, by position, so that they cannot
collide with a param of the same name.

Also writes contracts.pyi: the types of params and results of each function of an index. It is a stub without
a module, for editors and mypy alone: code that imports it at run time fails at once, and not on the day when
an action disappears.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from actors.access import ADMIN
from actors.index.entries import Action, Index, class_name
from scripts.codegen.offer import Branch, groups, offered, tree
from scripts.codegen.text import MARK, WIDTH, ImportList, declarations, docstring, finished, heading
from scripts.codegen.types import Class, Types, attributes
from transport import client as transport_client

TITLE = (
    "A client of this backend, with a method for each action: Client, and AsyncClient for asyncio."
)

TAKEN = frozenset({*dir(transport_client.Client), *dir(transport_client.AsyncClient), "endpoint"})
"""Members of both clients: a group or an action of such a name gets a trailing _."""

IMPORTED = ("transport_client", "Options", "Client", "AsyncClient")


class Kind(NamedTuple):
    """One of the two clients."""

    name: str
    """Name of the class in transport/client.py, and in the generated module."""
    prefix: str
    """Prefix of the names of its groups."""
    define: str
    wait: str


KINDS = (Kind("Client", "", "def", ""), Kind("AsyncClient", "Async", "async def", "await "))


def typed_client(index: Index) -> str:
    """Return the text of the module."""
    actions = offered(index)
    types, imports = Types(actions), ImportList(closed=False)
    for name in IMPORTED:
        types.names.claim(name)
    writer = _Writer(types, imports)
    for action in actions:
        writer.declare(action)
    root = tree(actions)
    classes = [block for kind in KINDS for block in writer.classes(kind, root)]
    blocks = [*declarations(types, imports), *classes]
    body = [line for block in blocks for line in ("", "", *block)]
    return finished([*heading(TITLE, index.path.name), *_imports(imports), *body])


def _imports(imports: ImportList) -> Iterator[str]:
    yield from ("from __future__ import annotations", "")
    yield from imports.lines()
    yield "from transport import client as transport_client"
    yield "from transport.client import Options"


class _Writer:
    """Writes the classes of one module."""

    def __init__(self, types: Types, imports: ImportList) -> None:
        self._types = types
        self._imports = imports
        self._params: dict[str, str] = {}
        self._results: dict[str, str] = {}
        self._groups: dict[tuple[str, str], str] = {}

    def declare(self, action: Action) -> None:
        """Declare the types of an action's params and result."""
        name = action.name
        self._params[name], self._results[name] = self._types.declare_action(action, "travelling")

    def classes(self, kind: Kind, root: Branch) -> Iterator[list[str]]:
        """Yield the classes of one client's groups, then the client."""
        for group in groups(root):
            wanted = f"{kind.prefix}{class_name(group.path)}Actions"
            name = self._groups[kind.name, group.path] = self._types.names.claim(wanted)
            yield [f"class {name}:", *self._group(kind, group)]
        client = f"transport_client.{kind.name}"
        members = [line for each in self._members(kind, root, "self") for line in ("", *each)]
        yield [
            f"class {kind.name}({client}):",
            '    """A client with the index\'s actions."""',
            *members,
        ]

    def _group(self, kind: Kind, group: Branch) -> Iterator[str]:
        yield f'    """Actions whose names begin with `{group.path}.`."""'
        yield ""
        yield f"    def __init__(self, client: transport_client.{kind.name}) -> None:"
        yield "        self._client = client"
        if group.action is not None:
            yield ""
            yield from self._method(kind, "__call__", group.action, "self._client", frozenset())
        for member in self._members(kind, group, "self._client"):
            yield ""
            yield from member

    def _members(self, kind: Kind, branch: Branch, client: str) -> Iterator[list[str]]:
        names = attributes(branch.branches, TAKEN if not branch.path else ())
        hidden = frozenset(names.values())
        for word, each in branch.branches.items():
            if each.branches:
                yield list(self._inner(kind, names[word], each, client))
            elif each.action is not None:
                yield list(self._method(kind, names[word], each.action, client, hidden))

    def _inner(self, kind: Kind, name: str, group: Branch, client: str) -> Iterator[str]:
        type_ = self._groups[kind.name, group.path]
        yield f"    @{self._imports.word('cached_property')}"
        yield f"    def {name}(self) -> {type_}:"
        yield f'        """Actions whose names begin with `{group.path}.`."""'
        yield f"        return {type_}({client})"

    def _method(
        self, kind: Kind, name: str, action: Action, client: str, hidden: frozenset[str]
    ) -> Iterator[str]:
        declared = self._types.declared[self._params[action.name]]
        result = self._results[action.name]
        word = self._imports.word
        if isinstance(declared, Class):
            params = f"{word('Unpack', hidden)}[{self._params[action.name]}]"
        else:
            params = word("Any", hidden)
        yield from _signature(
            f"    {kind.define} {name}(",
            f"self, _options: Options | None = None, /, **params: {params}",
            f") -> {result}:",
        )
        yield from docstring(_format_doc(action), 8, f"Call {action.name}.")
        yield f'        answer = {kind.wait}{client}.call("{action.name}", params, **(_options or {{}}))'
        yield f"        return {word('cast')}({result}, answer)"


def _format_doc(action: Action) -> str:
    summary = action.summary.strip()
    if action.channel != ADMIN:
        return summary
    return f"{summary.rstrip('.')}. On the admin channel."


def _signature(begin: str, params: str, end: str) -> tuple[str, ...]:
    """Return a signature, on one line if it fits, as the formatter writes it."""
    line = f"{begin}{params}{end}"
    return (line,) if len(line) <= WIDTH else (begin, f"        {params}", f"    {end}")


FILE = "contracts.pyi"


class NotOurs(Exception):
    """The file exists, and scripts/schema has not written it."""

    def __init__(self, path: Path) -> None:
        super().__init__(f"{path} is not overwritten: scripts/schema did not write it; rename it")


def stubs(index: Index) -> str:
    """Return the text of contracts.pyi: for `contacts.add`, ContactsAddParams and ContactsAddResult."""
    actions = [action for _, action in sorted(index.actions.items())]
    types, imports = Types(actions), ImportList(closed=True)
    for action in actions:
        types.declare_action(action, "given")
    body = [line for each in declarations(types, imports) for line in (*each, "")]
    title = "What each function of the index is given, and what it returns."
    return finished([*heading(title, index.path.name), *imports.lines(), *body])


def write_stubs(index: Index, into: Path) -> Path:
    """Write contracts.pyi into a directory unless it is up to date; return its path. Raises NotOurs."""
    path = into / FILE
    text = stubs(index)
    if path.exists():
        before = path.read_text(encoding="utf-8")
        if MARK not in before:
            raise NotOurs(path)
        if before == text:
            return path
    path.write_text(text, encoding="utf-8")
    return path
