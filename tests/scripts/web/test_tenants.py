"""The list of tenants: pages from the server, and an address that says what is shown."""

from __future__ import annotations

import pytest

from tests.scripts.web.conftest import People, Person, text_of


@pytest.fixture(scope="module", autouse=True)
def _tenants(people: People) -> None:
    """More than one page."""
    for number in range(55):
        people.call(
            people.admin,
            "tenants.create",
            name=f"many-{number:03}",
            owner={"name": "Ada"},
            token=False,
        )
    people.call(people.admin, "tenants.suspend", "many-007", reason="unpaid")


def test_a_page_ends_with_the_way_to_the_next(admin: Person) -> None:
    first = admin.page("/tenants?after=man")
    assert "many-049" in first
    assert "many-050" not in first
    second = admin.page("/tenants?after=many-049")
    assert "many-054" in second
    assert 'href="/tenants?after=many-049"' in first
    assert "First page" in second


def test_it_shows_those_that_begin_so(admin: Person) -> None:
    found = admin.page("/tenants?prefix=many-00")
    assert "many-009" in found
    assert "many-010" not in found
    assert "acme" not in text_of(found)


def test_it_shows_those_of_one_status_and_why(admin: Person) -> None:
    found = text_of(admin.page("/tenants?status=suspended"))
    assert "many-007" in found
    assert "unpaid" in found
    assert "many-008" not in found


def test_what_the_server_refuses_is_said_on_the_page(admin: Person) -> None:
    assert "invalid_argument" in text_of(admin.page("/tenants?status=nonsense"))


def test_no_tenant_is_like_that(admin: Person) -> None:
    assert "No tenant is like that" in admin.page("/tenants?prefix=zz")


def test_an_owner_has_no_list_of_tenants(owner: Person) -> None:
    answer = owner.get("/tenants")
    assert answer.status_code == 403
    assert "many-001" not in answer.text
