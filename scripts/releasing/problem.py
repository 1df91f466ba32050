"""The refusal that all commands of a release share."""

from __future__ import annotations


class ReleaseProblem(Exception):
    """Nothing was built, published or deployed; the message says why, and what to do."""
