"""An address past its rate: its refusals are late, and nothing else is."""

from __future__ import annotations

import asyncio

import pytest

from transport.gateway.admission import LATE_SECONDS, AddressAdmission
from transport.gateway.http_request import Scope
from transport.gateway.proxies import TrustedProxies
from transport.gateway.statuses import HttpRefusal
from transport.message import RESOURCE_EXHAUSTED

SCOPE: Scope = {"headers": [], "client": ("203.0.113.7", 1024)}


def test_refusals_of_an_address_past_its_rate_are_late(monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []

    async def wait(seconds: float) -> None:
        waits.append(seconds)

    monkeypatch.setattr(asyncio, "sleep", wait)
    admission = AddressAdmission(1.0, TrustedProxies(()))

    async def flood() -> HttpRefusal:
        for _ in range(10):
            try:
                await admission.admit(SCOPE, None)
            except HttpRefusal as refused:
                return refused
            assert waits == []
        raise AssertionError("ten requests at once were within a rate of one a second")

    refused = asyncio.run(flood())
    assert refused.refusal.code == RESOURCE_EXHAUSTED
    assert waits == [LATE_SECONDS]
    other: Scope = {**SCOPE, "client": ("203.0.113.8", 1024)}
    assert asyncio.run(admission.admit(other, None)) == "203.0.113.8"
    assert waits == [LATE_SECONDS]
