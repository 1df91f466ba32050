"""The command line of scripts/release: publishes, signs and verifies releases."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from actors.host.program import as_typed, command

if TYPE_CHECKING:
    from scripts.releasing.bundle import Bundle
    from scripts.releasing.publish.repository import Repository, Signing

REFUSED, INTERRUPTED = 1, 130

PLACE = "TENANTRY_RELEASES"
"""Variable with the repository: a folder, or s3://bucket/prefix."""

EXAMPLES = """\
examples:
  scripts/keys release --out keys                               once; each secret key goes to its owner
  scripts/release begin --keys keys                             once; prints the root.json for every server
  scripts/release publish dist/shop-7.tenantry.zip --key hosted-live-1.secret.pem --key online.secret.pem
  scripts/release sign hosted-live --key hosted-live-2.secret.pem --key online.secret.pem
  scripts/release verify shop-7 --for hosted-live --root root.json
  scripts/release list
  scripts/release revoke hosted-live hosted-live-2 --instead hosted-live-4.public.pem \\
      --key targets.secret.pem --key online.secret.pem
  scripts/release refresh --key online.secret.pem               at least every 60 days

The repository is --repository, or TENANTRY_RELEASES. This needs the extra `release`: pip install
'tenantry[release]'.

exit status: 0 done, 1 refused, 2 wrong usage
"""

Lines = Iterator[str]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one subcommand; return the exit status."""
    given = make_parser().parse_args(arguments)
    # The arguments are read by now: this imports TUF.
    from scripts.releasing.problem import ReleaseProblem

    try:
        require_extra()
        for line in given.does(given):
            print(as_typed(line))
    except ReleaseProblem as problem:
        print(f"{command('release')}: {problem}", file=sys.stderr)
        return REFUSED
    except OSError as error:
        from actors.host.disk import os_error_text

        text = f"{os_error_text(error)}: mend that, then give the same command again"
        print(f"{command('release')}: {text}", file=sys.stderr)
        return REFUSED
    except KeyboardInterrupt:
        print(f"{command('release')}: interrupted: give the same command again", file=sys.stderr)
        return INTERRUPTED
    return 0


def require_extra() -> None:
    """Raise ReleaseProblem if TUF is not installed."""
    from scripts.releasing.problem import ReleaseProblem

    if find_spec("tuf") is None:
        raise ReleaseProblem(
            "TUF is not installed: pip install 'tenantry[release]', or pip install tuf"
        )


def begin(given: argparse.Namespace) -> Lines:
    """Make the repository; the keys root, targets and online have to be there."""
    from scripts.releasing.files import write_whole
    from scripts.releasing.publish.keys import OWN, PUBLIC, read_public, read_roles

    own = {name: read_public(given.keys / f"{name}{PUBLIC}") for name in OWN}
    roles = {
        name: (role, [read_public(given.keys / f"{key}{PUBLIC}") for key in role.keys])
        for name, role in read_roles(given.keys).items()
    }
    root, place = given.keys / "root.json", repository(given, make=True)
    write_whole(root, place.begin_root(own))
    place.begin(roles)
    yield f"began {place_of(given)}"
    for name, (role, _) in roles.items():
        yield f"{name}: {role.threshold} of {', '.join(role.keys)} have to sign"
    yield f"made {root} (public: every server that deploys needs it, by a way that you trust)"
    yield "put root.secret.pem and targets.secret.pem where no machine reads them"


def publish(given: argparse.Namespace) -> Lines:
    """Add a bundle, signed with the keys that are given."""
    from scripts.releasing.bundle import unpacked

    content = given.bundle.read_bytes()
    bundle = unpacked(content, given.bundle.name)
    yield from described(bundle)
    yield from progress(repository(given).add(bundle, content))


def sign(given: argparse.Namespace) -> Lines:
    """Sign what waits, which is fetched, checked and shown before."""
    found = repository(given)
    for bundle in found.waiting(given.environment):
        yield from described(bundle)
    yield from progress(found.sign(given.environment))


def drop(given: argparse.Namespace) -> Lines:
    """Remove what waits for signatures."""
    repository(given).drop(given.environment)
    yield f"nothing waits for signatures in {given.environment}"


def verify(given: argparse.Namespace) -> Lines:
    """Verify a release as a deploy would that has never seen the repository."""
    from scripts.releasing.publish.store import Store
    from scripts.releasing.publish.verifier import Verifier, trusted_root

    with tempfile.TemporaryDirectory() as folder:
        seen, into = Path(folder, "seen"), Path(folder, "files")
        store = Store(place_of(given))
        verifier = Verifier(store, given.environment, trusted_root(given.root), seen)
        yield from described(verifier.fetch(given.release or verifier.newest(), into))
    yield "verified"


def list_(given: argparse.Namespace) -> Lines:
    """List all releases of the repository."""
    for each in repository(given).listed():
        requests = f"  {', '.join(each.requests)}" * bool(each.requests)
        commit = f"  commit {(each.commit or 'none')[:12]}"
        state = "published" if each.is_published else "waits for signatures"
        yield f"{each.environment}  {each.release}  {state}{commit}{requests}"


def revoke(given: argparse.Namespace) -> Lines:
    """Take a key away from an environment."""
    from scripts.releasing.publish.keys import read_public

    instead = read_public(given.instead) if given.instead else None
    repository(given).revoke(given.environment, given.name, instead)
    yield f"{given.name} signs nothing for {given.environment} any more"
    yield f"have its releases signed anew with the others: scripts/release sign {given.environment} --key …"


def refresh(given: argparse.Namespace) -> Lines:
    """Sign anew what runs out."""
    yield f"signed anew: {', '.join(repository(given).refresh())}"


def described(bundle: Bundle) -> Lines:
    """Yield what a person should know of a bundle before signing it."""
    manifest = bundle.manifest
    commit = manifest.commit
    yield f"{manifest.release} for {manifest.environment}, sha256 {bundle.digest}"
    if commit is None:
        yield "  from no git commit"
    else:
        changes = "" if commit["clean"] else ", with changes that are NOT committed"
        yield f"  commit {commit['id']} of {commit['date']} by {commit['by']}{changes}"
    for each in manifest.versions:
        if each.chosen:
            asked = f" ({', '.join(each.requests)})" if each.requests else ""
            yield f"  {each.label} becomes {each.to_state}{asked}"
    yield from (f"  breaks callers: {each}" for each in manifest.breaks)


def progress(signing: Signing) -> Lines:
    """Yield who has signed, and what is missing."""
    yield f"signed by {', '.join(signing.signed)}: {len(signing.signed)} of {signing.threshold}"
    if signing.is_published:
        yield f"published for {signing.environment}"
    elif len(signing.signed) < signing.threshold:
        others = ", ".join(each for each in signing.keys if each not in signing.signed)
        yield f"it waits for signatures of {others}: scripts/release sign {signing.environment} --key …"
    else:
        yield "it waits for the online key: scripts/release refresh --key online.secret.pem"


def repository(given: argparse.Namespace, *, make: bool = False) -> Repository:
    """Return the repository of the command line, with the keys that sign; ReleaseProblem."""
    from scripts.releasing.publish.keys import OWN, SECRET, read_signer
    from scripts.releasing.publish.repository import Repository
    from scripts.releasing.publish.store import Store

    files = [given.keys / f"{name}{SECRET}" for name in OWN] if make else given.key
    return Repository(Store(place_of(given), make=make), [read_signer(each) for each in files])


def place_of(given: argparse.Namespace) -> str:
    """Return the folder or URL of the repository; ReleaseProblem if none is named."""
    from scripts.releasing.problem import ReleaseProblem

    place = given.repository or os.environ.get(PLACE)
    if not place:
        raise ReleaseProblem(f"say where the repository is: --repository DIR or s3://…, or {PLACE}")
    return str(place)


def make_parser() -> argparse.ArgumentParser:
    """Describe the command line."""
    parser = argparse.ArgumentParser(
        prog=command("release"),
        description="Publish signed releases in a folder or a bucket, and verify them.",
        epilog=as_typed(EXAMPLES),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add(commands, "begin", begin, "make the repository").add_argument(
        "--keys", type=Path, required=True, metavar="DIR", help="the keys of keys release"
    )
    _add(commands, "publish", publish, "add a bundle, signed").add_argument("bundle", type=Path)
    _add(commands, "sign", sign, "sign what waits").add_argument("environment", metavar="ENV")
    _add(commands, "drop", drop, "remove what waits").add_argument("environment", metavar="ENV")
    verified = _add(commands, "verify", verify, "verify a release as a deploy would")
    verified.add_argument("release", nargs="?", help="such as shop-7 (default: the newest)")
    verified.add_argument("--for", dest="environment", required=True, metavar="ENV")
    verified.add_argument("--root", type=Path, required=True, metavar="FILE", help="the root.json")
    _add(commands, "list", list_, "list all releases")
    revoked = _add(commands, "revoke", revoke, "take a key away")
    revoked.add_argument("environment", metavar="ENV")
    revoked.add_argument("name", metavar="NAME", help="of the key")
    revoked.add_argument("--instead", type=Path, metavar="FILE", help="a public key in its place")
    _add(commands, "refresh", refresh, "sign anew what runs out")
    return parser


def _add(
    commands: argparse._SubParsersAction[argparse.ArgumentParser],
    name: str,
    does: Callable[[argparse.Namespace], Lines],
    meaning: str,
) -> argparse.ArgumentParser:
    parser = commands.add_parser(name, help=meaning, description=f"{meaning.capitalize()}.")
    parser.set_defaults(does=does)
    parser.add_argument("--repository", metavar="DIR|s3://…", help=f"(default {PLACE})")
    if name not in ("begin", "list", "verify", "drop"):
        parser.add_argument(
            "--key",
            type=Path,
            action="append",
            default=[],
            metavar="FILE",
            help="a secret key; repeat it",
        )
    else:
        parser.set_defaults(key=[])
    return parser


if __name__ == "__main__":
    sys.exit(main())
