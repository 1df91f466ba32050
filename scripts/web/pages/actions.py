"""Any action by a form of its own; what takes something away is shown first, and confirmed by a name."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from typing import Any, Final

from scripts.cli.console.confirmation import (
    Preview,
    is_changed,
    look,
    needs_confirmation,
    with_expectation,
)
from scripts.cli.console.grammar import Flags, ParsedCall
from scripts.cli.entry import DescribedAction
from scripts.web.action_form import PREFIX, Unreadable, fields_of, params_of, takes_tenant
from scripts.web.caller import words_of
from scripts.web.login import local
from scripts.web.visit import Visit
from scripts.web.web_response import Document
from transport.errors import CallError, Unauthenticated
from transport.gateway.envelope import new_id, problem
from transport.gateway.statuses import STATUSES, HttpRefusal
from transport.message import NOT_FOUND

CHANGED: Final = (
    "What this is about has changed since it was shown; nothing was done. Look at it again."
)


async def catalog(visit: Visit) -> Document:
    """Everything that the person may do."""
    entries = [each for name, each in visit.caller.entries.items() if visit.caller.may(name)]
    return visit.page("actions.html", entries=entries)


async def form(visit: Visit, action: str) -> Document:
    """The form of one action, filled with what the address has."""
    return _form(visit, _entry(visit, action), visit.request.query)


async def submit(visit: Visit, action: str) -> Document:
    """Do it, or show what it is about and ask first."""
    entry, sent = _entry(visit, action), visit.request.form
    try:
        call = ParsedCall(entry, _tenant(visit, entry), params_of(entry, sent), Flags())
        if not needs_confirmation(call):
            return await _done(visit, call)
        preview = await look(call, visit.caller.call)
        refusal = _refusal(sent, preview)
        if refusal is not None:
            return _ask(visit, call, preview, refusal)
        return await _confirmed(visit, call, preview)
    except Unauthenticated:
        raise
    except Unreadable as error:
        return _form(visit, entry, sent, str(error), 400)
    except CallError as error:
        return _form(visit, entry, sent, words_of(error), STATUSES.get(error.code, 503))


async def _confirmed(visit: Visit, call: ParsedCall, preview: Preview) -> Document:
    """Do it, unless the server says that what was shown has changed in the meantime: then show it anew."""
    try:
        return await _done(visit, with_expectation(call, preview))
    except CallError as error:
        if not is_changed(error):
            raise
        return _ask(visit, call, await look(call, visit.caller.call), CHANGED)


def _entry(visit: Visit, action: str) -> DescribedAction:
    entry = visit.caller.entries.get(action)
    if entry is None or entry.channel == "data":
        words = f"there is no action {action[:128]!r} of the admin channel that you may call"
        raise HttpRefusal(problem(NOT_FOUND, words))
    return entry


def _tenant(visit: Visit, entry: DescribedAction) -> str | None:
    if visit.caller.who.tenant is not None:
        return visit.caller.who.tenant
    typed = visit.request.form.get("tenant", visit.request.query.get("tenant", "")).strip()
    return typed or None if takes_tenant(entry) else None


def _refusal(sent: Mapping[str, str], preview: Preview) -> str | None:
    """Return why it is not done yet, in words; empty where nothing was confirmed; None if all is well."""
    if "digest" not in sent:
        return ""
    if not hmac.compare_digest(sent["digest"].encode(), preview.digest.encode()):
        return CHANGED
    if sent.get("confirm", "").strip() != preview.subject:
        return f"Not confirmed: type {preview.subject}. Nothing was done."
    return None


def _form(
    visit: Visit,
    entry: DescribedAction,
    given: Mapping[str, str],
    trouble: str = "",
    status: int = 200,
) -> Document:
    return visit.page(
        "action.html",
        status,
        entry=entry,
        fields=fields_of(entry, given),
        asks_tenant=takes_tenant(entry) and visit.caller.is_of_platform,
        tenant=given.get("tenant", ""),
        id=given.get("id") or new_id(),
        back=local(given.get("back", "/")),
        trouble=trouble,
    )


def _ask(visit: Visit, call: ParsedCall, preview: Preview, refusal: str) -> Document:
    sent = visit.request.form
    return visit.page(
        "confirm.html",
        409 if refusal else 200,
        entry=call.entry,
        tenant=call.tenant,
        params=call.params,
        preview=preview,
        sent={name: each for name, each in sent.items() if name.startswith(PREFIX)},
        id=sent.get("id") or new_id(),
        back=local(sent.get("back", "/")),
        trouble=refusal,
    )


async def _done(visit: Visit, call: ParsedCall) -> Document:
    id = visit.request.form.get("id") or None
    result: Mapping[str, Any] = await visit.caller.call(
        call.entry.name, call.params, call.tenant, id
    )
    return visit.page(
        "done.html",
        entry=call.entry,
        tenant=call.tenant,
        result=result,
        back=local(visit.request.form.get("back", "/")),
    )
