"""The command line of scripts/schema: writes files for clients and authors from the index."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from actors.host.program import command, default_index

if TYPE_CHECKING:
    from actors.index.entries import Index

OUTDATED = 1

OURS = "scripts/schema"
"""The mark of every file that may be overwritten; on the page only the text below its mark is."""

FILES = """\
files, beside the index unless --out names a directory:
  contracts.pyi            params and results of each function, for editors and mypy
  docs/actions.md          every action, for people; what stands above its mark is kept
  clients/client.py        a typed client for Python, sync and async
  clients/asyncapi.json    AsyncAPI 3.0: the channels, the messages, examples
  clients/openapi.json     OpenAPI 3.1: the same over HTTP
  clients/typescript/      a typed client for browsers and Node; package.json is written once
  clients/schemas.json     JSON Schema 2020-12 of all params and results

exit status: 0 up to date or written, 1 out of date or a broken index, 2 wrong usage
"""


class GeneratedFile(NamedTuple):
    """One file and its generated content."""

    path: Path
    text: str
    is_begun: bool = False
    """Whether the file is its owner's once it is there."""

    @property
    def is_current(self) -> bool:
        """Return whether the file needs no writing."""
        before = _read(self.path)
        return before == self.text or (self.is_begun and before is not None)


def outputs(index: Index, into: Path) -> list[GeneratedFile]:
    """Return every file of an index, below a directory; raises NotOurs."""
    from scripts.codegen.asyncapi import asyncapi
    from scripts.codegen.client import FILE, NotOurs, stubs, typed_client
    from scripts.codegen.offer import described, offered
    from scripts.codegen.page import page
    from scripts.codegen.schemas import schemas
    from transport.gateway.reference.openapi import openapi

    clients, actions = into / "clients", into / "docs" / "actions.md"
    found = [
        GeneratedFile(into / FILE, stubs(index)),
        GeneratedFile(actions, page(_read(actions), index)),
        GeneratedFile(clients / "client.py", typed_client(index)),
        GeneratedFile(clients / "asyncapi.json", _as_json(asyncapi(index))),
        GeneratedFile(clients / "openapi.json", _as_json(openapi(map(described, offered(index))))),
        GeneratedFile(clients / "schemas.json", _as_json(schemas(index))),
        *typescript(index, clients / "typescript"),
    ]
    for each in found:
        before = None if each.path == actions or each.is_begun else _read(each.path)
        if before is not None and OURS not in before:
            raise NotOurs(each.path)
    return found


def typescript(index: Index, into: Path) -> Iterator[GeneratedFile]:
    """Yield the files of the TypeScript client."""
    from scripts.codegen.typescript import BEGUN, COPIED, FILES, typescript_client

    yield GeneratedFile(into / "src" / "client.ts", typescript_client(index))
    for name in (*COPIED, *BEGUN):
        text = (FILES / name).read_text(encoding="utf-8")
        yield GeneratedFile(into / name, text, is_begun=name in BEGUN)


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the files that are out of date, or list them; return the exit status."""
    given = make_parser().parse_args(arguments)
    # The arguments are read by now: this imports the engine.
    from actors.errors import IndexProblem
    from actors.index.parser import read_index
    from scripts.codegen.client import NotOurs

    registry = given.registry or default_index()
    try:
        found = outputs(read_index(registry), given.out or registry.parent)
    except (IndexProblem, NotOurs) as problem:
        print(problem, file=sys.stderr)
        return OUTDATED
    behind = [each for each in found if not each.is_current]
    for each in behind:
        if given.check:
            print(
                f"{each.path} is not what the index says: run {command('schema')}", file=sys.stderr
            )
        else:
            each.path.parent.mkdir(parents=True, exist_ok=True)
            each.path.write_text(each.text, encoding="utf-8")
            print(f"wrote {each.path}")
    return OUTDATED if given.check and behind else 0


def make_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog=command("schema"),
        description="Write the index for others: documents, a client, types for its functions.",
        epilog=FILES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--check", action="store_true", help="write nothing; say whether to")
    parser.add_argument("--registry", type=Path, help="another index")
    parser.add_argument("--out", type=Path, help="another directory")
    return parser


def _as_json(document: dict[str, Any]) -> str:
    return json.dumps(document, ensure_ascii=False, indent=2) + "\n"


def _read(path: Path) -> str | None:
    return path.read_text(encoding="utf-8") if path.exists() else None


if __name__ == "__main__":
    sys.exit(main())
