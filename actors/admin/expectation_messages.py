"""What the caller of a command was shown before, and the question for its digest."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

EXPECTED: Final = "expected"
"""The param that carries the digest."""


class Expected(NamedTuple):
    """What the caller of a command was shown before: it is executed only if that is still the same."""

    action: str
    params: Mapping[str, Any]
    """As they were sent; the digest covers all but `expected` itself."""
    digest: str
    """As `changes.digest` gave it."""


class ShowDigest(NamedTuple):
    """Ask: the digest of what an action would change now, as {"digest"}.

    InvalidArgument for an action that takes none.
    """

    action: str
    params: Mapping[str, Any]
    tenant_id: str | None
