"""What end users of the desk are told when something is not part of what their company has."""

from __future__ import annotations

from typing import Any

from actors.tenant.context import Context

WHAT = {
    "mail": "Sending mail",
    "storage": "Keeping files",
    "webhook": "Telling other systems what happens here",
}


def not_subscribed(ctx: Context, params: Any) -> dict[str, Any]:
    """Say it without a word that only developers know."""
    what = WHAT.get(params.connector, "This")
    product = ctx.config.whitelabel.get("product_name", "this service")
    return {
        "user_message": f"{what} is not part of what {product} does for you so far. "
        "Please ask whoever manages your account to add it."
    }
