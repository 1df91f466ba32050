"""Call one action from a shell, as scripts/call TENANT ACTION name=value does."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from transport.caller import ENDPOINT
from transport.certificates import read_pair, read_public
from transport.client import Client
from transport.display import show_error, show_no_answer, show_reply
from transport.failure import CallError, NoAnswer, failure
from transport.message import UNAUTHENTICATED, VERSION, Reply

REFUSED, USAGE, SILENT = 1, 2, 3
"""What the command exits with: the server said no, the command line is wrong, nothing came."""

EXAMPLES = """\
examples:
  scripts/call acme contacts.find text=ada
  scripts/call acme contacts.add name='Ada Lovelace' email=ada@example.org
  scripts/call acme contacts.get id=1 --json
  echo '{"rows": [{"name": "Alan Turing"}]}' | scripts/call acme contacts.import -
  scripts/call - system.ping

A value is JSON where it reads as JSON (7, true, null, "7", [1, 2]) and text otherwise; name:=value must
be JSON. The token is --token, or TENANTRY_TOKEN, or that of the tenant in demo.json in TENANTRY_DATA
(default var), which scripts/serve --demo writes; the endpoint is found in the same way.

exit status: 0 done, 1 refused, 2 wrong usage, 3 no answer
"""


class Unusable(Exception):
    """The command line, standard input or a file makes no call; the message says why."""


class Demo(NamedTuple):
    """What `scripts/serve --demo` leaves for others to find."""

    endpoint: str | None = None
    tokens: Mapping[str, str] = {}


def main(arguments: Sequence[str] | None = None) -> int:
    """Make the call and show what came; the exit status."""
    parser = make_parser()
    given = parser.parse_args(arguments)
    try:
        return call(given)
    except (Unusable, ValueError) as error:
        parser.error(str(error))
    except KeyboardInterrupt:
        return 130


def call(given: argparse.Namespace) -> int:
    """Send the request; Unusable, ValueError."""
    demo = read_demo(Path(os.environ.get("TENANTRY_DATA") or "var") / "demo.json")
    endpoint = given.endpoint or os.environ.get("TENANTRY_ENDPOINT") or demo.endpoint or ENDPOINT
    token = given.token or os.environ.get("TENANTRY_TOKEN") or demo.tokens.get(given.tenant)
    params = read_params(given.params)
    with Client(
        endpoint,
        tenant=None if given.tenant == "-" else given.tenant,
        token=token,
        timeout=given.timeout,
        server_key=given.server_key and read_public(given.server_key),
        keys=given.key and read_pair(given.key),
    ) as client:
        try:
            reply = client.request(given.action, params, id=given.id)
        except NoAnswer as error:
            show_no_answer(endpoint, given.timeout, error)
            return SILENT
        except CallError as error:
            show_error(error)
            return REFUSED
    return show(reply, has_token=token is not None, as_json=given.json)


def show(reply: Reply, *, has_token: bool, as_json: bool) -> int:
    """Print a reply for people, or as it is."""
    if as_json:
        print(json.dumps(as_map(reply), ensure_ascii=False, indent=2))  # noqa: T201 - for a pipe
    elif reply.error is None:
        show_reply(reply)
    else:
        hint = ""
        if reply.error.code == UNAUTHENTICATED and not has_token:
            hint = (
                "no token was found: give --token, set TENANTRY_TOKEN, or run scripts/serve --demo"
            )
        show_error(failure(reply.error, reply.id, reply.meta.get("trace_id")), hint)
    return 0 if reply.ok else REFUSED


def as_map(reply: Reply) -> dict[str, Any]:
    """The reply as it was on the wire."""
    body: dict[str, Any] = {"v": VERSION, "id": reply.id, "ok": reply.ok}
    if reply.error is None:
        body["result"] = reply.result
    else:
        body["error"] = reply.error.as_map()
    if reply.message is not None:
        body["message"] = reply.message
    return {**body, "meta": reply.meta}


def read_params(words: Sequence[str]) -> dict[str, Any]:
    """Read `name=value` and `name:=json`; `-` stands for a JSON map on standard input. Unusable."""
    params: dict[str, Any] = {}
    if "-" in words:
        params |= read_map(sys.stdin.read(), "standard input")
    for word in words:
        if word != "-":
            name, value = read_param(word)
            params[name] = value
    return params


def read_param(word: str) -> tuple[str, Any]:
    """Read one `name=value` or `name:=json`; Unusable."""
    name, equals, text = word.partition("=")
    if not name or not equals:
        raise Unusable(
            f"{word!r} is no param: write name=value, or - to read them from standard input"
        )
    try:
        value = json.loads(text, parse_constant=_no_constant)
    except ValueError as error:
        if name.endswith(":"):
            raise Unusable(f"{name}={text!r} is not JSON: {error}") from None
        value = text
    return name.removesuffix(":"), value


def read_map(text: str, source: str) -> dict[str, Any]:
    """Read a JSON map; Unusable names the source."""
    try:
        value = json.loads(text, parse_constant=_no_constant)
    except ValueError as error:
        raise Unusable(f"{source} is not JSON: {error}") from None
    if not isinstance(value, dict):
        raise Unusable(f"{source} is JSON but no map")
    return value


def read_demo(file: Path) -> Demo:
    """Read demo.json; nothing where there is none. Unusable where it is not what it should be."""
    try:
        text = file.read_text(encoding="utf-8")
    except FileNotFoundError:
        return Demo()
    except OSError as error:
        raise Unusable(f"{file} cannot be read: {error.strerror}") from None
    content = read_map(text, str(file))
    return Demo(content.get("endpoint"), content.get("tokens") or {})


def make_parser() -> argparse.ArgumentParser:
    """Describe the command line."""
    parser = argparse.ArgumentParser(
        prog="scripts/call",
        description="Call one action of a running server and print its result.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("tenant", metavar="TENANT", help="whose data; - for actions without a tenant")
    add("action", metavar="ACTION", help="such as contacts.find; system.describe lists them")
    add("params", metavar="name=value", nargs="*", help="params; - reads a JSON map")
    add("--json", action="store_true", help="print the whole reply as JSON")
    add("--endpoint", help=f"where the server listens (default {ENDPOINT})")
    add("--token", help="bearer token")
    add("--timeout", type=_seconds, default=30.0, help="seconds to wait (default 30)")
    add("--id", help="the request's id: the same id again has its effect once (default: a new one)")
    add("--server-key", type=Path, metavar="FILE", help="the server's CURVE key (*.key)")
    add("--key", type=Path, metavar="FILE", help="our own CURVE key pair (*.key_secret)")
    return parser


def _seconds(text: str) -> float:
    seconds = float(text)
    if not 0 < seconds <= 600:
        raise argparse.ArgumentTypeError("must be more than 0 and at most 600")
    return seconds


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no number of JSON")


if __name__ == "__main__":
    sys.exit(main())
