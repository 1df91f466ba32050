"""Rows as functions see them: tuples whose columns are attributes, the same from either path."""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Callable, Iterable
from functools import lru_cache, partial
from operator import itemgetter
from typing import Any, cast

from actors.errors import StatementRefused
from actors.tenant.context import Row

MakeRow = Callable[[Iterable[Any]], Row]

KINDS_KEPT = 1_024
"""Classes of rows kept for the process; each is a few KB, and a desk of twenty actions needs about thirty."""


@lru_cache(maxsize=KINDS_KEPT)
def row_maker(names: tuple[str, ...]) -> MakeRow:
    """What turns a plain tuple into a row with these column names.

    Two columns of one name are refused: an attribute could not tell them apart.
    """
    if len(set(names)) != len(names):
        twice = sorted({name for name in names if names.count(name) > 1})
        raise StatementRefused(
            f"two columns of the result are called {twice[0]}: give one of them another name with "
            ".label()"
        )
    return cast("MakeRow", partial(tuple.__new__, _row_class(names)))


def _row_class(names: tuple[str, ...]) -> type[tuple[Any, ...]]:
    """A namedtuple, which also keeps names that Python would not take, such as `count(*)`."""
    plain = namedtuple("Row", names, rename=True)  # type: ignore[misc]  # names are known at run time only
    if plain._fields == names:
        return plain
    odd = {
        name: property(itemgetter(place))
        for place, name in enumerate(names)
        if name != plain._fields[place] and not hasattr(plain, name)
    }

    def _asdict(row: tuple[Any, ...]) -> dict[str, Any]:
        return dict(zip(names, row, strict=True))

    return type("Row", (plain,), {"__slots__": (), **odd, "_asdict": _asdict})
