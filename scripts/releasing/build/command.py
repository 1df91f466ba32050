"""The command line of scripts/build: shows what a release would hold, tests it, and writes one file."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from actors.host.program import as_typed, command, default_index

if TYPE_CHECKING:
    from scripts.releasing.build.plan import Plan, Request

REFUSED, INTERRUPTED = 1, 130

EXAMPLES = """\
examples:
  scripts/build --for hosted-test contacts.add@2              show what would be in it, and why
  scripts/build --for hosted-test contacts.add@2 --out dist   run its tests, write dist/shop-1.tenantry.zip
  scripts/build --for hosted-live --requests R-12 --base dist/shop-1.tenantry.zip --out dist
  scripts/build --for local-qa --state 'potential release'

Without --base a release holds what the index says is served there, and what is named; with --base it holds
what that release held, and what is named. docs/releases.md says more.

exit status: 0 shown or written, 1 refused, 2 wrong usage
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Show or build a release; return the exit status."""
    given = make_parser().parse_args(arguments)
    # The arguments are read by now: this imports the engine.
    from actors.errors import TenantryError
    from scripts.releasing.problem import ReleaseProblem

    try:
        build(given)
    except (TenantryError, ReleaseProblem) as problem:
        print(f"{command('build')}: {problem}", file=sys.stderr)
        return REFUSED
    except OSError as error:
        from actors.host.disk import os_error_text

        text = f"{os_error_text(error)}: mend that, then give the same command again"
        print(f"{command('build')}: {text}", file=sys.stderr)
        return REFUSED
    except KeyboardInterrupt:
        print(f"{command('build')}: interrupted: give the same command again", file=sys.stderr)
        return INTERRUPTED
    return 0


def build(given: argparse.Namespace) -> None:
    """Plan, show, test and write, as the command line says. ReleaseProblem, TenantryError, OSError."""
    from scripts.releasing.build.plan import planned
    from scripts.releasing.build.trials import run_trials

    plan = planned(request_of(given))
    show(plan, as_json=given.json)
    if given.out is None:
        return
    require_tested(plan, given.untested)
    require_free(plan, given.out)
    run_trials(plan.source, plan.trials)
    print(f"wrote {write(plan, given.out)}")


def request_of(given: argparse.Namespace) -> Request:
    """Return what the command line asks for; ReleaseProblem, OSError."""
    from scripts.releasing.build.choice import Wanted
    from scripts.releasing.build.notes import read_texts
    from scripts.releasing.build.plan import Request
    from scripts.releasing.bundle import unpacked

    return Request(
        registry=given.registry or default_index(),
        environment=given.environment,
        wanted=Wanted(given.labels, given.requests, given.states, given.to, given.breaking),
        base=unpacked(given.base.read_bytes(), given.base.name) if given.base else None,
        name=given.name,
        sequence=given.sequence,
        texts=read_texts(given.request_texts) if given.request_texts else {},
    )


def show(plan: Plan, *, as_json: bool) -> None:
    """Print what is in a release, and why."""
    from scripts.cli.display import console_on, show_rows

    if as_json:
        print(json.dumps(json.loads(plan.manifest.as_bytes()), ensure_ascii=False, indent=2))
        return
    manifest = plan.manifest
    print(f"{manifest.release} for {manifest.environment}{_commit(plan)}")
    rows = [
        {
            "version": each.label,
            "state": each.to_state,
            "requests": ", ".join(each.requests),
            "tests": len(plan.trials.by_version.get(each.label, ())) if each.chosen else "",
            "why": each.why,
        }
        for each in manifest.versions
    ]
    show_rows(console_on(sys.stdout), rows)
    if manifest.migrations:
        print(f"migrations: {', '.join(each['file'] for each in manifest.migrations)}")
    if manifest.distributions:
        used = (f"{name} {version}" for name, version in sorted(manifest.distributions.items()))
        print(f"needs installed: {', '.join(used)}")
    for each in manifest.breaks:
        print(f"breaks callers: {each}")
    print(f"{len(manifest.files)} files, {sum(each['size'] for each in manifest.files)} bytes")


def require_tested(plan: Plan, untested: bool) -> None:
    """Raise ReleaseProblem if a chosen version has no test and that was not said to be meant."""
    from scripts.releasing.problem import ReleaseProblem

    if plan.trials.untested and not untested:
        raise ReleaseProblem(
            f"no test names {', '.join(plan.trials.untested)}: write one below tests/, or say --untested"
        )


def require_free(plan: Plan, out: Path) -> None:
    """Raise ReleaseProblem if another bundle has its name."""
    from scripts.releasing.bundle import packed
    from scripts.releasing.problem import ReleaseProblem

    file = out / plan.manifest.file
    if file.exists() and file.read_bytes() != packed(plan.manifest, plan.files):
        raise ReleaseProblem(
            f"{file} is there with other content: give a higher --sequence, or --base"
        )


def write(plan: Plan, out: Path) -> Path:
    """Write the bundle, wholly or not at all; ReleaseProblem."""
    from scripts.releasing.bundle import packed
    from scripts.releasing.files import write_whole

    file = out / plan.manifest.file
    write_whole(file, packed(plan.manifest, plan.files))
    return file


def make_parser() -> argparse.ArgumentParser:
    """Describe the command line."""
    parser = argparse.ArgumentParser(
        prog=command("build"),
        description="Build a release of chosen functions for one environment.",
        epilog=as_typed(EXAMPLES),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    _add_selection(parser.add_argument_group("what it holds"))
    _add_release(parser.add_argument_group("the release"))
    parser.add_argument("--registry", type=Path, help="another index")
    parser.add_argument(
        "--json", action="store_true", help="print the manifest instead of the table"
    )
    return parser


def _add_selection(group: argparse._ArgumentGroup) -> None:
    """Add the arguments that choose versions, and where they are served."""
    add = group.add_argument
    add(
        "labels",
        metavar="NAME[@VERSION]",
        nargs="*",
        help="a function or connector; the newest version",
    )
    add("--for", dest="environment", required=True, metavar="ENV", help="the environment")
    add(
        "--requests",
        nargs="+",
        default=[],
        metavar="R-N",
        help="versions that answer these requests",
    )
    add(
        "--state",
        dest="states",
        action="append",
        default=[],
        help="versions in this state; repeat it",
    )
    add(
        "--to",
        metavar="STATE",
        help="the state that they get (default: the first that is served there)",
    )
    add("--untested", action="store_true", help="build versions that have no test, too")


def _add_release(group: argparse._ArgumentGroup) -> None:
    """Add the arguments of the bundle: what it follows, where it is written, what it says."""
    add = group.add_argument
    add("--base", type=Path, metavar="FILE", help="the release that it follows")
    add(
        "--out",
        type=Path,
        metavar="DIR",
        help="run the tests and write the bundle; else only show it",
    )
    add("--name", help="name of the index (default: that of the release before, or of its folder)")
    add(
        "--sequence", type=int, help="number of the release (default: one more than the one before)"
    )
    add(
        "--breaking",
        metavar="WHY",
        help="why callers have to put up with a change that breaks them",
    )
    add(
        "--request-texts",
        type=Path,
        metavar="FILE",
        help="what requests.list --json printed, for the notes",
    )


def _commit(plan: Plan) -> str:
    commit = plan.manifest.commit
    if commit is None:
        return ", from no git commit"
    return f", from commit {commit['id'][:12]}{'' if commit['clean'] else ', with changes not committed'}"


if __name__ == "__main__":
    sys.exit(main())
