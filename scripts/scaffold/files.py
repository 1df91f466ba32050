"""Writes the file of a function and the file of its test from the schema."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from actors.guidance.workplace import file_of, test_of
from actors.index.entries import Action, class_name

WIDTH = 72
"""Characters of a value on one line at most."""

FUNCTION = '''{raw}"""{title}

{instructions}
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from actors.errors import Unimplemented
from actors.tenant.context import Context

if TYPE_CHECKING:
    from contracts import {params}, {result}


def {function}(ctx: Context, params: {params}) -> {result}:
    {raw}"""{summary}"""
    # TODO: write it. Until then callers in local-dev get that message. Statements are SQLAlchemy
    # expressions, constants above this function; ctx.db runs them: all, first, scalar, run.
    del ctx, params
    raise Unimplemented("{name} version {version}: to be implemented")
'''

TEST = '''"""{name}, version {version}: through the engine, on a real database."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from actors.testing import Trial
from transport.errors import InvalidArgument

INDEX = Path(__file__).parents[{up}] / "{index}"

GIVEN: dict[str, Any] = {example}
# TODO: params as a caller would send them


@pytest.fixture
def trial(tmp_path: Path) -> Iterator[Trial]:
    """A server of the index with one tenant, whose database is empty; it serves this version."""
    with Trial(INDEX, tmp_path, versions={{"{name}": {version}}}) as one:
        yield one


def test_it_answers_as_the_index_says(trial: Trial) -> None:
    reply = trial.request("{name}", GIVEN)
    assert reply.error is None
    assert reply.meta["version"] == {version}
    # TODO: say what has to be in reply.result, and what the database has to say afterwards
{refused}'''

REFUSED = """

@pytest.mark.parametrize("missing", {required})
def test_what_is_missing_is_refused(trial: Trial, missing: str) -> None:
    given = {{name: value for name, value in GIVEN.items() if name != missing}}
    with pytest.raises(InvalidArgument, match=missing):
        trial.call("{name}", given)
"""


class FunctionFiles(NamedTuple):
    """Paths of the function and its test, and the function's reference in the index."""

    code: str
    function: Path
    test: Path


def files(root: Path, name: str, version: int, code: str) -> FunctionFiles:
    """Return the files of a version: one for each, because its digest is that of the file."""
    return FunctionFiles(code, root / file_of(code), root / test_of(name, version))


def function_text(action: Action, version: int, function: str) -> str:
    """Return the text of the function, with its body left to write."""
    title, instructions = (
        _ended(f"{action.name}, version {version}: {action.summary}"),
        _instructions(action),
    )
    return FUNCTION.format(
        raw="r" if "\\" in title + instructions else "",
        title=title,
        instructions=instructions,
        params=class_name(action.name, "params"),
        result=class_name(action.name, "result"),
        function=function,
        summary=_ended(action.summary),
        name=action.name,
        version=version,
    )


def test_text(action: Action, version: int, index: Path, test: Path) -> str:
    """Return the text of its test: checks of every function, and what is left to write."""
    required = action.params.source.get("required", [])
    refused = REFUSED.format(required=json.dumps(required), name=action.name) if required else ""
    return TEST.format(
        name=action.name,
        version=version,
        up=len(test.relative_to(index.parent).parts) - 1,
        index=index.name,
        example=literal(action.params.example()),
        refused=refused,
    )


def _instructions(action: Action) -> str:
    """Return the index's instructions to the author, without quotes that could end the docstring."""
    return _quoted("\n\n".join(_paragraphs(action)))


def _quoted(text: str) -> str:
    return text.replace('"""', "'''")


def _paragraphs(action: Action) -> Iterator[str]:
    if action.instructions:
        yield action.instructions.strip()
    effect = "it writes: all or nothing, once per id" if action.effect == "write" else "it reads"
    yield f"For {action.access}; {effect}. Params and result, an example of each:"
    for part in (action.params, action.result):
        yield textwrap.indent(literal(part.example()), "    ")
    yield f"All there is to know: functions.instructions function={action.name}"


def _ended(text: Any) -> str:
    words = _quoted(" ".join(str(text).split()))
    return words if words.endswith((".", "?", "!")) else f"{words}."


def literal(value: Any, indent: str = "") -> str:
    """Return a JSON value as formatted Python."""
    flat = _flat(value)
    if len(flat) <= WIDTH or not value or not isinstance(value, dict | list):
        return flat
    deeper = indent + "    "
    if isinstance(value, dict):
        items = [f"{_flat(name)}: {literal(each, deeper)}" for name, each in value.items()]
    else:
        items = [literal(each, deeper) for each in value]
    opening, closing = "{}" if isinstance(value, dict) else "[]"
    return f"{opening}\n" + "".join(f"{deeper}{item},\n" for item in items) + indent + closing


def _flat(value: Any) -> str:
    if isinstance(value, dict):
        return (
            "{" + ", ".join(f"{_flat(name)}: {_flat(each)}" for name, each in value.items()) + "}"
        )
    if isinstance(value, list):
        return "[" + ", ".join(map(_flat, value)) + "]"
    return json.dumps(value, ensure_ascii=False) if isinstance(value, str) else repr(value)
