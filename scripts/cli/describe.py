"""What scripts/call asks a server about its command line: help for one action, completion in a shell."""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

from actors.host.program import command
from scripts.cli.entry import DescribedAction, entry_of, example_params, param_lines
from scripts.cli.target import admin_channel, data_channel, known_tenants, require_listener

if TYPE_CHECKING:
    from transport.client import Client

MOST = 20
"""Candidates asked for."""

TIMEOUT = 2.0
"""Seconds that a person who pressed Tab waits at most."""

VALUED = ("--endpoint", "--token", "--token-file", "--timeout", "--id", "--server-key", "--key")
"""Options with a value, which is none of the words that are completed."""

BASH = """\
_tenantry_call() {
    local IFS=$'\\n'
    COMPREPLY=($(COMMAND --complete "${COMP_LINE:0:COMP_POINT}" 2>/dev/null))
    if [[ ${COMPREPLY[0]-} == *= ]]; then compopt -o nospace; fi
}
complete -F _tenantry_call COMMAND
"""


def bash_script() -> str:
    """Return what a shell has to run once: `eval "$(scripts/call --completion)"`."""
    return BASH.replace("COMMAND", command("call"))


class Help(argparse.Action):
    """`--help` behind an action is about the action, and otherwise about the command line."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        *_: object,
        **__: object,
    ) -> None:
        """Print the help of the command line and end, or note that the action's is wanted."""
        if getattr(namespace, "action", None) is None:
            parser.print_help()
            parser.exit()
        namespace.help = True


class Completion(argparse.Action):
    """`--completion` prints what a shell has to run for completion."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object, **__: object) -> None:
        """Print it and end."""
        print(bash_script(), end="")
        parser.exit()


def help_of(client: Client, given: argparse.Namespace) -> Iterator[str]:
    """Yield the lines of one action's help; raises CallError."""
    page = client.call("system.describe", {"action": given.action})
    entry = entry_of(page["actions"][0])
    admin = "--admin " if given.admin else ""
    typed = f"{command('call')} {admin}{given.tenant} {entry.name}"
    yield f"usage: {typed} {' '.join(f'{name}=…' for name in entry.required)}".rstrip()
    yield ""
    yield entry.summary
    yield ""
    lines = list(param_lines(entry))
    width = max((len(name) for name, _ in lines), default=0)
    for name, said in lines:
        yield f"  {name:{width}}  {said}"
    yield "" if lines else "  no params"
    yield f"for example: {typed} {example_params(entry)}".rstrip()
    yield f"for {entry.access}{f', {entry.platform}' if entry.platform else ''}; {entry.effect}"


def complete(line: str) -> list[str]:
    """Return what the last word of a command line may be; nothing if no server can be asked."""
    words = re.findall(r"'[^']*'?|\"[^\"]*\"?|\S+", line)[1:]
    current = "" if line[-1:].isspace() or not words else words.pop()
    # A shell breaks words at an equals sign, and replaces what is behind the last one.
    head = current[: current.rfind("=") + 1]
    return [each.removeprefix(head) for each in _candidates(words, current)]


def _candidates(words: Sequence[str], current: str) -> list[str]:
    from transport.client import Client
    from transport.errors import CallError

    placed = _placed(words)
    is_admin = "--admin" in words
    given = dict(pairwise(words))
    tenant = placed[0] if placed else ""
    channel = admin_channel if is_admin else data_channel
    target = channel(given.get("--endpoint"), given.get("--token"), *([] if is_admin else [tenant]))
    if not placed and not is_admin:
        return _beginning([*known_tenants(), "-", "--admin"], current)
    require_listener(target.endpoint)
    name = None if tenant in ("", "-") else tenant
    with Client(target.endpoint, tenant=name, token=target.token, timeout=TIMEOUT) as client:
        try:
            return _asked(client, placed, current)
        except CallError:
            return []


def _asked(client: Client, placed: Sequence[str], current: str) -> list[str]:
    """Ask for what begins so, a page at most."""
    if not placed:
        page = client.call("tenants.list", {"after": before(current), "limit": MOST})
        return _beginning([*(each["name"] for each in page["tenants"]), "-"], current)
    if len(placed) == 1:
        page = client.call("system.describe", {"prefix": current, "limit": MOST})
        return [each["name"] for each in page["actions"]]
    page = client.call("system.describe", {"action": placed[1]})
    return _params(entry_of(page["actions"][0]), placed[2:], current)


def _params(entry: DescribedAction, given: Iterable[str], current: str) -> list[str]:
    name, equals, _ = current.partition("=")
    if equals:
        choices = entry.properties.get(name, {}).get("enum", ())
        return _beginning([f"{name}={each}" for each in choices], current)
    taken = {each.partition("=")[0] for each in given}
    return _beginning([f"{each}=" for each in entry.properties if each not in taken], current)


def _placed(words: Sequence[str]) -> list[str]:
    """Return the words that are no options: tenant, action and params."""
    placed: list[str] = []
    waiting = iter(words)
    for word in waiting:
        if word in VALUED:
            next(waiting, None)
        elif not word.startswith("--"):
            placed.append(word)
    return placed


def before(prefix: str) -> str:
    """Return a name that comes before every tenant's name with this prefix, and after all smaller ones."""
    return prefix and f"{prefix[:-1]}{chr(ord(prefix[-1]) - 1)}~~~~"[-64:]


def _beginning(words: Iterable[str], prefix: str) -> list[str]:
    return [each for each in words if each.startswith(prefix)]
