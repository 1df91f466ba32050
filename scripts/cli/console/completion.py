"""Completion on Tab, from the live index: commands, tenants, functions, versions, states and trace ids.

What the server has many of is asked for by its beginning, a page at most: ten thousand tenants cost no more
than ten.
"""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Iterable, Sequence
from typing import Any

from prompt_toolkit.completion import CompleteEvent, Completer, Completion
from prompt_toolkit.document import Document

from scripts.cli.console.aliases import ALIASES, TENANT, Alias
from scripts.cli.console.grammar import SWITCHES, VALUED, slots_of
from scripts.cli.console.guide import OWN
from scripts.cli.console.shell import Shell
from scripts.cli.describe import before
from scripts.cli.entry import DescribedAction
from scripts.cli.params import UsageError
from scripts.cli.target import Unreachable
from transport.errors import CallError

MOST = 20
"""Candidates asked for, and shown."""

FUNCTIONS = frozenset({"function", "connector", "prefix", "action"})
"""Params whose values are names of the index."""


class Words(Completer):
    """Completes the word at the cursor."""

    def __init__(self, shell: Shell) -> None:
        self._shell = shell

    def get_completions(
        self,
        document: Document,  # noqa: ARG002 - the interface's
        complete_event: CompleteEvent,  # noqa: ARG002 - the interface's
    ) -> Iterable[Completion]:
        """Return nothing: completion asks a server, and is asynchronous."""
        return ()

    async def get_completions_async(
        self,
        document: Document,
        complete_event: CompleteEvent,  # noqa: ARG002 - the interface's
    ) -> AsyncGenerator[Completion, None]:
        """Yield what may stand at the cursor; nothing if the server cannot be asked."""
        line = document.text_before_cursor
        words = re.findall(r"'[^']*'?|\"[^\"]*\"?|\S+", line)
        current = "" if not line or line[-1].isspace() else words.pop()
        try:
            found = await self.candidates(words, current)
        except (CallError, UsageError, Unreachable):
            return
        for each in found[:MOST]:
            yield Completion(_quoted(each), start_position=-len(current))

    async def candidates(self, words: Sequence[str], current: str) -> list[str]:
        """Return what the word after these may be; raises CallError."""
        if words and words[0] in ("watch", "help"):
            words = words[1:]
        if not words:
            return await self._commands(current)
        if words[0] == "use":
            return await self._tenants(current)
        entry, alias = await self._shell.lookup(words[0])
        if entry is None:
            return []
        if current.startswith("--"):
            return _beginning([f"--{each}" for each in (*SWITCHES, *VALUED)], current)
        name, equals, _ = current.partition("=")
        if equals:
            return [
                f"{name}={each}"
                for each in await self._values(entry, name, current[len(name) + 1 :])
            ]
        return await self._placed(entry, alias, words, current)

    async def _commands(self, prefix: str) -> list[str]:
        entries = await self._shell.catalog.all()
        known = {name for name, alias in ALIASES.items() if alias.action in entries}
        own = [each.split()[0] for each in OWN]
        short = _beginning([*known, *own], prefix)
        return [*short, *_beginning(entries, prefix)]

    async def _placed(
        self, entry: DescribedAction, alias: Alias | None, words: Sequence[str], current: str
    ) -> list[str]:
        """What the next slot takes; then the names of params."""
        taken = [each for each in words[1:] if "=" not in each and not each.startswith("--")]
        slots = slots_of(alias)[len(taken) :]
        found = await self._values(entry, slots[0].name, current) if slots else []
        given = {each.partition("=")[0] for each in words}
        placed = {slot.name for slot in slots_of(alias)}
        names = [each for each in entry.properties if each not in given | placed]
        return [*found, *_beginning([f"{each}=" for each in names], current)]

    async def _values(self, entry: DescribedAction, name: str, prefix: str) -> list[str]:
        if name == TENANT:
            return await self._tenants(prefix)
        if "@" in name:
            return await self._versions(prefix)
        if name in FUNCTIONS:
            return await self._functions(prefix)
        if name == "trace_id":
            return _beginning(reversed(self._shell.traces), prefix) or await self._traces(prefix)
        choices = entry.properties.get(name, {}).get("enum", ())
        return _beginning([str(each) for each in choices], prefix.strip("'\""))

    async def _tenants(self, prefix: str) -> list[str]:
        page = await self._ask("tenants.list", {"after": before(prefix), "limit": MOST})
        return _beginning([each["name"] for each in page.get("tenants", ())], prefix)

    async def _functions(self, prefix: str) -> list[str]:
        page = await self._ask("functions.list", {"prefix": prefix, "limit": MOST})
        return [each["name"] for each in page.get("functions", ())]

    async def _versions(self, word: str) -> list[str]:
        prefix, at, _ = word.partition("@")
        page = await self._ask("functions.list", {"prefix": prefix, "limit": MOST})
        found = page.get("functions", ())
        if not at:
            return [f"{each['name']}@" for each in found]
        mine = (each for each in found if each["name"] == prefix)
        return _beginning(
            [f"{prefix}@{number}" for each in mine for number in each["states"]], word
        )

    async def _traces(self, prefix: str) -> list[str]:
        page = await self._ask(
            "logs.errors", {"limit": MOST, **({"text": prefix} if prefix else {})}
        )
        ids = (each["trace_id"] for each in page.get("lines", ()))
        return _beginning(dict.fromkeys(each for each in ids if each), prefix)

    async def _ask(self, action: str, params: dict[str, Any]) -> Any:
        """Call an action that this caller may have; an empty answer if not."""
        if await self._shell.catalog.find(action) is None:
            return {}
        return await self._shell.connection.call(action, params)


def _beginning(words: Iterable[str], prefix: str) -> list[str]:
    return [each for each in words if each.startswith(prefix)]


def _quoted(word: str) -> str:
    return f"'{word}'" if " " in word else word
