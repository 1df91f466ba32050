"""The gate to the admin console: what one tenant sends beyond its rate does not reach the console."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from actors.edge.administration import BURST, MOST_TENANTS, RATE, AdministrationGate
from actors.errors import ResourceExhausted
from actors.messages import TenantRecord
from tests.actors.mailbox_harness import Watch
from tests.actors.router_harness import ACME, GLOBEX
from tests.actors.tenant_messages import work


def test_past_its_burst_a_tenant_waits_and_another_does_not() -> None:
    console = Watch()
    gate, asked = AdministrationGate(console), work("r-1", Watch())
    for _ in range(int(BURST)):
        gate.forward(ACME, asked)
    with pytest.raises(ResourceExhausted, match=r"contacts\.get and its like 10 times") as refused:
        gate.forward(ACME, asked)
    assert refused.value.refusal.retry_after_ms == 1000 / RATE
    gate.forward(GLOBEX, asked)
    assert console.heard() == [asked] * (int(BURST) + 1)
    gate.forward(ACME, replace(asked, received=1 / RATE))
    assert len(console.heard()) == 1


def test_who_waits_is_kept_however_many_tenants_there_are() -> None:
    """Those whose budget is full again are forgotten."""
    gate, asked = AdministrationGate(Watch()), work("r-1", Watch())
    late = replace(asked, received=2 * BURST / RATE)
    for at in range(MOST_TENANTS - 1):
        gate.forward(TenantRecord(f"t{at}", f"{at:032x}"), asked)
    for _ in range(int(BURST)):
        gate.forward(ACME, late)
    gate.forward(GLOBEX, late)
    with pytest.raises(ResourceExhausted):
        gate.forward(ACME, late)
