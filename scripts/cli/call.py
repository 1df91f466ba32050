"""The command line of scripts/call: calls one action, as in scripts/call TENANT ACTION name=value."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from actors.host.program import as_typed, command
from scripts.cli.describe import Completion, Help, complete, help_of
from scripts.cli.params import FORMS, UsageError, meant_as_text, read_params, with_text
from scripts.cli.target import (
    ENDPOINT,
    ServerTarget,
    Unreachable,
    admin_channel,
    data_channel,
    read_token,
    require_listener,
)

if TYPE_CHECKING:
    from transport.client import Client
    from transport.message import Reply

REFUSED, USAGE, SILENT = 1, 2, 3
"""Exit statuses: the server refused, the command line is wrong, no reply came."""

EXAMPLES = f"""\
examples:
  scripts/call acme contacts.find text=ada
  scripts/call acme contacts.add name='Ada Lovelace' email=ada@example.org
  scripts/call acme contacts.get id=1 --json
  echo '{{"rows": [{{"name": "Alan Turing"}}]}}' | scripts/call acme contacts.import -
  scripts/call - system.ping
  scripts/call --admin - tenants.create name=acme owner.name='Ada Lovelace'
  scripts/call acme contacts.add --help           what one action takes
  eval "$(scripts/call --completion)"             have bash complete tenants, actions and params
  scripts/call --admin acme config.patch revision=0 patch.whitelabel.product_name=Desk

params:
{FORMS}
The token is --token, or that in --token-file, or TENANTRY_TOKEN, or that of the tenant in demo.json in
TENANTRY_DATA (default var), which scripts/serve --demo writes; the endpoint is --endpoint, TENANTRY_ENDPOINT,
or read there too. With --admin, TENANTRY_ADMIN_TOKEN and TENANTRY_ADMIN_ENDPOINT are used instead, and the
defaults are admin.token and admin.sock in TENANTRY_DATA: see docs/admin.md.

exit status: 0 done, 1 refused, 2 wrong usage, 3 no answer
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Make the call and print the reply; return the exit status."""
    words = sys.argv[1:] if arguments is None else list(arguments)
    if words[:1] == ["--complete"]:
        return print_candidates(words[1:])
    parser = make_parser()
    given = parser.parse_args(words)
    try:
        return call(given)
    except ValueError as error:
        parser.error(str(error))
    except Unreachable as error:
        from scripts.cli.display import show_problem

        show_problem(str(error))
        return SILENT
    except KeyboardInterrupt:
        return 130


def call(given: argparse.Namespace) -> int:
    """Send the request. Raises UsageError, ValueError, Unreachable."""
    target = target_of(given)
    params = read_params(given.params)
    require_listener(target.endpoint)
    # The arguments are read by now: what follows takes a third of a second to import.
    from scripts.cli.display import show_error, show_no_answer
    from transport.client import Client
    from transport.curve import read_pair, read_public
    from transport.errors import CallError, NoAnswer

    with Client(
        target.endpoint,
        tenant=None if given.tenant == "-" else given.tenant,
        token=target.token,
        timeout=given.timeout,
        server_key=given.server_key and read_public(given.server_key),
        keys=given.key and read_pair(given.key),
    ) as client:
        try:
            if given.help:
                return print_help(client, given)
            reply = request(client, given, params)
        except NoAnswer as error:
            show_no_answer(target.endpoint, given.timeout, error)
            return SILENT
        except CallError as error:
            show_error(error)
            return REFUSED
    return show(reply, target.hint, given)


def print_help(client: Client, given: argparse.Namespace) -> int:
    """Print what one action takes, as the server describes it; raises CallError."""
    from transport.fit import inert

    for line in help_of(client, given):
        print(inert(line))
    return 0


def print_candidates(words: Sequence[str]) -> int:
    """Print what a shell may complete a line to, one a line; nothing if that is not known."""
    try:
        print("\n".join(complete(*words[:1])))
    except (ValueError, Unreachable):
        return USAGE
    return 0


def request(client: Client, given: argparse.Namespace, params: Mapping[str, Any]) -> Reply:
    """Send the request; once more where a value that reads as a number was to be text. Raises CallError."""
    reply = client.request(given.action, params, id=given.id)
    if reply.error is None:
        return reply
    as_text = with_text(params, given.params, reply.error.details)
    return reply if as_text is None else client.request(given.action, as_text, id=given.id)


def target_of(given: argparse.Namespace) -> ServerTarget:
    """Return the channel and token of the command line; raises UsageError."""
    token = given.token
    if given.token_file is not None:
        try:
            token = read_token(given.token_file)
        except FileNotFoundError:
            raise UsageError(f"{given.token_file} is not there") from None
    if given.admin:
        return admin_channel(given.endpoint, token)
    return data_channel(given.endpoint, token, given.tenant)


def show(reply: Reply, hint: str, given: argparse.Namespace) -> int:
    """Print a reply as JSON or for people; `hint` is for callers whose token is not known."""
    from scripts.cli.display import show_error, show_reply
    from transport.errors import failure
    from transport.message import UNAUTHENTICATED

    if given.json:
        print(as_json_text(reply_map(reply)))
    elif reply.error is None:
        is_built_in = given.admin or given.action.startswith("system.")
        show_reply(reply, built_in=is_built_in, wide=given.wide)
    else:
        is_unknown = reply.error.code == UNAUTHENTICATED
        refused = failure(reply.error, reply.id, reply.meta.get("trace_id"))
        show_error(refused, hint if is_unknown else meant_as_text(given.params, refused.details))
    return 0 if reply.ok else REFUSED


def reply_map(reply: Reply) -> dict[str, Any]:
    """Return the reply as on the wire."""
    from transport.message import VERSION

    body: dict[str, Any] = {"v": VERSION, "id": reply.id, "ok": reply.ok}
    if reply.error is None:
        body["result"] = reply.result
    else:
        body["error"] = reply.error.as_map()
    if reply.message is not None:
        body["message"] = reply.message
    return {**body, "meta": reply.meta}


def as_json_text(body: dict[str, Any]) -> str:
    """Return JSON with everything escaped that could act on a terminal; as JSON it stays the same."""
    from transport.fit import inert

    return inert(json.dumps(body, ensure_ascii=False, indent=2))


def make_parser() -> argparse.ArgumentParser:
    """Describe the command line."""
    parser = argparse.ArgumentParser(
        prog=command("call"),
        description="Call one action of a running server and print its result.",
        epilog=as_typed(EXAMPLES),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        add_help=False,
    )
    add = parser.add_argument
    add("-h", "--help", action=Help, nargs=0, default=False, help="this; behind an action: of it")
    add("--completion", action=Completion, nargs=0, help="print what bash runs for completion")
    add("tenant", metavar="TENANT", help="whose data; - for actions without a tenant")
    add("action", metavar="ACTION", help="such as contacts.find; system.describe lists them")
    add("params", metavar="name=value", nargs="*", help="params; - reads a JSON map")
    add("--json", action="store_true", help="print the whole reply as JSON")
    add("--admin", action="store_true", help="ask on the admin channel")
    add("--wide", action="store_true", help="print tables as wide as they are")
    add("--endpoint", help=f"where the server listens (default {ENDPOINT})")
    token = parser.add_mutually_exclusive_group().add_argument
    token("--token", help="bearer token; other users of this machine can see it here")
    token("--token-file", type=Path, metavar="FILE", help="file with the token, mode 0600")
    add("--timeout", type=_seconds, default=30.0, help="seconds to wait (default 30)")
    add("--id", help="the request's id: the same id again takes effect once (default: a new one)")
    add("--server-key", type=Path, metavar="FILE", help="the server's CURVE key (*.key)")
    add("--key", type=Path, metavar="FILE", help="our own CURVE key pair (*.key_secret)")
    return parser


def _seconds(text: str) -> float:
    seconds = float(text)
    if not 0 < seconds <= 600:
        raise argparse.ArgumentTypeError("must be more than 0 and at most 600")
    return seconds


if __name__ == "__main__":
    sys.exit(main())
