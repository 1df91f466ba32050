"""The Waker: whose outbox is due is woken, a few at a time; anyone who is in, suspended or unknown is not."""

from __future__ import annotations

import errno
from collections.abc import Iterator

import pytest
from msgspec.structs import replace

from actors.messages import (
    SUSPENDED,
    DirectoryChanged,
    FindTenant,
    OutboxDue,
    TenantAddress,
    TenantRecord,
)
from actors.runtime.actor import Ping, ask
from actors.runtime.mailbox import Mailbox
from actors.tenant.outbox.waker import SCAN_EVERY, WAKES_AT_ONCE, OutboxWaker, Tick
from tests.actors.mailbox_harness import WAIT, Gate, MailboxHarness, Watch

ACME = TenantRecord("acme", "a" * 32)
GLOBEX = TenantRecord("globex", "b" * 32)


class Bedroom:
    """A Waker, the test in the Supervisor's place, and markers as a list."""

    def __init__(self) -> None:
        self.harness = MailboxHarness(threads=1)
        self.supervisor = Watch()
        self.markers: list[str] = []
        self.looks = 0
        self.trouble: OSError | None = None
        self.asked_for_everything = 0
        self.mailbox = self.harness.mailbox("waker")
        OutboxWaker.start(self.mailbox, self.supervisor, self._due, self._read)

    def _due(self, _now: float) -> list[str]:
        self.looks += 1
        if self.trouble is not None:
            raise self.trouble
        return list(self.markers)

    def _read(self) -> None:
        self.asked_for_everything += 1

    def told(self, *messages: object) -> list[str]:
        """Tell it; names of the tenants that it then looks for."""
        for message in messages:
            self.mailbox.tell(message)
        ask(self.mailbox, Ping(), WAIT)
        found = self.supervisor.heard()
        assert all(isinstance(each, FindTenant) for each in found)
        return [each.tenant.name for each in found]


@pytest.fixture
def bedroom() -> Iterator[Bedroom]:
    """Emptied at the end."""
    made = Bedroom()
    yield made
    made.harness.empty()


def everything(*tenants: TenantRecord) -> DirectoryChanged:
    """What the Directory says when it starts."""
    return DirectoryChanged(tenants=tenants, complete=True)


def test_those_with_a_marker_are_woken_once_the_directory_has_spoken(bedroom: Bedroom) -> None:
    """A marker whose tenant no one knows is no one's."""
    bedroom.markers = ["c" * 32, GLOBEX.id]
    assert bedroom.told(Tick()) == []
    assert bedroom.told(everything(ACME, GLOBEX), Tick()) == ["globex"]
    assert bedroom.asked_for_everything == 1


def test_only_some_are_woken_at_once(bedroom: Bedroom) -> None:
    """In the order of their dues."""
    tenants = [TenantRecord(f"t{n}", f"{n:032x}") for n in range(2 * WAKES_AT_ONCE + 1)]
    bedroom.markers = [tenant.id for tenant in tenants]
    bedroom.told(everything(*tenants))
    woken = [bedroom.told(Tick()) for _ in range(3)]
    assert [len(names) for names in woken] == [WAKES_AT_ONCE, WAKES_AT_ONCE, 1]
    assert [name for names in woken for name in names] == [tenant.name for tenant in tenants]


def test_a_suspended_tenant_sleeps_on_until_it_is_resumed(bedroom: Bedroom) -> None:
    """The Directory says so."""
    bedroom.markers = [ACME.id]
    assert bedroom.told(everything(replace(ACME, status=SUSPENDED)), Tick()) == []
    assert bedroom.told(DirectoryChanged(tenants=(ACME,)), Tick()) == ["acme"]
    bedroom.told(DirectoryChanged(forgotten=(ACME,)))
    assert bedroom.told(*[Tick()] * SCAN_EVERY) == []


def test_it_looks_again_now_and_then(bedroom: Bedroom) -> None:
    """For retries that are due by now."""
    bedroom.told(everything(ACME), Tick())
    bedroom.markers = [ACME.id]
    assert bedroom.told(*[Tick()] * SCAN_EVERY) == ["acme"]


def test_it_goes_on_where_no_descriptor_is_left_and_looks_again_at_the_next_tick(
    bedroom: Bedroom,
) -> None:
    """It is the same Waker: it has not asked for everything again."""
    bedroom.markers = [ACME.id]
    bedroom.trouble = OSError(errno.EMFILE, "Too many open files")
    assert bedroom.told(everything(ACME), Tick(), Tick()) == []
    bedroom.trouble = None
    assert bedroom.told(Tick()) == ["acme"]
    assert bedroom.asked_for_everything == 1


def test_whoever_is_in_and_was_suspended_is_told(bedroom: Bedroom) -> None:
    """His alarm does not ring for what he was not to do."""
    awake = Mailbox("awake", lambda _: None)
    awake.incarnation = Gate()
    bedroom.markers = [ACME.id]
    assert bedroom.told(DirectoryChanged(tenants=(ACME,)), Tick()) == ["acme"]
    bedroom.told(TenantAddress(ACME, awake), TenantAddress(ACME, awake))
    assert awake.get() == OutboxDue()
    assert awake.empty()


def test_whoever_is_in_is_left_alone(bedroom: Bedroom) -> None:
    """He has an alarm of his own, and being told would keep him from being idle."""
    asleep = Mailbox("asleep", lambda _: None)
    awake = Mailbox("awake", lambda _: None)
    awake.incarnation = Gate()
    stopping = Mailbox("stopping", lambda _: None)
    stopping.closing = 0.0
    for mailbox in (asleep, awake, stopping):
        bedroom.told(TenantAddress(ACME, mailbox))
    assert asleep.get() == OutboxDue()
    assert awake.empty()
    assert stopping.empty()
