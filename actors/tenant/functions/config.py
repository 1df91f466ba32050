"""The tenant's own config, as its members may read it."""

from __future__ import annotations

from typing import Any

from actors.profiles import unfreeze
from actors.tenant.context import Context


def get(ctx: Context, params: Any) -> dict[str, Any]:  # noqa: ARG001 - the shape of every function
    """Read the config that holds now: what a function of this message sees, too."""
    return {
        "revision": ctx.config.revision,
        "settings": unfreeze(ctx.config.settings),
        "whitelabel": unfreeze(ctx.config.whitelabel),
    }
