"""Tries of strangers: each is recorded or counted, and never too many are recorded."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from actors.admin.console.throttle import MAX_RECORDED, WINDOW_SECONDS, AttemptLog
from actors.log.messages import ACTION, AuditEntry
from transport.request.model import Request

TRY = Request(id="r1", action="tenants.list", tenant="acme", params={"anything": "at all"})


def tries_in(entry: AuditEntry) -> int:
    """How many tries a record reports."""
    found = re.match(r"\d+", str(entry.message))
    return 1 if entry.kind == ACTION or found is None else int(found[0])


@given(st.lists(st.floats(0, 30), max_size=300))
def test_every_try_is_told_of_and_few_have_a_record_of_their_own(pauses: list[float]) -> None:
    """Whatever the pauses: in any window's time at most twice the number, as two windows may touch it."""
    attempts = AttemptLog()
    now = 0.0
    entries: list[tuple[float, AuditEntry]] = []
    for pause in pauses:
        now += pause
        entries += [(now, entry) for entry in attempts.record(TRY, "0" * 32, now)]
    entries += [(now, entry) for entry in attempts.flushed()]

    assert sum(tries_in(entry) for _, entry in entries) == len(pauses)
    for start, _ in entries:
        within = [
            entry
            for at, entry in entries
            if start <= at < start + WINDOW_SECONDS and entry.kind == ACTION
        ]
        assert len(within) <= 2 * MAX_RECORDED


def test_a_record_has_what_was_tried_and_nothing_that_a_stranger_can_fill() -> None:
    """Names are short; params are not."""
    (entry,) = AttemptLog().record(TRY, "0" * 32, 0.0)
    assert (entry.action, entry.tenant, entry.tenant_id) == ("tenants.list", "acme", None)
    assert (entry.request_id, entry.trace_id) == ("r1", "0" * 32)
    assert entry.params is None


def test_counting_starts_anew_after_it_was_recorded() -> None:
    """No try is told of twice."""
    attempts = AttemptLog()
    for _ in range(MAX_RECORDED + 3):
        attempts.record(TRY, "0" * 32, 0.0)
    assert attempts.pending == 3
    assert [tries_in(entry) for entry in attempts.flushed()] == [3]
    assert (attempts.pending, attempts.flushed()) == (0, [])
