"""Who may begin: fair between tenants, bounded for all and for one."""

from __future__ import annotations

import pytest

from actors.connectors.engine.calls import CallQueue, OperationCall
from actors.errors import ResourceExhausted
from actors.index.entries import ConcurrencyLimits
from tests.actors.connectors.calls import call


def begun(queue: CallQueue) -> list[OperationCall]:
    """All that may begin now."""
    found = []
    while (each := queue.next()) is not None:
        found.append(each)
    return found


def tenants(calls: list[OperationCall]) -> list[str]:
    """Whose they are."""
    return [each.request.tenant.name for each in calls]


def test_tenants_come_round_in_turn_however_many_calls_one_has() -> None:
    queue = CallQueue("echo", ConcurrencyLimits(at_once=4, of_one=4))
    for tenant in ("acme",) * 6 + ("globex", "initech"):
        queue.enqueue(call(tenant))
    assert tenants(begun(queue)) == ["acme", "globex", "initech", "acme"]
    assert len(queue) == 4


def test_one_tenant_leaves_room_for_others() -> None:
    queue = CallQueue("echo", ConcurrencyLimits(at_once=10, of_one=2))
    for tenant in ("acme",) * 5 + ("globex",):
        queue.enqueue(call(tenant))
    first = begun(queue)
    assert tenants(first) == ["acme", "globex", "acme"]
    queue.end(first[0])
    assert tenants(begun(queue)) == ["acme"]


def test_what_finds_no_room_is_refused_with_when_to_come_again() -> None:
    queue = CallQueue("echo", ConcurrencyLimits(waiting=3, waiting_of_one=2))
    queue.enqueue(call("acme"))
    queue.enqueue(call("acme"))
    with pytest.raises(ResourceExhausted, match="of tenant acme") as refused:
        queue.enqueue(call("acme"))
    assert refused.value.refusal.retry_after_ms
    queue.enqueue(call("globex"))
    with pytest.raises(ResourceExhausted, match="3 calls wait"):
        queue.enqueue(call("initech"))


def test_who_waits_no_longer_leaves_its_place() -> None:
    queue = CallQueue("echo", ConcurrencyLimits(waiting_of_one=1))
    waiting = call("acme")
    queue.enqueue(waiting)
    queue.remove(waiting)
    assert len(queue) == 0
    queue.enqueue(call("acme"))
    assert len(queue.drain()) == 1
    assert begun(queue) == []
