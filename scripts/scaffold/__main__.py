"""The command line of scripts/new."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from actors.access import LEVELS
from actors.errors import ActionError, IndexProblem
from actors.guidance.workplace import conventional
from actors.index.entries import EFFECTS, Action, Index
from actors.index.parser import built_in_index, parse_index, read_index
from actors.registry.registry_file import replace_if_unchanged
from scripts.codegen.__main__ import outputs
from scripts.codegen.client import FILE, NotOurs
from scripts.scaffold.entry import FORMS, Draft, Entry, InvalidEntry, entry_text, fields, placed
from scripts.scaffold.files import Files, files, function_text, test_text

INDEX = Path(__file__).parents[2] / "registry.toml"

REFUSED, INTERRUPTED = 1, 130

Ask = Callable[[str], str]

EXAMPLES = f"""\
examples:
  scripts/new contacts.archive --summary='Put a contact aside.' --access=member --effect=write \\
      --param=id:integer! --result=archived_at:date-time! --request=R-31
  scripts/new contacts.merge          # described already: its next version
  scripts/new orders.place --registry shop/registry.toml

fields:
{FORMS}
Nothing takes effect before functions.reload; exit status: 0 written, 1 nothing was written, 2 wrong usage
"""


class Plan(NamedTuple):
    """The files to write."""

    before: Index
    text: str
    """The new text of the index."""
    action: Action
    draft: Draft
    files: Files


def main(arguments: Sequence[str] | None = None, ask: Ask | None = None) -> int:
    """Plan, write, and print the next steps; return the exit status. `ask` puts a question to a person."""
    given = make_parser().parse_args(arguments)
    if ask is None and sys.stdin.isatty():
        ask = input
    try:
        plan = planned(given, ask)
        write(plan)
    except (IndexProblem, InvalidEntry, NotOurs) as problem:
        return _refused(str(problem))
    except ActionError as error:
        return _refused(error.refusal.message)
    except OSError as error:
        return _refused(f"{error.filename}: {error.strerror}")
    except (KeyboardInterrupt, EOFError):
        _refused("interrupted")
        return INTERRUPTED
    print_next_steps(plan, given.registry)
    return 0


def planned(given: argparse.Namespace, ask: Ask | None) -> Plan:
    """Return the plan, fully checked before anything is written. Raises IndexProblem, InvalidEntry."""
    index = read_index(given.registry)
    action = index.actions.get(given.name)
    text = index.text
    if action is None:
        _require_free(given.name)
        text = placed(text, entry_text(entry(given, ask)), given.name)
        action = parse_index(given.registry, text).actions[given.name]
    number = max((each.number for each in action.versions), default=0) + 1
    code = conventional(index, action, number, given.package)
    paths = files(index.root, given.name, number, code)
    draft = Draft(given.name, number, code, given.request)
    text = placed(text, draft.text, given.name)
    described = parse_index(given.registry, text).actions[given.name]
    for path in (paths.function, paths.test):
        if path.exists():
            raise InvalidEntry(f"{path} is there already: rename it, or say another --package")
    return Plan(index, text, described, draft, paths)


def entry(given: argparse.Namespace, ask: Ask | None) -> Entry:
    """Return the entry of the options; a person is asked for missing ones, or InvalidEntry lists them."""
    required = ("summary", "access", "effect")
    missing = [name for name in required if getattr(given, name) is None]
    if missing and ask is None:
        options = ", ".join(f"--{name}" for name in missing)
        raise InvalidEntry(f"the index does not describe {given.name} yet: say {options}")
    if missing and ask is not None:
        _ask_for(given, ask)
    return Entry(
        given.name,
        given.summary,
        given.access,
        given.effect,
        given.instructions or "",
        fields(given.param),
        fields(given.result),
    )


def write(plan: Plan) -> None:
    """Write the function, its test, the index, then types; a failure leaves nothing behind."""
    made: list[Path] = []
    texts = {
        plan.files.function: function_text(plan.action, plan.draft.version, plan.draft.function),
        plan.files.test: test_text(
            plan.action,
            plan.draft.version,
            plan.before.root / plan.before.path.name,
            plan.files.test,
        ),
    }
    try:
        for path, text in texts.items():
            _make_package(path.parent, plan.before.root, made)
            with path.open("x", encoding="utf-8") as file:
                made.append(path)
                file.write(text)
        replace_if_unchanged(plan.before.path, plan.text, plan.before.digest)
    except BaseException:
        for path in reversed(made):
            path.unlink(missing_ok=True)
        raise
    _write_contracts(plan)


def print_next_steps(plan: Plan, registry: Path) -> None:
    """Print the files written, and the next steps."""
    name, number = plan.draft.name, plan.draft.version
    function, test = map(_format_path, (plan.files.function, plan.files.test))
    print(f"{_format_path(registry)}: {name} version {number} is under dev")
    print(f"wrote {function}\nwrote {test}\n")
    print(f"1. write the function            {function}")
    print(f"2. say what has to come out      scripts/test {_for_test(plan.files.test)}")
    print("3. see how the index differs     scripts/call --admin - functions.diff")
    print("4. take it in, while it serves   scripts/call --admin - functions.reload digest=…")
    print(f"5. call it                       scripts/call TENANT {name} …")
    print(f"all about it: scripts/call --admin - functions.instructions function={name}")


def make_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="scripts/new",
        description="Begin one function: its entry in the index, its file, its test.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("name", metavar="ACTION", help="such as contacts.merge")
    add("--registry", type=Path, default=INDEX, help="another index")
    add("--summary", help="one sentence for callers")
    add("--access", help=f"who may call it: {', '.join(LEVELS)}")
    add("--effect", help=" or ".join(EFFECTS))
    add("--param", action="append", default=[], metavar="FIELD", help="what goes in; repeat it")
    add("--result", action="append", default=[], metavar="FIELD", help="what comes out; repeat it")
    add("--instructions", help="for the author of the function")
    add("--request", help="the user request that it answers, such as R-12")
    add(
        "--package",
        help="package of its code, such as shop.functions (default: that of its group)",
    )
    return parser


def _ask_for(given: argparse.Namespace, ask: Ask) -> None:
    """Ask a person for options that the command line does not have."""
    questions = {
        "summary": "What does it do, in one sentence? ",
        "access": f"Who may call it ({', '.join(LEVELS)})? ",
        "effect": "Does it read or write? ",
        "instructions": "What does its developer need to know (may be empty)? ",
    }
    for name, question in questions.items():
        if getattr(given, name) is None:
            setattr(given, name, ask(question).strip())
    for name, what in (("param", "What goes in"), ("result", "What comes out")):
        if not getattr(given, name):
            words = ask(f"{what}, such as name:string! age:integer (may be empty)? ")
            setattr(given, name, words.split())


def _require_free(name: str) -> None:
    if name in built_in_index().actions:
        raise InvalidEntry(f"{name} is built in: choose another name")


def _make_package(directory: Path, root: Path, made: list[Path]) -> None:
    """Make a new directory of code a package, with a docstring."""
    if directory.exists():
        return
    directory.mkdir(parents=True)
    if directory.name != "tests" and directory != root:
        init = directory / "__init__.py"
        init.write_text('"""Functions of the index beside it."""\n', encoding="utf-8")
        made.append(init)


def _write_contracts(plan: Plan) -> None:
    """Write the types, and those other files of scripts/schema that exist."""
    root = plan.before.root
    for each in outputs(read_index(plan.before.path), root):
        if each.path == root / FILE or (each.path.exists() and not each.is_current):
            each.path.write_text(each.text, encoding="utf-8")


def _format_path(path: Path) -> str:
    """Return the path as the caller would write it."""
    here = Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)


def _for_test(path: Path) -> str:
    """Return the path as scripts/test takes it, relative to the repository."""
    path = path.resolve()
    return str(path.relative_to(INDEX.parent) if path.is_relative_to(INDEX.parent) else path)


def _refused(why: str) -> int:
    print(f"scripts/new: {why}\nscripts/new: nothing was written", file=sys.stderr)
    return REFUSED


if __name__ == "__main__":
    sys.exit(main())
