"""The command lines of scripts/deploy, scripts/rollback and scripts/releases."""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from actors.host.program import as_typed, command, default_index
from scripts.releasing.publish.command import PLACE, require_extra

if TYPE_CHECKING:
    from scripts.releasing.bundle import Bundle
    from scripts.releasing.deploy.place import Place

REFUSED, WENT_BACK, UNSETTLED = 1, 3, 4

INTERRUPTED = 130

WATCH_SECONDS = 600.0

EXAMPLES = """\
examples:
  scripts/deploy shop-7 --to hosted-live                  from the repository in TENANTRY_RELEASES, verified
  scripts/deploy --to hosted-live --show                  what the newest release would change
  scripts/deploy dist/shop-7.tenantry.zip --to local-qa   a file, where no signatures are needed
  scripts/rollback --to hosted-live --why 'it is slow'
  scripts/releases --to hosted-live

Run it on the server's machine, as the server's user, where its index and environments.toml are. A release for
an environment whose name begins with hosted- has to be signed; root.json is in release/ of the data
directory, or --root says where it is. docs/releases.md says more.

exit status: 0 done, 1 refused and nothing was changed, 2 wrong usage, 3 deployed and taken back, 4 cut short:
the next deploy or rollback, or a start of the server, settles it
"""

_TIME = re.compile(r"(?P<number>[0-9]+(\.[0-9]+)?)(?P<unit>s|m|h|)\Z")
_UNITS = {"": 1, "s": 1, "m": 60, "h": 3600}


def main(arguments: Sequence[str] | None = None) -> int:
    """Deploy; return the exit status."""
    parser = _parser("deploy", "Deploy a release to an environment, and go back if it is worse.")
    add = parser.add_argument
    add("release", nargs="?", help="such as shop-7, or a file (default: the newest)")
    add("--watch", type=seconds_of, default=WATCH_SECONDS, metavar="TIME", help="(default 10m)")
    add("--show", action="store_true", help="show what would change, and change nothing")
    add("--breaking", metavar="WHY", help="why migrations may take away what served code uses")
    add("--repository", metavar="DIR|s3://…", help=f"(default {PLACE})")
    add("--root", type=Path, metavar="FILE", help="the root.json that is trusted")
    given = parser.parse_args(arguments)
    return _run("deploy", lambda: deploy(given))


def rollback_main(arguments: Sequence[str] | None = None) -> int:
    """Take the latest release back; return the exit status."""
    parser = _parser("rollback", "Take the release that an environment serves back, as it came.")
    parser.add_argument("--why", default="rolled back", help="for the admin log")
    given = parser.parse_args(arguments)
    return _run("rollback", lambda: rollback(given))


def releases_main(arguments: Sequence[str] | None = None) -> int:
    """List releases; return the exit status."""
    parser = _parser("releases", "List the releases of an environment, and what each contained.")
    parser.add_argument("--json", action="store_true", help="print all of it as JSON")
    given = parser.parse_args(arguments)
    return _run("releases", lambda: releases(given))


def deploy(given: argparse.Namespace) -> None:
    """Verify, show, deploy and watch, as the command line says."""
    from scripts.releasing.deploy.place import place_of, server_of
    from scripts.releasing.deploy.procedure import Deploy

    place = place_of(_index(given), given.environment)
    with _alone(place):
        bundle = bundle_of(given, place)
        server = server_of(place)
        with server or _nothing():
            deploy_ = Deploy(place, server, breaking=given.breaking)
            deploy_.deploy(bundle, given.watch, only_shown=given.show)


def rollback(given: argparse.Namespace) -> None:
    """Take back."""
    from scripts.releasing.deploy.place import place_of, server_of
    from scripts.releasing.deploy.procedure import Deploy

    place = place_of(_index(given), given.environment)
    with _alone(place):
        server = server_of(place)
        with server or _nothing():
            Deploy(place, server).rollback(given.why)


def releases(given: argparse.Namespace) -> None:
    """Print each release that was deployed, the newest first."""
    from actors.host.released import deployed
    from scripts.cli.display import console_on, show_rows
    from scripts.releasing.deploy.place import place_of

    place = place_of(_index(given), given.environment)
    found = deployed(place.data)
    if given.json:
        print(json.dumps(found, ensure_ascii=False, indent=2))
        return
    rows = [
        {
            "release": each["release"],
            "deployed": each.get("deployed", "went back by itself"),
            "served": "yes" if each["served"] else "",
            "versions": ", ".join(f"{one['name']}@{one['version']}" for one in each["moves"]),
            "requests": ", ".join(
                dict.fromkeys(request for one in each["moves"] for request in one["requests"])
            ),
        }
        for each in found
    ]
    if not rows:
        print(f"nothing was deployed to {place.environment}")
    show_rows(console_on(sys.stdout), rows)


def bundle_of(given: argparse.Namespace, place: Place) -> Bundle:
    """Return the release of the command line: a file, or one of the repository, verified. ReleaseProblem."""
    from actors.environments import HOSTED
    from scripts.releasing.bundle import unpacked
    from scripts.releasing.problem import ReleaseProblem

    file = Path(given.release or "")
    where = given.repository or os.environ.get(PLACE)
    if given.release and file.is_file():
        if place.environment.startswith(HOSTED):
            raise ReleaseProblem(
                f"{file} is a file, and {place.environment} takes signed releases alone: publish it "
                f"({command('release')} publish), then deploy {file.name.partition('.')[0]}"
            )
        return unpacked(file.read_bytes(), file.name)
    if not where:
        raise ReleaseProblem(
            f"there is no file {given.release}, and no repository: give --repository, or {PLACE}"
        )
    require_extra()
    from scripts.releasing.publish.store import Store
    from scripts.releasing.publish.verifier import Verifier, trusted_root

    root = trusted_root(given.root or place.releases / "root.json")
    verifier = Verifier(Store(str(where)), place.environment, root, place.releases / "metadata")
    return verifier.fetch(given.release or verifier.newest(), place.releases / "fetched")


def seconds_of(text: str) -> float:
    """Parse `90`, `90s`, `10m` or `1h`; argparse.ArgumentTypeError."""
    match = _TIME.match(text)
    if match is None:
        raise argparse.ArgumentTypeError(f"{text!r} is no time: write 90s, 10m or 1h")
    return float(match["number"]) * _UNITS[match["unit"]]


@contextmanager
def _alone(place: Place) -> Iterator[None]:
    from actors.host.released import DeployUnderWay, deploying
    from scripts.releasing.problem import ReleaseProblem

    try:
        with deploying(place.data):
            yield
    except DeployUnderWay:
        raise ReleaseProblem(
            f"another deploy to {place.environment} is under way: wait until it has ended"
        ) from None


@contextmanager
def _nothing() -> Iterator[None]:
    yield


def _index(given: argparse.Namespace) -> Path:
    return Path(given.registry or default_index()).absolute()


def _run(name: str, do: Callable[[], None]) -> int:
    # The arguments are read by now: this imports the engine.
    from actors.errors import TenantryError
    from scripts.cli.target import Unreachable
    from scripts.releasing.deploy.procedure import TakenBack, Unsettled
    from scripts.releasing.problem import ReleaseProblem

    try:
        do()
    except TakenBack as problem:
        print(f"{command(name)}: {problem}", file=sys.stderr)
        return WENT_BACK
    except Unsettled as problem:
        print(f"{command(name)}: {problem}", file=sys.stderr)
        return UNSETTLED
    except (ReleaseProblem, TenantryError, Unreachable) as problem:
        print(f"{command(name)}: {problem}", file=sys.stderr)
        return REFUSED
    except OSError as error:
        from actors.host.disk import os_error_text

        advice = "mend that, then give the same command again"
        print(f"{command(name)}: {os_error_text(error)}: {advice}", file=sys.stderr)
        return REFUSED
    except KeyboardInterrupt:
        print(f"{command(name)}: interrupted; the next deploy settles it", file=sys.stderr)
        return INTERRUPTED
    return 0


def _parser(name: str, meaning: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=command(name),
        description=meaning,
        epilog=as_typed(EXAMPLES),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--to", dest="environment", required=True, metavar="ENV")
    parser.add_argument("--registry", type=Path, help="another index")
    return parser


if __name__ == "__main__":
    sys.exit(main())
