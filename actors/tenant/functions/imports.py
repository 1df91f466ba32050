"""Taking in up to 1,000 contacts in one message, with a word on every row that cannot be stored.

The index lets every row through, because one bad row must not refuse the other 999; the rules of
contacts.add are applied here, row by row.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from jsonschema_rs import ValidationError, ValidationErrorKind
from sqlalchemy import func, insert, select

from actors.errors import InvalidArgument
from actors.schema.validation import VISIBLE, make_validator
from actors.tenant.context import Context
from actors.tenant.functions import search_index
from actors.tenant.functions.tables import bound, contacts, timestamp
from transport.message import Problem

ROW = {
    "type": "object",
    "additionalProperties": False,
    "required": ["name"],
    "properties": {
        "name": {"type": "string", "minLength": 1, "maxLength": 200, "pattern": VISIBLE},
        "email": {"type": "string", "format": "email", "maxLength": 254},
        "phone": {"type": "string", "minLength": 1, "maxLength": 40, "pattern": VISIBLE},
        "company": {"type": "string", "minLength": 1, "maxLength": 200, "pattern": VISIBLE},
    },
}
"""The params of contacts.add, as the index has them; the tests compare the two."""

PROBLEMS_SHOWN = 1_000
"""Problems listed in one reply: one for each row, in a file that is wrong throughout."""

FIELD_SHOWN = 64
"""Characters of a field's name in a problem: an unknown one is the caller's, of any length."""

ADD = insert(contacts).values(
    bound("name", "email", "phone", "company", "created_at", "updated_at", "words")
)
LAST = select(func.coalesce(func.max(contacts.c.id), 0))

_fits = make_validator(ROW)


class Row(NamedTuple):
    """A row that can be stored."""

    name: str
    email: str | None = None
    phone: str | None = None
    company: str | None = None


class RowProblem(NamedTuple):
    """One thing wrong with one field of one row."""

    row: int
    """Index in `rows`, from 0."""
    field: str
    problem: str
    """What is wrong, in the words of a person who looks at a spreadsheet."""


def take(ctx: Context, params: Any) -> dict[str, Any]:
    """Store the rows that are right and report the others; with `strict`, all of them or none.

    Rows are compared by email with the rows before them, not with contacts that are there already.
    """
    good, problems = _sort(params.rows)
    if problems and params.strict:
        raise _refused(problems)
    if good:
        _store(ctx, good)
    return {
        "added": len(good),
        "refused": len(params.rows) - len(good),
        "problems": [problem._asdict() for problem in problems[:PROBLEMS_SHOWN]],
    }


def _store(ctx: Context, rows: Sequence[Row]) -> None:
    """Store all rows with three statements: each gets an id above all that are there."""
    last = ctx.db.scalar(LAST)
    now = timestamp(ctx.now)
    moments = {"created_at": now, "updated_at": now}
    cells = (row._asdict() for row in rows)
    ctx.db.run(ADD, [{**each, **moments, "words": search_index.words(each)} for each in cells])
    search_index.learn_above(ctx, last)


def _sort(rows: Sequence[Mapping[str, Any]]) -> tuple[list[Row], list[RowProblem]]:
    """Tell the rows that can be stored from the problems of the others."""
    good: list[Row] = []
    problems: list[RowProblem] = []
    first_with: dict[str, int] = {}
    for number, cells in enumerate(map(_filled, rows)):
        found = list(_problems(number, cells))
        if not found and "email" in cells:
            first = first_with.setdefault(cells["email"].casefold(), number)
            if first != number:
                found = [RowProblem(number, "email", f"is the email of row {first} too")]
        if found:
            problems.extend(found)
        else:
            good.append(Row(**cells))
    return good, problems


def _filled(row: Mapping[str, Any]) -> dict[str, Any]:
    """Take blanks off around values, and empty cells away: files are full of both."""
    cells = {field: cell.strip() if isinstance(cell, str) else cell for field, cell in row.items()}
    return {field: cell for field, cell in cells.items() if cell not in ("", None)}


def _problems(number: int, cells: Mapping[str, Any]) -> Iterator[RowProblem]:
    if _fits.is_valid(cells):
        return
    for error in _fits.iter_errors(cells):
        for field, problem in _worded(error):
            yield RowProblem(number, field[:FIELD_SHOWN], problem)


def _worded(error: ValidationError) -> Iterator[tuple[str, str]]:
    """Give the field, and what is wrong with it; an unknown or missing one is named itself."""
    field = str(next(iter(error.instance_path), ""))
    match error.kind:
        case ValidationErrorKind.Required(name):
            yield name, "is required"
        case ValidationErrorKind.AdditionalProperties(names):
            yield from ((name, "is not a field of a contact") for name in names)
        case ValidationErrorKind.MaxLength(limit):
            yield field, f"is longer than {limit} characters"
        case ValidationErrorKind.Format():
            yield field, "is not an email address"
        case ValidationErrorKind.Pattern():
            yield field, "has nothing that can be seen"
        case ValidationErrorKind.Type():
            yield field, "is not text"
        case kind:
            yield field, f"does not fit ({kind.name})"


def _refused(problems: Sequence[RowProblem]) -> InvalidArgument:
    rows = len({problem.row for problem in problems})
    return InvalidArgument(
        f"{rows} of the rows cannot be stored, and strict means all or none: mend what `details` "
        "names, or leave strict out",
        details=tuple(
            Problem(f"params.rows.{row}.{field}", problem)
            for row, field, problem in problems[:PROBLEMS_SHOWN]
        ),
    )
