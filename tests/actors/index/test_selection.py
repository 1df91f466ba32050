"""Which version is served where: random moves, environments and testers against a model of the table."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.errors import FailedPrecondition
from actors.index.entries import STATES, Index
from actors.index.parser import parse_index
from actors.index.selection import select
from actors.registry.messages import Move
from actors.registry.transitions import plan_transition
from actors.registry.version_edit import apply_edit

VERSIONS = 4
ENVIRONMENTS = ("local-dev", "local-test", "local-qa", "hosted-test", "hosted-live")

HEAD = '[actions.a]\nsummary = "A."\naccess = "member"\neffect = "read"\n'
VERSION = '[[actions.a.versions]]\nversion = {0}\nstate = "{1}"\ncode = "a{0}:a"\n'

ONWARD = {
    "dummy": {"under dev"},
    "under dev": {"potential release", "erroring", "dummy"},
    "potential release": {"under user test", "under dev", "erroring"},
    "under user test": {"release", "potential release", "under dev", "erroring"},
    "release": {"reverted", "erroring"},
    "erroring": {"under dev", "reverted"},
    "reverted": {"under dev"},
}


def model(states: dict[int, str], environment: str, tester: bool) -> tuple[int, str]:
    """Number and reason, as the specification's table has them; 0 for none served."""
    late = ["release", "under user test", "potential release", "dummy"]
    most = {"local-test": 4, "local-qa": 3, "hosted-test": 2, "hosted-live": 1}
    served = set(STATES) - {"reverted"} if environment == "local-dev" else late[: most[environment]]
    extra = ["under user test"] if tester and environment == "hosted-live" else []
    fit = [n for n in sorted(states, reverse=True) if states[n] in [*served, *extra]]
    best = next((n for n in fit if states[n] != "erroring"), fit[0] if fit else 0)
    passed = [states[n] for n in sorted(states, reverse=True) if n > best]
    bad = next((f"fallback after {s}" for s in passed if s in ("erroring", "reverted")), None)
    usual = "dummy" if best and states[best] == "dummy" else "newest"
    tested = best and states[best] not in served
    return (best, "none served") if not best else (best, "tester" if tested else bad or usual)


class Desk:
    """An index with one action, and the states that its versions ought to be in."""

    def __init__(self, path: Path, states: list[str]) -> None:
        for number in range(1, len(states) + 1):
            (path.parent / f"a{number}.py").write_text("def a(ctx, params): ...\n")
        versions = (VERSION.format(number, state) for number, state in enumerate(states, 1))
        self.path = path
        self.index = parse_index(path, HEAD + "".join(versions))
        self.states = dict(enumerate(states, 1))
        self.before: dict[int, str] = {}

    def move(self, number: int, to: str) -> bool:
        """Move a version, if that may be; whether it was moved."""
        try:
            plan = plan_transition(self.index, Move("a", number, to, "why", "ada", "developer"))
        except FailedPrecondition:
            return False
        text = apply_edit(self.index.text, plan.section, "a", number, plan.values)
        self.index = parse_index(self.path, text)
        return True

    def expect(self, number: int, to: str) -> bool:
        """Move it in the model."""
        state = self.states[number]
        may = ONWARD[state] | ({self.before[number]} if state == "erroring" else set())
        if to not in may:
            return False
        if to == "erroring":
            self.before[number] = state
        self.states[number] = to
        return True


@pytest.fixture(scope="module")
def path() -> Iterator[Path]:
    """Where the index would be; its code is there."""
    with tempfile.TemporaryDirectory() as directory:
        yield Path(directory) / "registry.toml"


def decided(index: Index, environment: str, tester: bool) -> tuple[int, str]:
    """As the engine decides."""
    decision = select(index.actions["a"], index.environment(environment), tester)
    is_served = decision.is_served and decision.version is not None
    return decision.version.number if is_served and decision.version else 0, decision.reason


starts = st.lists(
    st.sampled_from([s for s in STATES if s != "erroring"]), min_size=1, max_size=VERSIONS
)
steps = st.lists(st.tuples(st.integers(1, VERSIONS), st.sampled_from(STATES)), max_size=12)


@given(starts, steps, st.sampled_from(ENVIRONMENTS), st.booleans())
def test_random_moves_are_served_as_the_table_says(
    path: Path,
    states: list[str],
    moves: list[tuple[int, str]],
    environment: str,
    tester: bool,
) -> None:
    """After each of them, allowed or not, in every environment, for testers and others."""
    desk = Desk(path, states)
    for number, to in moves:
        if number > len(states):
            continue
        assert desk.move(number, to) is desk.expect(number, to)
        found = {each.number: each.state for each in desk.index.actions["a"].versions}
        assert found == desk.states
        assert decided(desk.index, environment, tester) == model(desk.states, environment, tester)
