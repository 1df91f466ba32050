"""A tenant's config: each revision kept with who and when, changed for the revision that it was made for."""

from __future__ import annotations

from types import MappingProxyType
from typing import Any

import pytest

from actors.admin.messages import (
    DeleteTenant,
    ListConfigs,
    PatchConfig,
    RevertConfig,
    ShowConfig,
)
from actors.errors import Aborted, FailedPrecondition, InvalidArgument, NotFound
from actors.profiles import UNREMARKABLE
from actors.schema.schema import Schema
from tests.actors.admin.directory_harness import TownHall
from tests.wire import Map

FIRST = {"settings": {"desk": {"size": 1, "tags": ["a"]}}, "whitelabel": {"product_name": "Desk"}}


def patch(town: TownHall, patch: Map, revision: int, **by: Any) -> Map:
    """The config afterwards."""
    config = town.order(PatchConfig("acme", patch, revision), **by)["config"]
    assert isinstance(config, dict)
    return config


def shown(town: TownHall, revision: int | None = None) -> Map:
    """The config, as it is or as it was."""
    config = town.ask(ShowConfig("acme", revision))["config"]
    assert isinstance(config, dict)
    return config


def test_at_first_it_is_empty_and_nobody_s(town: TownHall) -> None:
    """Revision 0."""
    town.tenant()
    empty = {
        "revision": 0,
        "settings": {},
        "whitelabel": {},
        "changed_at": None,
        "changed_by": None,
    }
    assert shown(town) == shown(town, 0) == empty
    assert town.ask(ListConfigs("acme", None, 50)) == {"revisions": [], "next": None}


def test_a_patch_makes_a_revision_that_names_who_and_when(town: TownHall) -> None:
    """The old ones can still be read, each as it was."""
    ada, owner = town.tenant(), town.owner("config")
    first = patch(town, FIRST, 0, by=ada)
    assert first == {
        "revision": 1,
        **FIRST,
        "changed_at": "2030-03-17T17:46:40Z",
        "changed_by": ada.person,
    }
    town.now += 60
    second = patch(town, {"whitelabel": {"product_name": None, "locale": "de"}}, 1, by=owner)
    assert second["whitelabel"] == {"locale": "de"}
    assert second["settings"] == FIRST["settings"]
    assert (second["changed_by"], second["changed_at"]) == (owner.person, "2030-03-17T17:47:40Z")
    assert shown(town) == shown(town, 2) == second
    assert shown(town, 1) == first
    assert patch(town, {"settings": None}, 2)["changed_by"] == "console"


def test_of_two_patches_for_one_revision_the_second_is_aborted(town: TownHall) -> None:
    """It says where the config is now, and changes nothing; so does one for a revision yet to come."""
    town.tenant()
    patch(town, FIRST, 0)
    for revision in (0, 2):
        for command in (
            PatchConfig("acme", {"settings": {}}, revision),
            RevertConfig("acme", 0, revision),
        ):
            error = town.refusal(command)
            assert isinstance(error, Aborted)
            assert "at revision 1" in str(error)
    assert shown(town)["revision"] == 1


def test_whoever_reads_the_snapshot_has_the_change_before_the_answer(town: TownHall) -> None:
    """Frozen at every depth."""
    town.tenant()
    tenant_id = town.known.tenants["acme"].id
    assert town.profiles.of(tenant_id) == UNREMARKABLE
    patch(town, FIRST, 0)
    config = town.profiles.of(tenant_id).config
    assert config.revision == 1
    assert config.settings == {"desk": {"size": 1, "tags": ("a",)}}
    assert config.whitelabel == {"product_name": "Desk"}
    assert isinstance(config.settings["desk"], MappingProxyType)
    assert town.changes() == []  # channels need not hear of it


def test_what_the_schema_does_not_allow_is_refused_by_field(town: TownHall) -> None:
    """Nothing is kept of it, nor published."""
    town.tenant()
    error = town.refusal(
        PatchConfig("acme", {"whitelabel": {"product_name": "<b>Desk</b>", "colour": "red"}}, 0)
    )
    assert isinstance(error, InvalidArgument)
    assert [each.field for each in error.refusal.details] == ["params.patch.whitelabel.colour"]
    assert shown(town)["revision"] == 0
    assert town.profiles.of(town.known.tenants["acme"].id) == UNREMARKABLE


def test_a_revert_makes_a_new_revision_of_an_old_one(town: TownHall) -> None:
    """Also of the empty one; history goes on."""
    ada = town.tenant()
    patch(town, FIRST, 0)
    patch(town, {"settings": {"more": True}}, 1)
    reverted = town.order(RevertConfig("acme", 1, 2), by=ada)["config"]
    assert (reverted["revision"], reverted["changed_by"]) == (3, ada.person)
    assert {part: reverted[part] for part in FIRST} == FIRST
    emptied = town.order(RevertConfig("acme", 0, 3))["config"]
    assert (emptied["revision"], emptied["settings"], emptied["whitelabel"]) == (4, {}, {})
    assert town.profiles.of(town.known.tenants["acme"].id).config.revision == 4


def test_what_may_no_longer_be_said_is_not_reverted_to(town: TownHall) -> None:
    """The index has changed since; what is said now stays, and can still be read and patched."""
    town.tenant()
    patch(town, {"settings": {"a": 1}}, 0)
    patch(town, {"settings": {"a": "text"}}, 1)
    texts = Schema.build("settings", {"properties": {"a": {"type": "string"}}})
    config = town.tables.current.config._replace(settings=texts)
    town.tables.current = town.tables.current._replace(config=config)
    error = town.refusal(RevertConfig("acme", 1, 2))
    assert isinstance(error, InvalidArgument)
    assert [each.field for each in error.refusal.details] == ["config.settings.a"]
    assert shown(town, 1)["settings"] == {"a": 1}
    assert patch(town, {"settings": {"a": "more"}}, 2)["revision"] == 3


def test_history_names_what_each_change_was(town: TownHall) -> None:
    """The newest first, page by page; by the names of fields, never their values."""
    ada = town.tenant()
    patch(town, FIRST, 0, by=ada)
    patch(town, {"settings": {"b": 1, "a": "secret"}, "whitelabel": None}, 1)
    patch(town, {}, 2)
    town.order(RevertConfig("acme", 1, 3))
    page = town.ask(ListConfigs("acme", None, 3))
    assert [(each["revision"], each["change"]) for each in page["revisions"]] == [
        (4, "revert to 1"),
        (3, "patch of nothing"),
        (2, "patch of settings.a, settings.b, whitelabel"),
    ]
    assert page["next"] == 2
    rest = town.ask(ListConfigs("acme", page["next"], 3))
    assert rest == {
        "revisions": [
            {
                "revision": 1,
                "changed_at": "2030-03-17T17:46:40Z",
                "changed_by": ada.person,
                "change": "patch of settings.desk, whitelabel.product_name",
            }
        ],
        "next": None,
    }


def test_the_newest_two_hundred_revisions_are_kept(town: TownHall) -> None:
    """Of each tenant; what is older is not there, and numbers go on."""
    town.tenant()
    town.tenant("globex")
    town.order(PatchConfig("globex", FIRST, 0))
    for revision in range(202):
        patch(town, {"settings": {"n": revision + 1}}, revision)
    page = town.ask(ListConfigs("acme", None, 200))
    assert [each["revision"] for each in page["revisions"]] == list(range(202, 2, -1))
    assert page["next"] is None
    assert shown(town, 3)["settings"] == {"n": 3}
    assert isinstance(town.refusal(RevertConfig("acme", 2, 202)), NotFound)
    assert town.order(RevertConfig("acme", 3, 202))["config"]["settings"] == {"n": 3}
    assert town.order(RevertConfig("acme", 0, 203))["config"]["settings"] == {}
    assert town.ask(ShowConfig("globex", 1))["config"]["revision"] == 1


def test_the_note_on_a_change_is_short(town: TownHall) -> None:
    """However much was changed."""
    town.tenant()
    patch(town, {"settings": {f"field {number}": 1 for number in range(100)}}, 0)
    (revision,) = town.ask(ListConfigs("acme", None, 1))["revisions"]
    assert len(revision["change"]) == 200


def test_a_revision_that_there_is_not_is_not_found(town: TownHall) -> None:
    """Neither shown nor reverted to; nor is one of another tenant."""
    town.tenant()
    town.tenant("globex")
    town.order(PatchConfig("globex", FIRST, 0))
    assert isinstance(town.refusal(RevertConfig("acme", 1, 0)), NotFound)
    with pytest.raises(NotFound, match=r"config\.history"):
        shown(town, 1)
    assert shown(town)["revision"] == 0


def test_a_tenant_that_there_is_not_is_not_found(town: TownHall) -> None:
    """Whatever is asked of it."""
    for command in (PatchConfig("nowhere", {}, 0), RevertConfig("nowhere", 0, 0)):
        assert isinstance(town.refusal(command), NotFound)
    for question in (ShowConfig("nowhere", None), ListConfigs("nowhere", None, 50)):
        with pytest.raises(NotFound):
            town.ask(question)


def test_of_a_tenant_to_be_deleted_it_can_only_be_read(town: TownHall) -> None:
    """Until the deletion is called off."""
    town.tenant()
    patch(town, FIRST, 0)
    town.order(DeleteTenant("acme", 30, "over"))
    for command in (PatchConfig("acme", {}, 1), RevertConfig("acme", 0, 1)):
        assert isinstance(town.refusal(command), FailedPrecondition)
    assert shown(town)["revision"] == 1


def test_the_next_incarnation_publishes_it_again(town: TownHall) -> None:
    """From the file; what the last one published of others that are no more is forgotten."""
    town.tenant()
    patch(town, FIRST, 0)
    tenant_id = town.known.tenants["acme"].id
    before = town.profiles.of(tenant_id)
    town.profiles.forget(tenant_id)
    town.profiles.publish("f" * 32, before)
    town.restart()
    assert town.profiles.of(tenant_id) == before
    assert town.profiles.of("f" * 32) == UNREMARKABLE
