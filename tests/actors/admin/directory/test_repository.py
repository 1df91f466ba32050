"""What the parts of the Directory share: small pages, times, ids; and what a start reads of all tenants."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine, event

from actors.admin import messages as m
from actors.admin.connector_messages import ConfigureConnector
from actors.admin.directory.repository import (
    MAX_PAGE_BYTES,
    Result,
    actor_label,
    format_time,
    new_id,
    page,
)
from actors.host.clocks import rfc3339
from actors.messages import DirectoryChanged, Principal, PublishAll
from tests.actors.admin.directory_harness import CONSOLE, DirectoryHarness
from tests.actors.mailbox_harness import Watch

FIRST = datetime(1, 1, 1, tzinfo=UTC).timestamp()
LAST = datetime(9999, 12, 31, tzinfo=UTC).timestamp()


def rows(sizes: list[int]) -> Iterator[tuple[str, Result]]:
    """With keys that sort, each as large as given."""
    return ((f"{number:04}", {"text": "x" * size}) for number, size in enumerate(sizes))


@given(st.lists(st.integers(0, 2 * MAX_PAGE_BYTES), max_size=40), st.integers(1, 20))
def test_pages_are_small_and_leave_nothing_out(sizes: list[int], limit: int) -> None:
    """One after the other they are all rows; each has one at least, and more only as long as they fit."""
    everything = list(rows(sizes))
    after: str | None = ""
    found: list[Result] = []
    while after is not None:
        left = (row for row in everything if row[0] > str(after))
        listed, after = page(left, limit)
        assert len(listed) <= limit
        assert len(listed) >= (1 if after is not None else 0)
        assert len(listed) <= 1 or sum(len(json.dumps(row)) for row in listed) <= MAX_PAGE_BYTES
        found += listed
    assert found == [row for _, row in everything]


@given(st.floats(FIRST, LAST))
def test_every_second_of_ten_thousand_years_is_shown_as_rfc_3339_has_it(seconds: float) -> None:
    """In UTC, with four digits for the year, whole seconds."""
    text = rfc3339(seconds, "seconds")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", text)
    assert abs(datetime.fromisoformat(text).timestamp() - seconds) <= 1


def test_what_is_not_there_is_shown_as_null() -> None:
    """And what is there as a time."""
    assert format_time(None) is None
    assert format_time(0.9) == "1970-01-01T00:00:00Z"


@pytest.mark.parametrize("kind", ["p", "t", "g"])
def test_ids_say_what_they_are_of(kind: str) -> None:
    """And nothing more: 64 random bits."""
    ids = {new_id(kind) for _ in range(100)}
    assert len(ids) == 100
    assert all(re.fullmatch(kind + "_[0-9a-f]{16}", each) for each in ids)


def test_history_names_the_person_or_whose_nobody_it_was() -> None:
    """The console's and the machine's orders are no person's."""
    assert actor_label(Principal("t_1", "acme", "owner", person="p_1")) == "p_1"
    assert actor_label(Principal("console", None, "console")) == "console"


# What a start reads, of all tenants at once


def make_tenants(directory: DirectoryHarness, prefix: str = "") -> list[str]:
    """Tenants of which each has something of its own; return their ids."""
    recorded: dict[str, tuple[Any, ...]] = {
        "configured": (
            m.PatchConfig("configured", {"settings": {"a": [1, {"b": 2}]}}, 0),
            m.PatchConfig("configured", {"settings": {"a": None}}, 1),
        ),
        "limited": (m.SetLimits("limited", {"database_bytes": 1 << 30, "mailbox": 9}),),
        "subscribed": (
            m.SetSubscription("subscribed", "mail", None, None),
            m.SetSubscription("subscribed", "letters", 5.0, None),
        ),
        "testing": (m.EnrolTester("testing", "notes.add"), m.EnrolTester("testing", "marks.add")),
        "connected": (ConfigureConnector("connected", "mail", {"host": "mail.example"}),),
        "disconnected": (
            ConfigureConnector("disconnected", "mail", {"host": "mail.example"}),
            ConfigureConnector("disconnected", "mail", None),
        ),
        "suspended": (m.SuspendTenant("suspended", "unpaid"),),
        "plain": (),
    }
    for name, commands in recorded.items():
        directory.tenant(prefix + name)
        for command in commands:
            directory.execute(command._replace(tenant=prefix + name))
    return [directory.known.tenants[prefix + name].id for name in recorded]


@contextmanager
def statements() -> Iterator[list[str]]:
    """The SQL that any engine runs meanwhile."""
    found: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        found.append(statement)

    event.listen(Engine, "before_cursor_execute", note)
    try:
        yield found
    finally:
        event.remove(Engine, "before_cursor_execute", note)


def test_a_start_finds_each_profile_as_its_changes_left_it(directory: DirectoryHarness) -> None:
    """A change reads the profile of one tenant, a start those of all."""
    ids = make_tenants(directory)
    before = {id_: directory.profiles.of(id_) for id_ in ids}
    assert len({repr(each) for each in before.values()}) == len(ids) - 1  # plain and disconnected
    directory.restart()
    assert {id_: directory.profiles.of(id_) for id_ in ids} == before


def test_a_start_asks_as_many_questions_for_many_tenants_as_for_few(
    directory: DirectoryHarness,
) -> None:
    make_tenants(directory)
    with statements() as few:
        directory.restart()
    for number in range(3):
        make_tenants(directory, f"m{number}-")
    with statements() as many:
        directory.restart()
    assert len(many) == len(few)
    assert sum("FROM tokens JOIN people" in each for each in many) == 1


def test_subscribers_that_start_together_share_one_reading(directory: DirectoryHarness) -> None:
    """Each asks as it starts; they get one object between them, of which each keeps its own view."""
    directory.tenant()
    first, second = Watch(), Watch()
    with statements() as asked:
        for watch in (first, second):
            directory.mailbox.tell(PublishAll(watch))
        changes = [first.hear(), second.hear()]
    assert changes[0] is changes[1]
    assert sum("FROM tokens JOIN people" in each for each in asked) == 1


@pytest.mark.parametrize(
    "between", [m.PurgeExpired(), m.Execute(m.AddMember("acme", "Joan", None), CONSOLE, None)]
)
def test_a_snapshot_is_not_sent_again_once_anything_else_was_asked(
    directory: DirectoryHarness, between: object
) -> None:
    directory.tenant()
    watch = Watch()
    directory.mailbox.tell(PublishAll(watch))
    before = watch.hear()
    directory.mailbox.tell(between)
    directory.mailbox.tell(PublishAll(watch))
    assert watch.hear() is not before


def test_what_many_tokens_have_in_common_is_kept_once(directory: DirectoryHarness) -> None:
    """Of 100,000 tenants each has a name, a role, areas and a status: a copy for each took 20 MiB."""
    ada = directory.tenant()
    directory.tenant("globex")
    for tenant in ("acme", "globex"):
        directory.owner("config", "members", tenant=tenant)
    watch = Watch()
    directory.sweep()
    directory.mailbox.tell(PublishAll(watch))
    change = watch.hear()
    assert isinstance(change, DirectoryChanged)
    principals = [token.principal for token in change.tokens]
    assert ada in principals
    owners = [each for each in principals if each.areas == {"config", "members"}]
    assert len(owners) == 2
    assert len({id(each.areas) for each in owners}) == 1
    assert len({id(each.role) for each in owners}) == 1
    assert len({id(tenant.status) for tenant in change.tenants}) == 1
    names = {id(tenant.name) for tenant in change.tenants}
    assert all(id(name(each)) in names for each in principals if each.tenant is not None)


def name(principal: Principal) -> object:
    """The name of its tenant, as an object."""
    return principal.tenant
