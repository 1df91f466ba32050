"""Replies by the ids of their requests, in the transaction of what they report."""

from __future__ import annotations

import sqlite3
import time

import pytest

from actors.tenant.database.database import TenantDatabase
from tests.actors.tenant.library_application import Library


def test_a_reply_is_found_by_caller_and_id(tenant: TenantDatabase) -> None:
    tenant.replies.store("t_1", "a", b"digest", b"reply", time.time())
    assert tenant.replies.find("t_1", "a") == (b"digest", b"reply")
    assert tenant.replies.find("t_2", "a") is None
    assert tenant.replies.find("t_1", "b") is None


def test_a_reply_that_was_stored_for_a_token_is_found_for_its_person(library: Library) -> None:
    """In a file of before: by now a person's replies are stored for the person."""
    tenant_id = library.create()
    former = library.open(tenant_id)
    former.begin()
    former.replies.store("t_1", "a", b"digest", b"reply", time.time())
    former.commit()
    former.close()
    tenant = library.open(tenant_id)
    tenant.begin()
    assert tenant.replies.find("p_1", "a", "t_1") == (b"digest", b"reply")
    assert tenant.replies.find("p_1", "a", "t_2") is None


def test_a_reply_stands_and_falls_with_its_transaction(tenant: TenantDatabase) -> None:
    tenant.begin_savepoint()
    tenant.replies.store("t_1", "a", b"digest", b"reply", time.time())
    tenant.rollback_to()
    assert tenant.replies.find("t_1", "a") is None


def test_an_id_is_remembered_once(tenant: TenantDatabase) -> None:
    tenant.replies.store("t_1", "a", b"digest", b"reply", time.time())
    with pytest.raises(sqlite3.IntegrityError):
        tenant.replies.store("t_1", "a", b"other", b"other", time.time())


def test_old_replies_are_forgotten_oldest_first_and_a_few_at_a_time(tenant: TenantDatabase) -> None:
    for moment in range(100):
        tenant.replies.store("t_1", f"id-{moment}", b"d", b"r", moment)
    assert tenant.replies.delete_before(50, most=30) == 30
    assert tenant.replies.find("t_1", "id-29") is None
    assert tenant.replies.find("t_1", "id-30") is not None
    assert tenant.replies.delete_before(50, most=30) == 20
    assert tenant.replies.delete_before(50, most=30) == 0
    assert tenant.replies.find("t_1", "id-50") is not None


def test_a_clock_that_jumped_back_loses_no_younger_reply(tenant: TenantDatabase) -> None:
    tenant.replies.store("t_1", "from the future", b"d", b"r", 9_000)
    tenant.replies.store("t_1", "old", b"d", b"r", 10)
    assert tenant.replies.delete_before(1_000) == 1
    assert tenant.replies.find("t_1", "from the future") is not None
