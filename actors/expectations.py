"""What the caller of an action was shown before, as a digest that is compared when it is carried out.

The actor that carries the action out computes the digest: when it is asked for it, and in the turn of
the change.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from hashlib import sha256
from typing import Any, Final, NamedTuple

from actors.errors import Aborted
from transport.message import Problem

EXPECTED: Final = "expected"
"""The param that carries the digest."""

DIGITS: Final = 12
"""Hexadecimal digits of a digest: people compare and type it."""


class Expected(NamedTuple):
    """What the caller was shown before: the action is carried out only if that is still the same."""

    action: str
    params: Mapping[str, Any]
    """As they were sent; the digest covers all but `expected` itself."""
    digest: str
    """As `changes.digest` gave it."""


class ShowDigest(NamedTuple):
    """Ask the actor that would carry an action out: the digest of what it would change now, as {"digest"}.

    InvalidArgument from the Directory for an action that takes none.
    """

    action: str
    params: Mapping[str, Any]
    tenant_id: str | None


def digest_of(about: ShowDigest, found: Any) -> str:
    """Return the digest of an action, its params, its tenant and what it is about, which is JSON or bytes."""
    given = {name: value for name, value in about.params.items() if name != EXPECTED}
    content = json.dumps(
        [about.action, about.tenant_id, given, found], sort_keys=True, default=bytes.hex
    )
    return sha256(content.encode(errors="surrogatepass")).hexdigest()[:DIGITS]


def require_same(expected: Expected, digest: str) -> None:
    """Return if the digest is as expected; raise Aborted, with the problem at `params.expected`, if not."""
    if digest != expected.digest:
        raise Aborted(
            f"what {expected.action} is about has changed: its digest was {expected.digest} and is "
            f"{digest} now, so nothing was done; look at it again, and send the new digest",
            details=(Problem("params.expected", f"the digest is {digest} now"),),
        )
