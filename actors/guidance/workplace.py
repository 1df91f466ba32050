"""The target of the next change of a function: which version, file, test and commands."""

from __future__ import annotations

import keyword
from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

from actors.guidance.commands import command_line, example_params, shell_words
from actors.index.entries import (
    DUMMY,
    ERRORING,
    MUTABLE,
    UNDER_DEV,
    Action,
    Index,
    Version,
    module_name,
    moves,
)

PACKAGE = "functions"
"""Of the first function of an index that has no code yet."""


class EditTarget(NamedTuple):
    """The version that may be changed: the newest where its code is mutable, and a new one otherwise."""

    action: Action
    number: int
    code: str
    """`package.module:name`: its own, or that of the file to be written."""
    version: Version | None
    """None if the version must be added to the index first."""

    @property
    def file(self) -> str:
        """Below the index's directory."""
        return file_of(self.code)

    @property
    def function(self) -> str:
        """The name that the file must define."""
        return self.code.partition(":")[2]


def workplace(index: Index, action: Action) -> EditTarget:
    """Return the target of the next change of an action."""
    newest = action.versions[0] if action.versions else None
    if newest is not None and newest.state in MUTABLE:
        code = newest.code or conventional(index, action, newest.number)
        return EditTarget(action, newest.number, code, newest)
    number = 1 if newest is None else newest.number + 1
    return EditTarget(action, number, conventional(index, action, number), None)


def conventional(index: Index, action: Action, number: int, package: str | None = None) -> str:
    """Where a version's code goes, as `package.module:name`; in this package, or where the others are."""
    last = action.name.rpartition(".")[2]
    name = f"{last}_" if keyword.iskeyword(last) else last
    where = _package(index, action) if package is None else package
    module = ".".join(filter(None, (where, module_name(action.name, number))))
    return f"{module}:{name}"


def find_test(index: Index, place: EditTarget) -> str | None:
    """The version's test, below the index's directory; None if there is no such file."""
    name = test_of(place.action.name, place.number)
    return name if index.root.joinpath(name).is_file() else None


def test_of(name: str, number: int) -> str:
    """The test of an action's version, below the index's directory, whether or not it is there."""
    return f"tests/test_{module_name(name, number)}.py"


def file_of(code: str) -> str:
    """The file of a reference, below the index's directory."""
    return f"{code.partition(':')[0].replace('.', '/')}.py"


def frozen_beside(index: Index, place: EditTarget) -> list[str]:
    """Versions in the same file whose code may not change any more, such as `contacts.add version 1`."""
    return [
        f"{action.name} version {version.number}"
        for action in index.actions.values()
        for version in action.versions
        if version.code is not None
        and version.state not in MUTABLE
        and file_of(version.code) == place.file
    ]


def entry(place: EditTarget) -> Iterator[str]:
    """Return the entry for the index if the version is not in it yet."""
    yield f'[[actions."{place.action.name}".versions]]'
    yield f"version = {place.number}"
    yield f'state   = "{UNDER_DEV}"'
    yield f'code    = "{place.code}"'


def move_lines(place: EditTarget) -> Iterator[str]:
    """The commands for each move onward: of this version, and of the newest where that is another."""
    ours = place.version or Version(place.number, UNDER_DEV, place.code, None)
    others = [each for each in place.action.versions[:1] if each.number != ours.number]
    for version in (ours, *others):
        for to in moves(version):
            if to != ERRORING:
                yield _move_line(place, version, to)


def dry_run_line(place: EditTarget) -> str:
    """The command that runs the version on the action's example, and takes back all it did."""
    given = {"function": place.action.name, "version": place.number}
    example = shell_words(example_params(place.action), "params.")
    return " ".join([command_line("acme", "functions.dry_run", given), *example])


def _move_line(place: EditTarget, version: Version, to: str) -> str:
    given = {"function": place.action.name, "version": version.number, "to": to}
    given |= {"expected": version.state, "why": "…"}
    if version.code is None and to != DUMMY:
        given["code"] = place.code
    return command_line("-", "functions.move", given)


def _package(index: Index, action: Action) -> str:
    """Where this one's code is; else where most of the index's code is; empty right beside the index."""
    own = _packages(action)
    if own:
        return own[0]
    others = Counter(each for other in index.actions.values() for each in _packages(other))
    return others.most_common(1)[0][0] if others else PACKAGE


def _packages(action: Action) -> list[str]:
    codes = (version.code for version in action.versions)
    return [code.partition(":")[0].rpartition(".")[0] for code in codes if code is not None]
