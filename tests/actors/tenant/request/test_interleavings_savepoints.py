"""Turns without savepoints and turns with them come to the same, whatever is in them and whatever fails."""

from __future__ import annotations

import tempfile
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from actors.errors import FailedPrecondition
from actors.messages import DeadLetter
from actors.tenant.context import Context
from actors.tenant.request.turn import SavepointPolicy
from tests.actors.tenant.full_disk import FINE, KEPT, LOST, Disk
from tests.actors.tenant.turn_harness import TurnHarness
from tests.faulty.functions import ADD, HIDDEN

Map = dict[str, Any]

WRITES = [
    f"{steps} {end}" for steps in ("", "w", "ww") for end in ("return", "refuse", "fail", "misfit")
]
KINDS = [*WRITES, "w async", "w async refuse", "count", "hidden", "again", "dead letter"]

TURNS = st.lists(st.lists(st.sampled_from(KINDS), min_size=1, max_size=8), min_size=1, max_size=4)
FATES = st.lists(st.sampled_from([FINE, FINE, FINE, LOST, KEPT]), max_size=8)


class Careful(SavepointPolicy):
    """Each turn has savepoints."""

    is_careful = True


def play(ctx: Context, params: Any) -> Map:
    """Write as many marks as the text says, and end as it says."""
    steps, _, end = params.text.partition(" ")
    ids = [ctx.db.scalar(ADD, {"text": params.text}) for _ in steps]
    if end.endswith("refuse"):
        raise FailedPrecondition("as it was told")
    if end == "fail":
        raise RuntimeError("as it was told")
    return {"id": None if end == "misfit" else sum(ids)}


async def play_alone(ctx: Context, params: Any) -> Map:
    """The same in a transaction of its own."""
    return {"ids": [play(ctx, params)["id"]]}


def hidden(ctx: Context, _: Any) -> Map:
    """A read that writes, which is not seen before it runs."""
    return {"count": ctx.db.run(HIDDEN, {"text": "hidden"})}


def message(tenant: TurnHarness, kind: str, id_: str) -> Any:
    """A message of this kind; `again` comes with the first id there was."""
    match kind:
        case "count" | "hidden":
            action = "marks.count" if kind == "count" else "trouble.read"
            return tenant.request(action, id_)
        case "again":
            return tenant.request("marks.add", "0", text="w return")
        case "dead letter":
            return DeadLetter(tenant.request("marks.add", id_, text="w dead"), "twice")
        case "w async" | "w async refuse":
            return tenant.request("marks.slowly", id_, text=kind)
        case _:
            return tenant.request("marks.add", id_, text=kind)


def seen(tenant: TurnHarness, disk: Disk, turns: list[list[str]], fates: list[str]) -> Map:
    """All that can be seen of these turns from outside."""
    tenant.serve("marks.add", play)
    tenant.serve("marks.slowly", play_alone)
    tenant.serve("trouble.read", hidden)
    disk.clear()
    disk.extend(fates)
    with capture_logs() as logs:
        tenant.turn(tenant.request("marks.add", "0", text="w return"))
        for number, kinds in enumerate(turns, 1):
            tenant.turn(*(message(tenant, kind, f"{number}.{n}") for n, kind in enumerate(kinds)))
    disk.clear()
    detectors = [tenant.route(action).detector for action in ("marks.add", "marks.slowly")]
    return {
        "replies": [(each.id, each.result, each.error) for each in tenant.frames],
        "marks": tenant.rows("SELECT id, text FROM marks ORDER BY id"),
        "ids": tenant.rows("SELECT caller, id, digest, reply FROM tenantry_replies ORDER BY n"),
        "dead letters": tenant.rows("SELECT id, reason FROM tenantry_dead_letters"),
        "lines": [(each.request_id, each.outcome, each.replayed) for each in tenant.lines()],
        "logs": [(each["event"], each.get("trace_id")) for each in logs if "seconds" not in each],
        "failures": [[each.call for each in one.failures] for one in detectors if one],
        "calls": [one.track("x", "").call for one in detectors if one],
    }


@pytest.fixture(autouse=True)
def _long_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    """Turns end with their mail, however slow the machine."""
    monkeypatch.setattr("actors.tenant.actor.TURN_SECONDS", 60.0)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(turns=TURNS, fates=FATES)
def test_savepoints_make_no_difference(
    disk: Disk, turns: list[list[str]], fates: list[str]
) -> None:
    """To replies, effects, ids, log lines, and counts of calls and failures."""
    found = []
    for policy in (SavepointPolicy(), Careful()):
        with (
            tempfile.TemporaryDirectory() as directory,
            closing(TurnHarness(Path(directory))) as tenant,
        ):
            tenant.incarnation._savepoint_policy = policy
            found.append(seen(tenant, disk, turns, fates))
    light, careful = found
    for what, expected in careful.items():
        assert light[what] == expected, what
