"""The command line of scripts/logs: prints the tenant, error and audit logs, and follows them."""

from __future__ import annotations

import argparse
import json
import re
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from actors.host.program import as_typed, command
from scripts.cli.call import REFUSED, SILENT, target_of
from scripts.cli.target import ServerTarget, Unreachable, require_listener

if TYPE_CHECKING:
    from rich.console import Console

    from transport.client import Client

PAGE = 100
"""Lines requested at a time."""

WAIT_MS = 20_000
"""Milliseconds for which the server waits for a new line before the next request."""

TIMEOUT = 60.0
"""Seconds without a reply after which a request has failed."""

RETRY_SECONDS = 1.0
"""Seconds until a stopping server is asked again, if it names no time."""

UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}

EXAMPLES = """\
examples:
  scripts/logs acme                                   the newest 50 messages of acme, the newest last
  scripts/logs acme --outcome internal --since 2h     those that failed because of a defect, for two hours
  scripts/logs acme --text ada@example.org --follow   and new ones as they come
  scripts/logs - --errors --follow                    what goes wrong, for all tenants: developers only
  scripts/logs acme --audit --since 2026-11-24        who administered acme since then
  scripts/logs acme --trace 9f2b…                     all that one request did, in every log

A time is 90s, 30m, 2h or 7d ago, or a date, or a date and a time (2026-11-24T12:30, here or with an offset).
Token and endpoint are found as scripts/call --admin finds them. docs/logs.md says what lines have in them.

exit status: 0 done, 1 refused, 2 wrong usage, 3 no answer
"""

Params = dict[str, Any]
Record = Mapping[str, Any]


class LogSource(NamedTuple):
    """One log of a server, read over the admin channel."""

    client: Client
    log: str
    """`tenant`, `errors` or `audit`."""

    def pages(self, params: Params) -> Iterator[Record]:
        """Yield pages, the newest first, until the log ends; raises CallError."""
        while True:
            page = self.client.call(f"logs.{self.log}", {**params, "limit": PAGE})
            yield page
            if page["next"] is None:
                return
            params = {**params, "before": page["next"]}

    def newest(self, params: Params, most: int) -> tuple[list[Record], str]:
        """Return so many lines, the newest last, and the cursor behind them; raises CallError."""
        lines: list[Record] = []
        newest = ""
        for page in self.pages(params):
            newest = newest or page["newest"]
            lines += page["lines"]
            if len(lines) >= most:
                break
        return lines[:most][::-1], newest

    def follow(self, params: Params, after: str) -> Iterator[Record]:
        """Yield new lines without end, over restarts of the server too; raises CallError."""
        from transport.errors import Unavailable

        while True:
            wanted = {**params, "after": after, "wait_ms": WAIT_MS, "limit": PAGE}
            try:
                page = self.client.call(f"logs.{self.log}", wanted)
            except Unavailable as error:
                time.sleep((error.retry_after_ms or RETRY_SECONDS * 1000) / 1000)
                continue
            yield from page["lines"]
            after = page["newest"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the command line says; the exit status."""
    parser = make_parser()
    given = parser.parse_args(arguments)
    try:
        check(given)
        target = target_of(given)
        require_listener(target.endpoint)
        return print_logs(given, target)
    except ValueError as error:
        parser.error(str(error))
    except Unreachable as error:
        from scripts.cli.display import show_problem

        show_problem(str(error))
        return SILENT
    except (KeyboardInterrupt, BrokenPipeError):
        return 130


def print_logs(given: argparse.Namespace, target: ServerTarget) -> int:
    """Request the lines and print them, or the refusal; return the exit status."""
    # The arguments are read by now: what follows takes a third of a second to import.
    from scripts.cli.display import show_error, show_no_answer
    from transport.client import Client
    from transport.curve import read_pair, read_public
    from transport.errors import CallError, NoAnswer, Unauthenticated

    with Client(
        target.endpoint,
        tenant=None if given.tenant == "-" else given.tenant,
        token=target.token,
        timeout=TIMEOUT,
        retries=0,  # a request that waits for a line must not be sent again
        server_key=given.server_key and read_public(given.server_key),
        keys=given.key and read_pair(given.key),
    ) as client:
        try:
            show(given, client)
        except NoAnswer as error:
            show_no_answer(target.endpoint, TIMEOUT, error)
            return SILENT
        except CallError as error:
            show_error(error, target.hint if isinstance(error, Unauthenticated) else "")
            return REFUSED
    return 0


def show(given: argparse.Namespace, client: Client) -> None:
    """Print the log, and follow it if asked; raises CallError."""
    from scripts.cli.display import console_on

    out = console_on(sys.stdout)
    if given.trace is not None:
        show_story(out, client, given)
        return
    source = LogSource(client, given.log)
    say = teller(out, given)
    params = params_of(given)
    lines, newest = source.newest(params, given.lines)
    say(lines)
    if given.follow:
        for line in source.follow(params, newest):
            say([line])


def show_story(out: Console, client: Client, given: argparse.Namespace) -> None:
    """Print all lines of one request; return the exit status."""
    from scripts.cli.display import show_problem
    from scripts.cli.log_lines import story_of
    from transport.fit import inert

    wanted = {"trace_id": given.trace, **times_of(given)}
    found = client.call("logs.trace", wanted)
    for each in found["lines"]:
        if given.json:
            print(inert(json.dumps(each, ensure_ascii=False)), flush=True)
        else:
            for text in story_of(each["log"], each["line"]):
                out.print(text, soft_wrap=True)
    if not found["lines"]:
        show_problem(f"no log that you may read has a line with the trace id {given.trace}")
    if not found["complete"]:
        show_problem("there are more lines than are shown: --since and --until take a part of them")


def teller(out: Console, given: argparse.Namespace) -> Callable[[Iterable[Record]], None]:
    """Prints records, each at once."""
    from scripts.cli.log_lines import line_of
    from transport.fit import inert

    def say(lines: Iterable[Record]) -> None:
        for line in lines:
            if given.json:
                print(inert(json.dumps(line, ensure_ascii=False)), flush=True)
            else:
                out.print(line_of(given.log, line), soft_wrap=True)

    return say


def params_of(given: argparse.Namespace) -> Params:
    """Return the params of the request, without options that were not given."""
    wanted = {"action": given.action, "outcome": given.outcome, "text": given.text}
    return {**times_of(given), **{name: value for name, value in wanted.items() if value}}


def times_of(given: argparse.Namespace) -> Params:
    """Return `since` and `until` as the server takes them."""
    times = {"since": given.since, "until": given.until}
    return {name: at.isoformat() for name, at in times.items() if at is not None}


def check(given: argparse.Namespace) -> None:
    """Raise ValueError if options do not go together."""
    if given.log == "errors" and given.outcome:
        raise ValueError("errors have no outcome: leave out --outcome")
    if given.follow and (given.trace or given.until):
        raise ValueError("--follow goes neither with --trace nor with --until")


def make_parser() -> argparse.ArgumentParser:
    """Describe the command line."""
    parser = argparse.ArgumentParser(
        prog=command("logs"),
        description="Read the logs of a running server.",
        epilog=as_typed(EXAMPLES),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("tenant", metavar="TENANT", help="whose log; - for all tenants, with --errors or --audit")
    log = parser.add_mutually_exclusive_group().add_argument
    log("--errors", dest="log", action="store_const", const="errors", help="what went wrong")
    log("--audit", dest="log", action="store_const", const="audit", help="who administered what")
    parser.set_defaults(log="tenant", admin=True)
    add("--trace", metavar="ID", help="all that this request did, from every log")
    add("--since", type=moment, metavar="TIME", help="from then on: 1h, 2d, 2026-11-24")
    add("--until", type=moment, metavar="TIME", help="before then")
    add("--action", help="of this action, such as contacts.add")
    add("--outcome", help="with this outcome: ok, or the code of a refusal")
    add("--text", help="with this text, upper and lower case alike")
    add("-n", "--lines", type=_count, default=50, help="how many at most (default 50)")
    add("-f", "--follow", action="store_true", help="go on with new lines")
    add("--json", action="store_true", help="print each record whole, as JSON")
    add("--endpoint", help="where the admin channel listens")
    token = parser.add_mutually_exclusive_group().add_argument
    token("--token", help="bearer token; other users of this machine can see it here")
    token("--token-file", type=Path, metavar="FILE", help="file with the token, mode 0600")
    add("--server-key", type=Path, metavar="FILE", help="the server's CURVE key (*.key)")
    add("--key", type=Path, metavar="FILE", help="our own CURVE key pair (*.key_secret)")
    return parser


def moment(text: str) -> datetime:
    """Parse a time from the command line."""
    ago = re.fullmatch(r"(\d{1,6})([smhd])", text)
    try:
        if ago is not None:
            return datetime.now(UTC) - timedelta(seconds=int(ago[1]) * UNITS[ago[2]])
        return datetime.fromisoformat(text).astimezone()
    except (ValueError, OverflowError):
        raise argparse.ArgumentTypeError(
            f"{text!r} is no time: 90s, 30m, 2h, 7d, or 2026-11-24T12:30"
        ) from None


def _count(text: str) -> int:
    if not text.isdecimal() or not 0 < int(text) <= 100_000:
        raise argparse.ArgumentTypeError("must be a number from 1 to 100000")
    return int(text)


if __name__ == "__main__":
    sys.exit(main())
