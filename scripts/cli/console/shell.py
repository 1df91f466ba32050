"""Runs lines of the console, one at a time: the console's own words, and actions of the server."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

from scripts.cli.call import REFUSED, SILENT, USAGE
from scripts.cli.console.aliases import ALIASES, Alias
from scripts.cli.console.catalog import Catalog
from scripts.cli.console.confirmation import (
    AskPerson,
    Confirmation,
    is_changed,
    needs_confirmation,
)
from scripts.cli.console.connection import ConsoleConnection, TokenOwner
from scripts.cli.console.follow import Follower, read_trace_on
from scripts.cli.console.grammar import NO_TENANT, Flags, ParsedCall, parse, read_flags, split
from scripts.cli.console.guide import Guide
from scripts.cli.console.output import LOGS, Output
from scripts.cli.console.references import DEVELOPER_ADMIN, resolve
from scripts.cli.console.statuses import CHANGED, DONE, Exit
from scripts.cli.entry import DescribedAction
from scripts.cli.params import UsageError
from scripts.cli.target import Unreachable
from transport.errors import CallError, NoAnswer, Unauthenticated, failure
from transport.message import Reply

EVERY = "2s"
"""Time between two looks of `watch`."""

MOST_SEEN = 200
"""Trace ids of printed results that completion offers."""


class Shell:
    """One console: its tenant, and what it does with a line."""

    def __init__(
        self, connection: ConsoleConnection, output: Output, ask_person: AskPerson | None = None
    ) -> None:
        """`ask_person` is None where no person is: then what needs a confirmation is refused without one."""
        self.connection = connection
        self.output = output
        self.catalog = Catalog(connection.call)
        self.tenant: str | None = None
        self.identity: TokenOwner | None = None
        self._super_until: datetime | None = None
        self.is_changing = False
        """Whether the last request was to change something."""
        self.traces: dict[str, None] = {}
        """Trace ids that were seen, the latest last."""
        self._ask_person = ask_person
        self._confirmation = Confirmation(connection.call, output, ask_person)
        self._guide = Guide(self.catalog, output)
        self._page: tuple[ParsedCall, Mapping[str, Any]] | None = None
        self._own: Mapping[str, Callable[[list[str], Flags], Awaitable[int]]] = MappingProxyType(
            {
                "help": self._help,
                "?": self._help,
                "use": self._use,
                "login": self._login,
                "more": self._more,
                "watch": self._watch,
                "dashboard": self._dashboard,
                "exit": self._exit,
                "quit": self._exit,
            }
        )

    @property
    def is_super(self) -> bool:
        """Whether the caller is super admin on the tenant of the prompt, as known when it was chosen."""
        return self._super_until is not None and datetime.now(UTC) < self._super_until

    async def greeting(self) -> list[str]:
        """Find out where this is and as whom, for the prompt; return it in words, or what is wrong."""
        try:
            self.identity = who = await self.connection.identity()
            self.tenant = self.tenant or who.tenant
            await self.catalog.find("system.describe")
        except CallError as error:
            hint = [self.connection.hint] if isinstance(error, Unauthenticated) else []
            return [str(error), *filter(None, hint)]
        return [
            f"{self.connection.endpoint} · {self.catalog.environment} · {who} ({who.role}) · "
            "help lists the commands, Tab completes, Ctrl-D leaves"
        ]

    async def run(self, line: str) -> int:
        """Do what a line says; return its status. Raises Exit."""
        self.is_changing = False
        try:
            return await self._run(line)
        except UsageError as error:
            self.output.problem(str(error))
            return USAGE
        except (Unreachable, NoAnswer) as error:
            again = f"; to ask again: --id {error.id}" if isinstance(error, NoAnswer) else ""
            self.output.problem(f"{error}{again}")
            return SILENT
        except CallError as error:
            return self._refused(error)

    async def _run(self, line: str) -> int:
        words, flags = read_flags(split(line))
        if not words:
            return DONE
        word, *rest = words
        if word in self._own:
            return await self._own[word](rest, flags)
        if flags.help:
            return await self._help([word], flags)
        if rest[:1] == ["on"] and word == "trace":
            return await self._trace_on(rest[1:], flags)
        return await self._do(await self._understood(word, rest, flags))

    async def _understood(self, word: str, rest: list[str], flags: Flags) -> ParsedCall:
        entry, alias = await self.lookup(word)
        if entry is None:
            raise UsageError(await self._guide.unknown(word))
        call = parse(rest, flags, entry, alias, self.tenant)
        return await resolve(call, self.connection.call, tuple(self.traces), self.identity)

    async def lookup(self, word: str) -> tuple[DescribedAction | None, Alias | None]:
        """Return the action that a word stands for; None if this caller has none."""
        alias = ALIASES.get(word)
        name = word if alias is None else alias.action
        return (await self.catalog.find(name) if "." in name else None), alias

    # Actions

    async def _do(self, call: ParsedCall) -> int:
        if call.flags.dry_run or needs_confirmation(call):
            found = await self._confirmation.confirm(call)
            return found if isinstance(found, int) else await self._send(found)
        return await self._send(call)

    async def _send(self, call: ParsedCall) -> int:
        self.is_changing = call.entry.writes
        reply = await self.connection.request(
            call.entry.name, call.params, call.tenant, call.flags.id
        )
        self._note(reply)
        if reply.error is not None:
            return self._refused(failure(reply.error, reply.id, reply.meta.get("trace_id")))
        self.output.reply(call.entry.name, reply, wide=call.flags.wide, as_json=call.flags.json)
        if call.entry.writes:
            self.catalog.forget()
        self._page = (call, reply.result or {})
        if not (self.output.json or call.flags.json) and _next(self._page) is not None:
            self.output.say("there is more: `more` shows it")
        return DONE

    def _refused(self, error: CallError) -> int:
        hint = self.connection.hint if isinstance(error, Unauthenticated) else ""
        if isinstance(error, Unauthenticated) and self._ask_person is not None:
            hint = f"{hint}; `login` asks for another token".removeprefix("; ")
        self.output.refusal(error, hint)
        return CHANGED if is_changed(error) else REFUSED

    def _note(self, reply: Reply) -> None:
        """Keep trace ids for completion: those of the answer, and of what it lists."""
        for found in trace_ids(reply.result):
            self.traces.pop(found, None)
            self.traces[found] = None
        for old in list(self.traces)[:-MOST_SEEN]:
            del self.traces[old]

    # The console's own words

    async def _help(self, words: list[str], _: Flags) -> int:
        if not words:
            await self._guide.overview()
            return DONE
        entry, alias = await self.lookup(words[0])
        if entry is None and await self._guide.group(words[0]):
            return DONE
        if entry is None:
            raise UsageError(await self._guide.unknown(words[0]))
        self._guide.one(entry, alias)
        return DONE

    async def _use(self, words: list[str], _: Flags) -> int:
        """Set the tenant of the prompt; it has to be there."""
        if len(words) != 1:
            raise UsageError("use TENANT, or use - for none")
        name = words[0]
        if name != NO_TENANT:
            await self.connection.call("tenants.show", {}, name)
        self.tenant = None if name == NO_TENANT else name
        self._super_until = await self._find_grant()
        return DONE

    async def _find_grant(self) -> datetime | None:
        """Return when the caller's grant on the tenant of the prompt ends; None without one."""
        me = self.identity
        if self.tenant is None or me is None or me.role != DEVELOPER_ADMIN:
            return None
        listed = await self.connection.call("supers.list", {}, self.tenant)
        mine = [each for each in listed["grants"] if each["live"] and each["person"] == me.person]
        return max((datetime.fromisoformat(each["until"]) for each in mine), default=None)

    async def _login(self, words: list[str], _: Flags) -> int:
        """Go on under another token, such as when this one has ended; it is not shown and not kept."""
        if words or self._ask_person is None:
            raise UsageError("login asks for a token at a terminal: it is not typed on the line")
        before, self.connection.token = (
            self.connection.token,
            (await self._ask_person("token: ", hidden=True)).strip(),
        )
        try:
            self.identity = await self.connection.identity()
        except CallError:
            self.connection.token = before
            raise
        self.catalog.forget()
        self.output.say(f"{self.identity} ({self.identity.role})")
        return DONE

    async def _more(self, _: list[str], flags: Flags) -> int:
        found = None if self._page is None else _next(self._page)
        if self._page is None or found is None:
            raise UsageError("there is no further page")
        call, _result = self._page
        return await self._send(call._replace(params={**call.params, **found}, flags=flags))

    async def _watch(self, words: list[str], flags: Flags) -> int:
        """Repeat a question until Ctrl-C, also over a restart of the server."""
        if not words:
            raise UsageError("watch what? For example: watch stats")
        seconds = _seconds(flags.every or EVERY)
        call = await self._understood(words[0], words[1:], flags)
        if call.entry.writes:
            raise UsageError(f"{call.entry.name} changes something: only questions can be watched")
        if call.entry.name in LOGS:
            await Follower(self.connection, self.output, call, whole=False).run()
            return DONE
        while True:
            if self.output.is_terminal:
                self.output.clear()
            with suppress(NoAnswer):  # it is asked again all the same
                if await self._send(call) == REFUSED:
                    return REFUSED
            self.output.say(f"every {seconds:g} s; Ctrl-C ends it")
            await asyncio.sleep(seconds)

    async def _dashboard(self, words: list[str], _flags: Flags) -> int:
        """Fill the terminal with figures until q, then go on where the console was."""
        if words:
            raise UsageError(f"dashboard takes nothing, and {words[0]!r} was given")
        if not self.output.is_terminal or self.identity is None:
            raise UsageError(
                "dashboard fills a terminal, and this is none: watch stats prints lines"
            )
        from scripts.cli.console.dashboard import show_dashboard  # takes a third of a second

        who = self.identity
        about = f"{self.catalog.environment} · {who} ({who.role})"
        await show_dashboard(self.connection, about, who.tenant)
        return DONE

    async def _trace_on(self, words: list[str], flags: Flags) -> int:
        """Show the next messages of a tenant as they are answered, as its log has them: without secrets."""
        tenant, params, count = read_trace_on(words)
        entry = await self.catalog.find("logs.tenant")
        if entry is None:
            raise UsageError("logs.tenant is not for you: see `help trace`")
        call = ParsedCall(entry, tenant, params, flags)
        await Follower(self.connection, self.output, call, whole=True).run(count)
        return DONE

    async def _exit(self, _: list[str], __: Flags) -> int:
        raise Exit


def _next(page: tuple[ParsedCall, Mapping[str, Any]]) -> dict[str, Any] | None:
    """Return the param for the following page; None on the last one."""
    call, result = page
    following = result.get("next")
    name = next((each for each in ("after", "before") if each in call.entry.properties), None)
    if call.entry.name.startswith("logs."):  # they follow by `after`, and go back by `before`
        name = "before"
    return None if following is None or name is None else {name: following}


def trace_ids(value: Any) -> Iterator[str]:
    """Yield every trace id in an answer."""
    if isinstance(value, Mapping):
        found = value.get("trace_id")
        if isinstance(found, str):
            yield found
        value = list(value.values())
    for each in value if isinstance(value, list) else ():
        yield from trace_ids(each)


def _seconds(text: str) -> float:
    found = re.fullmatch(r"(\d+(?:\.\d+)?)s?", text)
    if found is None or not 0.2 <= float(found[1]) <= 3600:
        raise UsageError(f"--every {text}: a number of seconds, such as 5s")
    return float(found[1])
