"""docs/access.md against the running system: callers get no more than the table says, and no less.

Refused means refused for who the caller is: permission_denied or unauthenticated. What the table allows may
still fail for its content, and the callers here ask for people and grants that are not there.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from actors.access import (
    ADMIN,
    ADMIN_OWNER,
    AREAS,
    BOTH,
    CHANNELS,
    DATA,
    DEVELOPER_ADMIN,
    OWNER,
    PLATFORM_ROLES,
    PUBLIC,
    SUPER_ADMIN,
)
from actors.edge.builtin_actions import built_in
from actors.index.parser import built_in_index, read_index
from scripts.cli.access_table import COLUMNS, NO, ON_ADMIN, ActionRow, read_table, rows_of
from tests.actors.callers import REFUSED, Being, MovableClock, Stage
from tests.conftest import Server
from tests.raw_client import Map

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "access.md"
MIXED = Path(__file__).parents[1] / "access" / "registry.toml"

TABLE = read_table(PAGE.read_text())
"""The page's own words."""

MIXED_TABLE = {row.action: row for row in rows_of(read_index(MIXED))}


class Trial(NamedTuple):
    """One call of one caller."""

    action: str
    channel: str
    tenant: str


@pytest.fixture(scope="module", params=[ROOT / "registry.toml", MIXED], ids=["the page", "mixed"])
def staged(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Stage, dict[str, ActionRow]]]:
    """A server of one of the two indexes, and the table that holds for it."""
    clock = MovableClock()
    server = Server(tmp_path_factory.mktemp("data"), clock=clock, registry=request.param)
    stage = Stage(server, clock)
    table = TABLE if request.param != MIXED else MIXED_TABLE
    yield stage, {name: row for name, row in table.items() if name not in built_in()}
    stage.close()
    server.stop()


def params_of(stage: Stage, action: str) -> Map:
    """Params that fit, and that leave the stage as it is even if the call is allowed."""
    if action == "tenants.create":
        return {"name": stage.fresh_name(), "owner": {"name": "someone"}, "token": False}
    if action == "limits.set":
        return {"mailbox": 1000}
    route = stage.server.system.snapshot.current.find(action)
    example = route.params.example()
    if action in {"tokens.issue", "developers.issue"}:
        example["scope"] = [action]  # of no wider scope than its issuer's token
    return example


def column_of(being: Being, row: ActionRow) -> str:
    """The heading under which the table speaks of this caller of this action."""
    if being.role == OWNER:
        return f"owner {'with' if row.area in being.areas else 'without'} the area"
    return being.role


def is_allowed(being: Being, row: ActionRow, trial: Trial) -> bool:
    """What the table says of a call, and the words around it of tokens, scopes, grants and tenants."""
    if being.token != "live" or (being.scope is not None and row.action not in being.scope):
        return False
    on_platform = being.role in PLATFORM_ROLES
    if trial.tenant != "acme" and not on_platform:
        return False
    if on_platform and trial.channel == DATA:
        return False
    if on_platform and being.grant == "live" and trial.tenant == "acme":
        return row.cells[SUPER_ADMIN] != NO
    return row.channel in (trial.channel, BOTH) and row.cells[column_of(being, row)] != NO


def check(stage: Stage, text: str | None, row: ActionRow, trial: Trial, expected: bool) -> None:
    """Call, and compare."""
    reply = stage.call(trial.channel, text, trial.tenant, row.action, params_of(stage, row.action))
    code = None if reply["ok"] else reply["error"]["code"]
    message = (
        f"{trial}: expected {'to be' if expected else 'not to be'} allowed, got {code}: {reply}"
    )
    assert (code not in REFUSED) == expected, message
    assert code not in {"internal", "resource_exhausted"}, message
    if reply["ok"] and row.action.startswith("tenants."):
        stage.recover("acme")


def beings() -> Iterator[tuple[str, Being]]:
    """One caller for each column but the first, with its heading."""
    for column in COLUMNS:
        if column.role == SUPER_ADMIN:
            yield column.heading, Being(DEVELOPER_ADMIN, grant="live")
        elif column.role != PUBLIC:
            yield column.heading, Being(column.role, column.areas)


@pytest.mark.parametrize(("heading", "being"), list(beings()), ids=lambda each: str(each)[:24])
def test_every_cell_of_the_table_is_what_a_caller_meets(
    staged: tuple[Stage, dict[str, ActionRow]], heading: str, being: Being
) -> None:
    """On both channels."""
    stage, table = staged
    caller = stage.make(being)
    for row in table.values():
        for channel in CHANNELS:
            cell = row.cells[heading]
            reached = channel == ADMIN if cell == ON_ADMIN else row.channel in (channel, BOTH)
            expected = cell != NO and reached
            check(stage, caller.text, row, Trial(row.action, channel, "acme"), expected)


def test_without_a_token_only_what_is_public_and_only_on_the_data_channel(
    staged: tuple[Stage, dict[str, ActionRow]],
) -> None:
    """And only tenants that are awake."""
    stage, table = staged
    with stage.server.client() as client:
        client.call("config.get")  # acme is awake from here on
    for row in table.values():
        for channel in CHANNELS:
            expected = row.cells["no token"] != NO and channel == row.channel == DATA
            check(stage, None, row, Trial(row.action, channel, "acme"), expected)


@st.composite
def any_being(draw: st.DrawFn, names: list[str]) -> Being:
    """Any mixture of role, areas, scope, and states of token and grant."""
    # The admin owner is one person in all examples, who may not be too fast: 200 calls at once.
    others = ["member", OWNER, "developer", DEVELOPER_ADMIN]
    role = draw(st.sampled_from([*others, *others, ADMIN_OWNER]))
    some = st.frozensets(st.sampled_from(names), min_size=1, max_size=12)
    return Being(
        role,
        draw(st.frozensets(st.sampled_from(AREAS))) if role == OWNER else frozenset(),
        draw(st.none() | some),
        draw(st.sampled_from(["live"] * 4 + ["expired", "revoked", "cut"])),
        draw(st.sampled_from(["none", "live", "live", "expired", "withdrawn"]))
        if role == DEVELOPER_ADMIN
        else "none",
    )


@given(data=st.data())
@settings(
    max_examples=100,
    deadline=None,  # real sockets and synced files
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_random_callers_get_what_the_table_says_and_nothing_else(
    staged: tuple[Stage, dict[str, ActionRow]], data: Any
) -> None:
    """Roles, areas, scopes, tokens and grants that are live or over, either channel, any tenant."""
    stage, table = staged
    names = sorted(table)
    being = data.draw(any_being(names))
    caller = stage.make(being)
    preferred = sorted(being.scope or names)
    for _ in range(8):
        trial = Trial(
            data.draw(st.sampled_from(preferred) | st.sampled_from(names)),
            data.draw(st.sampled_from(CHANNELS)),
            data.draw(st.sampled_from(["acme", "acme", "acme", "globex", "nowhere"])),
        )
        if trial.tenant == "nowhere" and being.role in PLATFORM_ROLES:
            continue  # not_found: to the platform's people tenants are no secret
        row = table[trial.action]
        check(stage, caller.text, row, trial, is_allowed(being, row, trial))
    stage.leave(caller)


def test_the_table_has_a_row_for_every_action() -> None:
    """Those of the index, the engine's own, and what is built in."""
    described = {
        *read_index(ROOT / "registry.toml").actions,
        *built_in_index().actions,
        *built_in(),
    }
    assert set(TABLE) == described
