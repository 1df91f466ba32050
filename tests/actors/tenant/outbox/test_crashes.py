"""Crashes at any moment between a send and the end of it: nothing is lost, doubled or made up."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from actors.errors import Unavailable
from actors.messages import CallConnector
from tests.actors.tenant.outbox_harness import Crash, OutboxHarness


def crash() -> None:
    """At a commit."""
    raise Crash


def nothing() -> None:
    """At a commit, too."""


class Story:
    """Random orders, answers, crashes and departures; what the peer has seen of it."""

    def __init__(self, harness: OutboxHarness, seed: int) -> None:
        self.harness = harness
        self.chance = random.Random(seed)
        self.seen: list[CallConnector] = []
        self.open: list[CallConnector] = []
        self.acknowledged: set[str] = set()

    def step(self) -> None:
        """One thing happens."""
        happens = self.chance.choice(
            (
                *(self.order, self.order, self.fail, self.answer, self.answer, self.answer),
                *(self.crash_at_commit, self.harness.crash, self.harness.rang, self.leave),
            )
        )
        happens()
        self.collect()

    def collect(self) -> None:
        """What the tenant has told the connector; some of it does not get there."""
        for message in self.harness.operates():
            if self.chance.random() < 0.8:
                self.seen.append(message)
            self.open.append(message)

    def order(self) -> None:
        """In one of the ways to send."""
        if self.chance.random() < 0.2:
            self.harness.call("parcels.send_two", name="heard twice")
            return
        then = self.chance.choice(["", "parcels.heard", "parcels.heard_slowly"])
        ordered = self.chance.random() < 0.5
        name = f"{'heard' if then else 'silent'} {'ordered' if ordered else 'alone'}"
        id_ = self.harness.call("parcels.send", name=name, then=then, ordered=ordered)
        reply = self.harness.replies.get(id_)
        if reply is not None and reply.result is not None:
            self.acknowledged.add(reply.result["key"])

    def fail(self) -> None:
        """A function that has sent, and is rolled back."""
        self.harness.call(
            "parcels.send", name="never", fail=self.chance.choice(["refusal", "defect"])
        )

    def answer(self) -> None:
        """To anything that was ever asked, in any order, also of an earlier life."""
        if not self.open:
            return
        message = self.open.pop(self.chance.randrange(len(self.open)))
        if self.chance.random() < 0.3:
            self.harness.refuse(message, Unavailable("not now"))
        elif message in self.seen:
            self.harness.accept(message)

    def crash_at_commit(self) -> None:
        """At one of the next commits, before it or behind it."""
        at = self.chance.choice([self.harness.commits, self.harness.after_commits])
        at.extend([nothing] * self.chance.randrange(3))
        at.append(crash)

    def leave(self) -> None:
        """Passivated, and woken again."""
        self.harness.asked_to_leave(insist=self.chance.random() < 0.5)
        if self.harness.mailbox.incarnation is None:
            self.harness.incarnate()

    def end_well(self) -> None:
        """No more crashes, and a peer that takes everything."""
        self.harness.commits.clear()
        self.harness.after_commits.clear()
        self.harness.crash()
        for _ in range(500):
            for message in self.harness.operates():
                self.seen.append(message)
                self.harness.accept(message)
            self.harness.rang()
            if set(self.harness.states()) <= {"dead"}:
                return
        raise AssertionError(f"still in the outbox: {self.harness.states()}")


@pytest.mark.parametrize("seed", range(60))
def test_nothing_is_lost_doubled_or_made_up(
    seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The parcels in the file are what was committed: the peer saw each of these keys and no other, and
    the one who was named for one has been notified of it once."""
    monkeypatch.setattr("actors.tenant.outbox.outcome_writer.backoff", lambda *_: 0.0)
    harness = OutboxHarness(tmp_path, monkeypatch)
    story = Story(harness, seed)
    try:
        for _ in range(40):
            story.step()
        story.end_well()
        committed = harness.rows("SELECT key, name FROM parcels ORDER BY id")
        keys = [key for key, _ in committed]
        heard = harness.heard()
        halfway = harness.rows("SELECT key FROM tenantry_outbox")
    finally:
        harness.close()

    assert "never" not in {name for _, name in committed}
    assert story.acknowledged <= set(keys)
    assert {message.key for message in story.seen} == set(keys)
    told = [(key, True) for key, name in committed if name.startswith("heard")]
    assert sorted(heard) == sorted(told)
    in_order = [key for key, name in committed if name.endswith("ordered")]
    seen = dict.fromkeys(message.key for message in story.seen)
    assert [key for key in seen if key in set(in_order)] == in_order
    assert halfway == []
