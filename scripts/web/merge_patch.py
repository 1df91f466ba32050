"""The JSON Merge Patch (RFC 7396) that makes one object of another."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def patch_of(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    """Return the patch: what is not in `new` is null, what differs is as it is there."""
    patch: dict[str, Any] = {name: None for name in old if name not in new}
    for name, value in new.items():
        before = old.get(name)
        if isinstance(value, Mapping) and isinstance(before, Mapping):
            inner = patch_of(before, value)
            if inner:
                patch[name] = inner
        elif value != before or name not in old:
            patch[name] = value
    return patch
