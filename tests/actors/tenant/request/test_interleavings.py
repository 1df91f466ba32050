"""Whatever comes in whichever order: each request has one reply, and what replies say is what is on disk."""

from __future__ import annotations

import re
import sqlite3
import tempfile
from collections import deque
from contextlib import closing
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from actors.errors import FailedPrecondition
from actors.messages import CallConnector
from actors.tenant.context import Context
from tests.actors.mailbox_harness import MailboxHarness
from tests.actors.tenant.async_harness import ACME, AsyncTenantHarness, Map
from tests.actors.tenant.full_disk import FINE, KEPT, LOST, Disk
from tests.faulty.functions import ADD

STEPS = st.text("wcr", max_size=5)
"""Of one function: w writes a mark, c calls and waits, r refuses."""

FATES = st.lists(st.sampled_from([FINE, FINE, FINE, LOST, KEPT]), max_size=12)


async def play(ctx: Context, params: Any) -> Map:
    """Do what the text says, after the request's own name."""
    name, _, steps = params.text.partition(":")
    ids = []
    for step in steps:
        if step == "w":
            ids.append(ctx.db.scalar(ADD, {"text": name}))
        elif step == "c":
            await ctx.call("post.send", to=name)
        else:
            raise FailedPrecondition("as it was told")
    return {"ids": ids}


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(plays=st.lists(STEPS, min_size=1, max_size=6), fates=FATES, data=st.data())
def test_replies_say_what_is_on_disk(
    disk: Disk, plays: list[str], fates: list[str], data: st.DataObject
) -> None:
    """Answers come in any order, requests are sent again in between, and commits fail."""
    disk.clear()
    harness = MailboxHarness(threads=1)
    with tempfile.TemporaryDirectory() as directory:
        tenant = AsyncTenantHarness(Path(directory), harness)
        tenant.serve(play)
        disk.extend(fates)
        try:
            check(tenant, plays, data)
        finally:
            disk.clear()
            harness.empty()


def check(tenant: AsyncTenantHarness, plays: list[str], data: st.DataObject) -> None:
    """Play all of it; then compare."""
    sent = [tenant.send(f"{n}:{steps}", id_=str(n)) for n, steps in enumerate(plays)]
    first: dict[str, Map] = {}
    waiting: deque[CallConnector] = deque()
    while len(first) < len(sent):
        listen(tenant, first, waiting)
        if bool(waiting) and data.draw(st.booleans(), "an answer"):
            waiting.rotate(data.draw(st.integers(0, len(waiting) - 1), "whose"))
            tenant.answer(waiting.popleft())
        elif data.draw(st.booleans(), "sent again"):
            again(tenant, plays, data.draw(st.sampled_from(sent), "which"), first)
        elif waiting:
            tenant.answer(waiting.popleft())
    assert tenant.outlet.heard() == []
    for id_, reply in first.items():
        assert marks_on_disk(tenant, id_) == told(reply, plays[int(id_)]), (reply, plays[int(id_)])


def listen(
    tenant: AsyncTenantHarness, first: dict[str, Map], waiting: deque[CallConnector]
) -> None:
    """Everything that has come by the time the tenant has served its mail."""
    ping = tenant.send("nothing", action="marks.count")
    while True:
        for reply in tenant.replies(1):
            if reply["id"] == ping:
                waiting.extend(tenant.post.heard())
                return
            assert reply["id"] not in first, "two replies to one request"
            first[reply["id"]] = reply


def again(tenant: AsyncTenantHarness, plays: list[str], id_: str, first: dict[str, Map]) -> None:
    """Send it once more: one that is answered for good gets the same answer, one under way has to wait."""
    if id_ in first and not is_final(first[id_]):
        return
    tenant.send(f"{id_}:{plays[int(id_)]}", id_=id_)
    reply = next(each for each in tenant.replies(1))
    assert reply["id"] == id_
    if id_ not in first:
        assert reply.get("error", {}).get("code") == "unavailable" or is_lost(reply), reply
    elif first[id_]["ok"]:
        assert reply.get("result") == first[id_]["result"] or is_lost(reply)
    else:
        assert not reply["ok"]


def is_final(reply: Map) -> bool:
    """Whether its answer stands under its id."""
    return bool(reply["ok"] or "committed" in reply["error"]["message"])


def is_lost(reply: Map) -> bool:
    """Whether a commit failed just then."""
    return not reply["ok"] and "commit" in reply["error"]["message"]


def told(reply: Map, steps: str) -> int:
    """How many marks a reply says there are."""
    if reply["ok"]:
        return steps.partition("r")[0].count("w")
    found = re.search(r"(one|\d+) steps? of it", reply["error"]["message"])
    committed = 0 if found is None else 1 if found[1] == "one" else int(found[1])
    wrote = [part.count("w") for part in steps.split("c") if "w" in part]
    return sum(wrote[:committed])


def marks_on_disk(tenant: AsyncTenantHarness, name: str) -> int:
    """Committed ones."""
    with closing(sqlite3.connect(tenant.storage.path(ACME.id))) as reader:
        query = "SELECT count(*) FROM marks WHERE text = ?"
        return int(reader.execute(query, (name,)).fetchone()[0])
