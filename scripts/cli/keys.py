"""The command line of scripts/keys: makes CURVE keys and keys for releases, and sets whom a server admits."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from actors.host.program import as_typed, command

REFUSED = 1

SERVER = "server"
"""Name of a server's own key."""

EXAMPLES = """\
examples:
  scripts/keys server                           once, where the server runs
  scripts/keys client ada --out ~/.tenantry     where the client runs; only ada.key leaves that machine
  scripts/keys allow ada.key                    where the server runs: it admits ada
  scripts/keys release hosted-live=2/3 --out keys   where releases are signed: two of three have to sign

What each command prints at the end says which setting or flag takes what it made. NAME.key is public;
NAME.key_secret has mode 0600 and goes nowhere. Nothing is overwritten. docs/operations.md says more.

exit status: 0 done, 1 refused, 2 wrong usage
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit status."""
    given = make_parser().parse_args(arguments)
    # The arguments are read by now: this imports ZeroMQ.
    from scripts.releasing.problem import ReleaseProblem
    from transport.curve import InvalidKeys

    try:
        for line in given.does(given):
            print(as_typed(line))
    except (InvalidKeys, ReleaseProblem) as error:
        print(f"{command('keys')}: {error}", file=sys.stderr)
        return REFUSED
    return 0


def make_server(given: argparse.Namespace) -> list[str]:
    """Make the server's pair; return instructions for its use. Raises InvalidKeys."""
    from transport.curve import make_pair

    pair = make_pair(given.out, SERVER)
    return [
        f"made {pair.secret} (secret: stays here)",
        f"made {pair.public} (public: each client needs a copy)",
        "",
        "start the server with it:",
        f"  TENANTRY_CURVE_KEYS={pair.secret} scripts/serve",
        "call it with the copy:",
        "  scripts/call --server-key server.key - system.ping",
        "every key is admitted then; to admit only those you know: scripts/keys allow NAME.key",
    ]


def make_client(given: argparse.Namespace) -> list[str]:
    """Make a client's pair; return instructions for its use. Raises InvalidKeys."""
    from transport.curve import make_pair

    pair = make_pair(given.out, given.name)
    return [
        f"made {pair.secret} (secret: stays with {given.name})",
        f"made {pair.public} (public: the server needs a copy)",
        "",
        "where the server runs:",
        f"  scripts/keys allow {pair.public.name}",
        "call it, with the server's public key:",
        f"  scripts/call --server-key server.key --key {pair.secret} - system.ping",
    ]


def allow_clients(given: argparse.Namespace) -> list[str]:
    """Add clients' keys to the list; return instructions for its use. Raises InvalidKeys."""
    from transport.curve import allow_client

    copies = [allow_client(file, given.clients) for file in given.files]
    return [
        *[f"allowed {copy.stem} ({copy})" for copy in copies],
        "",
        "start the server, or start it again, with that list; then it admits no other key:",
        f"  TENANTRY_CURVE_CLIENTS={given.clients} TENANTRY_CURVE_KEYS=… scripts/serve",
        "remove a file and start it again to shut its owner out",
    ]


def make_release_keys(given: argparse.Namespace) -> list[str]:
    """Make the keys of a repository of releases, or one more; return instructions. Raises ReleaseProblem."""
    from scripts.releasing.publish.command import require_extra

    require_extra()
    from scripts.releasing.publish.keys import (
        DEFAULT,
        PASSPHRASE,
        make_key,
        make_keys,
        parse_shares,
    )

    if given.one:
        made = [make_key(given.out, given.one)]
    else:
        made = make_keys(given.out, parse_shares(given.shares) or DEFAULT)
    encrypted = (
        "encrypted" if os.environ.get(PASSPHRASE) else f"not encrypted: {PASSPHRASE} was not set"
    )
    return [
        *[f"made {file} (secret, {encrypted})" for file in made],
        "beside each is NAME.public.pem. Give every secret key to its owner and remove it here;",
        "root and targets belong where no machine reads them. Begin the repository before that:",
        f"  scripts/release begin --keys {given.out} --repository DIR",
    ]


def make_parser() -> argparse.ArgumentParser:
    """Describe the command line."""
    parser = argparse.ArgumentParser(
        prog=command("keys"),
        description="Make CURVE keys, with which connections are encrypted, and list those to admit.",
        epilog=as_typed(EXAMPLES),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    keys = Path(os.environ.get("TENANTRY_DATA") or "var") / "keys"
    listed = Path(os.environ.get("TENANTRY_CURVE_CLIENTS") or keys / "clients")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    server = commands.add_parser("server", help="make the server's key pair")
    server.set_defaults(does=make_server)
    client = commands.add_parser("client", help="make a client's key pair")
    client.set_defaults(does=make_client)
    client.add_argument("name", metavar="NAME", help="whose it is: a name for files and logs")
    for each in (server, client):
        _add_directory(each, "--out", keys, "where to put both files")
    allowed = commands.add_parser("allow", help="admit the owners of these keys")
    allowed.set_defaults(does=allow_clients)
    allowed.add_argument("files", metavar="NAME.key", type=Path, nargs="+", help="public keys")
    _add_directory(allowed, "--clients", listed, "the list: a directory")
    release = commands.add_parser("release", help="make the keys that sign releases")
    release.set_defaults(does=make_release_keys)
    release.add_argument(
        "shares",
        metavar="ENV=N/M",
        nargs="*",
        help="N of M keys sign for it (default hosted-live=2/3 hosted-test=1/1)",
    )
    release.add_argument(
        "--one", metavar="NAME", help="make this one key alone, instead of another"
    )
    _add_directory(release, "--out", keys / "release", "where to put them")
    return parser


def _add_directory(parser: argparse.ArgumentParser, flag: str, default: Path, meaning: str) -> None:
    parser.add_argument(
        flag, type=_absolute, metavar="DIR", default=default, help=f"{meaning} (default {default})"
    )


def _absolute(text: str) -> Path:
    """Return an absolute path: printed lines are pasted in other directories."""
    return Path(text).expanduser().absolute()


if __name__ == "__main__":
    sys.exit(main())
