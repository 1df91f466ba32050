"""How people call an action: in which roles, and with which shell command."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterable, Mapping
from typing import Any

from actors.access import ADMIN, ADMIN_OWNER, MEMBER, OWNER, PUBLIC
from actors.errors import InvalidArgument
from actors.host.program import as_typed
from actors.index.entries import RESERVED, Action

ADMITTED: Mapping[str, str] = {
    PUBLIC: "everyone, with or without a token",
    MEMBER: "everyone of the tenant",
    OWNER: "the tenant's owners",
    ADMIN_OWNER: "the tenant's admin owner",
    "developer": "the platform's developers",
    "developer admin": "the platform's developer admins",
}


def allowed_roles(action: Action) -> str:
    """Return who may call it, in words."""
    who = ADMITTED.get(action.access, "anyone with a token")
    if action.area is not None:
        who = f"the tenant's owners to whom `{action.area}` is delegated, and its admin owner"
    if action.platform is not None:
        who += f"; {ADMITTED[action.platform]} too, on any tenant"
    return who


def names_tenant(action: Action) -> bool:
    """Return whether its requests name a tenant."""
    return not action.name.startswith(RESERVED)


def example_params(action: Action) -> dict[str, Any]:
    """Params that fit, as a caller would begin: those required, and those of which the index has examples."""
    source, whole = action.params.source, action.params.example()
    properties, required = source["properties"], source.get("required", ())
    few = {
        name: value
        for name, value in whole.items()
        if name in required or "examples" in properties.get(name, ())
    }
    try:
        action.params.parse(few)
    except InvalidArgument:
        return whole
    return few


def command(action: Action) -> str:
    """Return the shell command that calls an action with its example."""
    tenant = "acme" if names_tenant(action) else "-"
    return command_line(tenant, action.name, example_params(action), admin=action.channel == ADMIN)


def command_line(tenant: str, name: str, params: Mapping[str, Any], *, admin: bool = True) -> str:
    """Return the shell command that calls an action with these params; `-` is no tenant."""
    channel = ["--admin"] if admin else []
    return " ".join([as_typed("scripts/call"), *channel, tenant, name, *shell_words(params)])


def shell_words(params: Mapping[str, Any], within: str = "") -> Iterable[str]:
    """Params as scripts/call reads them (scripts/cli/params.py); `within` a map: `params.`."""
    return [_word(f"{within}{name}", value) for name, value in params.items()]


def _word(name: str, value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    if isinstance(value, str):
        return f"{name}={shlex.quote(value)}" if _is_text(value) else f"{name}:={shlex.quote(text)}"
    return f"{name}={shlex.quote(text)}"


def _is_text(value: str) -> bool:
    """Whether scripts/call takes these characters for a text: JSON would be read as JSON."""
    try:
        json.loads(value)
    except ValueError:
        return True
    return False
