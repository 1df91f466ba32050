"""Inline help of the console, made from the server's index."""

from __future__ import annotations

import difflib
from itertools import groupby

from rich.text import Text

from scripts.cli.console.aliases import ALIASES, TENANT, Alias, words_for
from scripts.cli.console.catalog import Catalog
from scripts.cli.console.confirmation import GENTLE
from scripts.cli.console.grammar import SECONDS_OF, TIMES, usage
from scripts.cli.console.output import Output
from scripts.cli.entry import DescribedAction, example_params, param_lines
from scripts.cli.tables import safe_text

OWN = {
    "help [WORD]": "this list, or one command with an example",
    "use TENANT": "the tenant that is meant from now on; use - for none",
    "login": "go on under another token, which is asked for",
    "more": "the next page of the last answer",
    "watch COMMAND [--every 5s]": "repeat a question, or follow a log, until Ctrl-C",
    "dashboard": "fill the terminal with figures, with keys to look further, until q",
    "trace on TENANT [ACTION] [20]": "the next messages of a tenant as they are answered",
    "exit": "leave, as Ctrl-D does",
}
"""The console's own words."""

FLAGS = {
    "--json": "the whole reply as JSON",
    "--wide": "every column, ids and times unshortened",
    "--dry-run": "show what a change is about, and its digest; nothing is done",
    "--digest D": "do it only if what it is about still has this digest",
    "--confirm NAME": "with --digest: no question is asked",
    "--id ID": "the request's id: the same id again takes effect once",
}


class Guide:
    """Prints help; reads the index when it is asked."""

    def __init__(self, catalog: Catalog, output: Output) -> None:
        self._catalog = catalog
        self._output = output

    async def overview(self) -> None:
        """Print every command of the admin channel with its summary, and the console's own words."""
        entries = [each for _, each in sorted((await self._catalog.all()).items())]
        admin = [each for each in entries if each.channel != "data"]
        for group, members in groupby(admin, key=group_of):
            self._output.text(Text(group, "bold"))
            self._output.pairs(((_headline(each), each.summary) for each in members), cut=True)
        self._output.text(Text("console", "bold"))
        self._output.pairs(OWN.items())
        self._output.text(Text("flags", "bold"))
        self._output.pairs(FLAGS.items())
        others = sorted({group_of(each) for each in entries if each.channel == "data"})
        listed = ", ".join(f"{each}." for each in others)
        self._output.say(f"Tenants' own actions: help {listed} with their prefix lists them.")

    async def group(self, prefix: str) -> bool:
        """Print the actions whose names begin so; return False if there are none."""
        entries = await self._catalog.all()
        found = [each for name, each in sorted(entries.items()) if name.startswith(prefix)]
        self._output.pairs(((_headline(each), each.summary) for each in found), cut=True)
        return bool(found)

    def one(self, entry: DescribedAction, alias: Alias | None) -> None:
        """Print the form of one command, its params and an example."""
        alias = alias or next(iter(words_for(entry.name)), None)
        self._output.text(safe_text(usage(entry, alias), "bold"))
        self._output.prose(entry.summary)
        self._output.pairs((f"  {name}", said) for name, said in param_lines(entry))
        for name in SECONDS_OF:
            if name in entry.properties:
                self._output.say(f"  {name}: or 90s, 30m, 2h, 7d")
        for time, name in TIMES.items():
            if name in entry.properties:
                self._output.say(f"  {time} TIME    {name}: 90s, 30m, 2h, 7d or 2026-11-24T12:30")
        self._output.say(f"for example: {example_of(entry, alias)}")
        whom = entry.access if entry.platform is None else f"{entry.access}, {entry.platform}"
        self._output.say(f"action {entry.name} · for {whom} · {entry.effect}{_asks(entry)}")

    async def unknown(self, word: str) -> str:
        """Return what to say of a word that is no command."""
        entries = await self._catalog.all()
        words = [*ALIASES, *(each.split()[0] for each in OWN), *entries]
        near = difflib.get_close_matches(word, words, n=3, cutoff=0.5)
        advice = f"; did you mean {', '.join(near)}?" if near else ""
        return f"{word!r} is no command of yours here{advice} `help` lists them all"


def group_of(entry: DescribedAction) -> str:
    """Return the first part of an action's name."""
    return entry.name.partition(".")[0]


def example_of(entry: DescribedAction, alias: Alias | None) -> str:
    """Return a line that can be typed."""
    if alias is not None:
        return alias.example
    return f"{entry.name} {example_params(entry)}".rstrip()


def _headline(entry: DescribedAction) -> str:
    """The word with its slots, or the action's name where there is no word."""
    alias = next(iter(words_for(entry.name)), None)
    return f"  {entry.name if alias is None else alias.usage.replace(TENANT, 'TENANT')}"


def _asks(entry: DescribedAction) -> str:
    verb = entry.name.rpartition(".")[2]
    return " · asks before it is done" if entry.writes and verb not in GENTLE else ""
