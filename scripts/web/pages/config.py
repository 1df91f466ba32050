"""A tenant's config: read, edited as one JSON object, its revisions, and the way back to each."""

from __future__ import annotations

import json
from collections.abc import Mapping
from difflib import unified_diff
from typing import Any, Final

from scripts.web.caller import words_of
from scripts.web.merge_patch import patch_of
from scripts.web.pages.tenant import tabs
from scripts.web.visit import Visit, Wanted
from scripts.web.web_response import Document, redirect
from transport.errors import CallError, Unauthenticated
from transport.gateway.statuses import STATUSES

PARTS: Final = ("settings", "whitelabel", "origins")


async def show(visit: Visit, tenant: str) -> Document:
    """The config now; with `?revision=` how that one differs from it."""
    return await _page(visit, tenant)


async def save(visit: Visit, tenant: str) -> Document:
    """Send what was changed in the text, as a patch for the revision that the page showed."""
    sent = visit.request.form
    text, revision = sent.get("config", ""), sent.get("revision", "")
    try:
        wanted = json.loads(text)
        if not isinstance(wanted, dict) or not revision.isdecimal():
            raise ValueError("not an object")
    except ValueError as error:
        return await _page(visit, tenant, text, f"This is no JSON object: {error}", 400)
    try:
        shown = await visit.caller.call("config.show", {"revision": int(revision)}, tenant)
        patch = patch_of(content(shown["config"]), wanted)
        if patch:
            params = {"patch": patch, "revision": int(revision)}
            await visit.caller.call("config.patch", params, tenant, sent.get("id") or None)
    except Unauthenticated:
        raise
    except CallError as error:
        status = STATUSES.get(error.code, 503)
        return await _page(visit, tenant, text, words_of(error), status)
    return redirect(visit.request.path)


def content(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a tenant has set, without who and when."""
    return {name: config[name] for name in PARTS if name in config}


async def _page(
    visit: Visit, tenant: str, typed: str | None = None, trouble: str = "", status: int = 200
) -> Document:
    is_super = await visit.caller.is_super(tenant)
    before = visit.request.query.get("before", "")
    paging = {"before": int(before)} if before.isdecimal() else {}
    shown, history, schema = await visit.panels(
        Wanted("config.show", {}, tenant),
        Wanted("config.history", {"limit": 20, **paging}, tenant),
        Wanted("config.schema", {}, tenant),
    )
    now = content(shown.result.get("config", {}))
    return visit.page(
        "config.html",
        status,
        tenant=tenant,
        tabs=tabs(visit, tenant, is_super=is_super),
        is_super=is_super,
        shown=shown,
        history=history,
        schema=schema,
        text=typed if typed is not None else _text(now),
        base=visit.request.form.get("revision") or shown.result.get("config", {}).get("revision"),
        trouble=trouble,
        old=await _old(visit, tenant, now),
    )


async def _old(visit: Visit, tenant: str, now: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return an old revision that the address names, and how it differs from what holds."""
    wanted = visit.request.query.get("revision", "")
    if not wanted.isdecimal():
        return None
    panel = await visit.caller.panel("config.show", {"revision": int(wanted)}, tenant)
    then = content(panel.result.get("config", {}))
    names = f"revision {wanted}", "now"
    lines = unified_diff(_text(then).splitlines(), _text(now).splitlines(), *names, lineterm="")
    return {"panel": panel, "revision": int(wanted), "lines": list(lines) if panel.ok else []}


def _text(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False)
