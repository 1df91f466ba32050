"""What a token that is to be issued may be good for: names of actions that there are."""

from __future__ import annotations

from collections.abc import Sequence

from actors.edge.builtin_actions import built_in
from actors.errors import InvalidArgument
from actors.routing.table import RoutingTable
from actors.schema.source import hint
from transport.message import Problem


def scope_of(names: Sequence[str] | None, table: RoutingTable) -> frozenset[str] | None:
    """The scope as Principal has it; None for all. InvalidArgument for names of no action."""
    if names is None:
        return None
    known = {*table.routes, *built_in()}
    unknown = [(at, name) for at, name in enumerate(names) if name not in known]
    if unknown:
        raise InvalidArgument(
            f"scope names no action: {', '.join(name for _, name in unknown)}; "
            "system.describe lists what there is",
            details=tuple(
                Problem(f"params.scope.{at}", f"no such action{hint(name, known)}")
                for at, name in unknown
            ),
        )
    return frozenset(names)
