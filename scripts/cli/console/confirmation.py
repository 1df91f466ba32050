"""What a change is about, as it is now: shown before it is made, and compared when it is.

The digest covers the action, its tenant, its params and what they are about. The server gives it for actions
that take one (`changes.digest`), and refuses them if it is another when the change is made. For the others
it is made of what was read, and read again before anything is sent.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from hashlib import sha256
from types import MappingProxyType
from typing import Any, NamedTuple, Protocol

from scripts.cli.console.grammar import ParsedCall
from scripts.cli.console.output import Output
from scripts.cli.console.statuses import CHANGED, DONE, UNCONFIRMED
from scripts.cli.entry import DescribedAction
from transport.errors import CallError
from transport.message import ABORTED, INVALID_ARGUMENT, NOT_FOUND, PERMISSION_DENIED

EXPECTED = "expected"
"""The param of actions that the server refuses if they are about something else by now."""

EXPECTATION_FIELD = f"params.{EXPECTED}"
"""Where such a refusal has its problem."""

DIGEST_LENGTH = 12
"""Hexadecimal digits that are shown and typed."""

GENTLE = frozenset(
    {
        *(
            "add",
            "answer",
            "change",
            "configure",
            "create",
            "enrol",
            "issue",
            "link",
            "open",
            "patch",
        ),
        *("prioritise", "reopen", "reply", "set", "submit", "vote"),
    }
)
"""Last parts of actions that add or set, which can be set again. All other writes are asked about."""

VOLATILE = frozenset(
    {
        "last_used_at",
        "seconds_ago",
        "next_at",
        "attempts",
        "failures",
        "last_error",
        "next",
        "newest",
    }
)
"""Members that change by themselves: not part of a digest."""

Read = Callable[[str, Mapping[str, Any], str | None], Awaitable[Mapping[str, Any]]]
"""Calls an action for its result: its name, params and tenant."""


class PreviewAction(NamedTuple):
    """One action that shows what a change is about."""

    action: str
    carry: tuple[str, ...] = ()
    """Params that are handed on."""
    pick: str = ""
    """The param with the id of the one row that matters; empty if all do."""
    keep: tuple[str, ...] = ()
    """Members of the result that matter; empty if all do."""
    fleeting: frozenset[str] = frozenset()
    """Further members that change by themselves."""


ACTOR = PreviewAction(
    "actors.show",
    ("actor",),
    keep=("actor",),
    fleeting=frozenset({"state", "mailbox", "turns", "age_seconds", "idle_seconds"}),
)

SOURCES: Mapping[str, tuple[PreviewAction, ...]] = MappingProxyType(
    {
        "tenants.delete": (PreviewAction("tenants.show"), PreviewAction("owners.list")),
        "tokens.revoke": (PreviewAction("tokens.list", pick="token"),),
        "intent.clear": (PreviewAction("intent.list", fleeting=frozenset({"decays_at"})),),
        "members.remove": (
            PreviewAction("members.list", pick="person"),
            PreviewAction("tokens.list", ("person",)),
        ),
        "owners.withdraw": (PreviewAction("owners.list", pick="person"),),
        "owners.transfer": (PreviewAction("members.list", pick="to"),),
        "owners.delegate": (PreviewAction("members.list", pick="person"),),
        "developers.remove": (
            PreviewAction("developers.list", pick="person"),
            PreviewAction("developers.tokens", ("person",)),
        ),
        "developers.revoke": (PreviewAction("developers.tokens", pick="token"),),
        "supers.grant": (
            PreviewAction("developers.list", pick="person"),
            PreviewAction("supers.list"),
        ),
        "supers.withdraw": (PreviewAction("supers.list", pick="grant"),),
        "subscriptions.end": (PreviewAction("subscriptions.list"),),
        "config.revert": (PreviewAction("config.show", ("revision",)),),
        "connectors.retry": (PreviewAction("connectors.dead", ("connector",), pick="id"),),
        "functions.move": (
            PreviewAction("functions.show", ("function", "connector"), keep=("serving", "states")),
        ),
        "functions.reload": (PreviewAction("functions.diff", keep=("digest", "changes")),),
        "actors.restart": (ACTOR,),
        "actors.passivate": (ACTOR,),
        **dict.fromkeys(
            ("requests.close", "requests.withdraw", "requests.unlink", "requests.publish"),
            (PreviewAction("requests.show", ("request",), keep=("request",)),),
        ),
        "functions.withdraw": (PreviewAction("functions.testers", ("function",)),),
    }
)
"""What shows what an action is about; for others the tenant alone."""

TENANT_ALONE = (PreviewAction("tenants.show"),)


class Preview(NamedTuple):
    """What a change is about, as it was when it was read."""

    subject: str
    """What has to be typed to confirm it: the tenant's name, or the function's."""
    seen: tuple[tuple[str, Mapping[str, Any]], ...]
    """Results, by the action that gave them."""
    digest: str
    is_checked_by_server: bool = False
    """Whether the server gave the digest, and compares it when the change is made."""


class AskPerson(Protocol):
    """Asks the person at the terminal one question; returns the answer."""

    def __call__(self, question: str, *, hidden: bool = False) -> Awaitable[str]:
        """What is typed is not shown if it is to be `hidden`."""
        ...


class Confirmation:
    """Has a person confirm a change, in front of what it is about."""

    def __init__(self, read: Read, output: Output, ask_person: AskPerson | None) -> None:
        """`ask_person` is None where no person is: then a change is confirmed on its line alone."""
        self._read = read
        self._output = output
        self._ask_person = ask_person

    async def confirm(self, call: ParsedCall) -> ParsedCall | int:
        """Show what the call is about, have it confirmed, look again; return what to send, or the status."""
        preview = await look(call, self._read)
        if call.flags.digest is not None and call.flags.digest != preview.digest:
            return self._changed(call.flags.digest, preview)
        if call.flags.dry_run:
            self._show(call, preview)
            return DONE
        if not await self._is_confirmed(call, preview):
            return UNCONFIRMED
        now = preview if preview.is_checked_by_server else await look(call, self._read)
        if now.digest != preview.digest:
            return self._changed(preview.digest, now)
        return with_expectation(call, now)

    def _changed(self, digest: str, preview: Preview) -> int:
        self._output.problem(
            f"nothing was done: what it is about was {digest} and is {preview.digest} now; look again"
        )
        return CHANGED

    async def _is_confirmed(self, call: ParsedCall, preview: Preview) -> bool:
        if call.flags.confirm is not None and call.flags.digest is not None:
            return self._matches(call.flags.confirm, preview)
        self._show(call, preview)
        if self._ask_person is None:
            self._output.problem(
                "nothing was done: to do it, add "
                f"--confirm {preview.subject} --digest {preview.digest}"
            )
            return False
        typed = await self._ask_person(f"type {preview.subject} to do it: ")
        return self._matches(typed.strip(), preview)

    def _matches(self, typed: str, preview: Preview) -> bool:
        if typed != preview.subject:
            self._output.problem(f"nothing was done: that is not {preview.subject}")
        return typed == preview.subject

    def _show(self, call: ParsedCall, preview: Preview) -> None:
        if self._output.json or call.flags.json:
            shown = {"action": call.entry.name, "tenant": call.tenant, "params": call.params}
            self._output.value({**shown, "about": dict(preview.seen), "digest": preview.digest})
            return
        of = "" if call.tenant is None else f" of {call.tenant}"
        self._output.say(f"{call.entry.name}{of}: {call.entry.summary}", "bold")
        self._output.result("", {"params": call.params})
        for action, result in preview.seen:
            self._output.say(f"now ({action})")
            self._output.result(action, result)
        self._output.say(f"digest {preview.digest}", "bold")


def needs_confirmation(call: ParsedCall) -> bool:
    """Whether it takes something away, or the console cannot tell that it does not."""
    verb = call.entry.name.rpartition(".")[2]
    return call.entry.writes and (verb not in GENTLE or None in call.params.values())


async def look(call: ParsedCall, read: Read) -> Preview:
    """Read what a change is about; raises CallError.

    The digest first: what changes between the two is then refused, and not what was never shown.
    """
    given = await _digest_of_server(call, read)
    default = TENANT_ALONE if call.tenant is not None else ()
    seen, lasting = [], []
    for source in SOURCES.get(call.entry.name, default):
        params = {name: call.params[name] for name in source.carry if name in call.params}
        result = await read(source.action, params, call.tenant)
        shown = _relevant(result, source, call.params)
        seen.append((source.action, shown))
        lasting.append(_lasting(shown, VOLATILE | source.fleeting))
    digest = _digest(call, lasting) if given is None else given
    return Preview(subject_of(call), tuple(seen), digest, given is not None)


async def _digest_of_server(call: ParsedCall, read: Read) -> str | None:
    """Return the server's digest; None if the action takes none, or the caller may not ask: it says why."""
    if not takes_digest(call.entry):
        return None
    params = {"action": call.entry.name, "params": call.params}
    try:
        return str((await read("changes.digest", params, call.tenant))["digest"])
    except CallError as error:
        if error.code in (INVALID_ARGUMENT, NOT_FOUND, PERMISSION_DENIED):
            return None
        raise


def takes_digest(entry: DescribedAction) -> bool:
    """Return whether `expected` is a digest; that of a move is a state."""
    return "pattern" in entry.properties.get(EXPECTED, {})


def is_changed(error: CallError) -> bool:
    """Return whether the server refused because what was shown has changed."""
    fields = [each.field for each in error.details]
    return error.code == ABORTED and fields == [EXPECTATION_FIELD]


def subject_of(call: ParsedCall) -> str:
    """Return what to type: the tenant, else what the change is of, else the action's name."""
    if call.tenant is not None:
        return call.tenant
    names = ("function", "connector", "actor", "person", "token", "request")
    named = (str(call.params[name]) for name in names if name in call.params)
    return next(named, call.entry.name)


def with_expectation(call: ParsedCall, preview: Preview) -> ParsedCall:
    """Have the server refuse the change if another operator was faster, whenever that was."""
    if preview.is_checked_by_server and EXPECTED not in call.params:
        return call._replace(params={**call.params, EXPECTED: preview.digest})
    states = preview.seen[0][1].get("states", {}) if preview.seen else {}
    state = states.get(str(call.params.get("version")))
    if EXPECTED not in call.entry.properties or EXPECTED in call.params or state is None:
        return call
    return call._replace(params={**call.params, EXPECTED: state})


def _relevant(
    result: Mapping[str, Any], source: PreviewAction, params: Mapping[str, Any]
) -> dict[str, Any]:
    kept = {name: value for name, value in result.items() if not source.keep or name in source.keep}
    wanted = params.get(source.pick)
    if wanted is None:
        return kept
    return {name: _picked(value, wanted) for name, value in kept.items()}


def _picked(value: Any, wanted: Any) -> Any:
    is_rows = isinstance(value, list) and all(isinstance(row, dict) for row in value)
    return [row for row in value if row.get("id") == wanted] if is_rows else value


def _digest(call: ParsedCall, lasting: Sequence[Any]) -> str:
    content = [call.entry.name, call.tenant, call.params, lasting]
    return sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:DIGEST_LENGTH]


def _lasting(value: Any, volatile: frozenset[str]) -> Any:
    if isinstance(value, Mapping):
        return {
            name: _lasting(each, volatile) for name, each in value.items() if name not in volatile
        }
    return [_lasting(each, volatile) for each in value] if isinstance(value, list) else value
