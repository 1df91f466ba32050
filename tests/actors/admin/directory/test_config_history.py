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
from actors.profiles import DEFAULT_PROFILE
from actors.schema.schema import Schema
from tests.actors.admin.directory_harness import DirectoryHarness
from tests.raw_client import Map

FIRST = {"settings": {"desk": {"size": 1, "tags": ["a"]}}, "whitelabel": {"product_name": "Desk"}}


def patch(directory: DirectoryHarness, patch: Map, revision: int, **by: Any) -> Map:
    """The config afterwards."""
    config = directory.execute(PatchConfig("acme", patch, revision), **by)["config"]
    assert isinstance(config, dict)
    return config


def shown(directory: DirectoryHarness, revision: int | None = None) -> Map:
    """The config, as it is or as it was."""
    config = directory.ask(ShowConfig("acme", revision))["config"]
    assert isinstance(config, dict)
    return config


def test_at_first_it_is_empty_and_nobody_s(directory: DirectoryHarness) -> None:
    """Revision 0."""
    directory.tenant()
    empty = {
        "revision": 0,
        "settings": {},
        "whitelabel": {},
        "changed_at": None,
        "changed_by": None,
    }
    assert shown(directory) == shown(directory, 0) == empty
    assert directory.ask(ListConfigs("acme", None, 50)) == {"revisions": [], "next": None}


def test_a_patch_makes_a_revision_that_names_who_and_when(directory: DirectoryHarness) -> None:
    """The old ones can still be read, each as it was."""
    ada, owner = directory.tenant(), directory.owner("config")
    first = patch(directory, FIRST, 0, by=ada)
    assert first == {
        "revision": 1,
        **FIRST,
        "changed_at": "2030-03-17T17:46:40Z",
        "changed_by": ada.person,
    }
    directory.now += 60
    second = patch(directory, {"whitelabel": {"product_name": None, "locale": "de"}}, 1, by=owner)
    assert second["whitelabel"] == {"locale": "de"}
    assert second["settings"] == FIRST["settings"]
    assert (second["changed_by"], second["changed_at"]) == (owner.person, "2030-03-17T17:47:40Z")
    assert shown(directory) == shown(directory, 2) == second
    assert shown(directory, 1) == first
    assert patch(directory, {"settings": None}, 2)["changed_by"] == "console"


def test_of_two_patches_for_one_revision_the_second_is_aborted(directory: DirectoryHarness) -> None:
    """It says where the config is now, and changes nothing; so does one for a revision yet to come."""
    directory.tenant()
    patch(directory, FIRST, 0)
    for revision in (0, 2):
        for command in (
            PatchConfig("acme", {"settings": {}}, revision),
            RevertConfig("acme", 0, revision),
        ):
            error = directory.refusal(command)
            assert isinstance(error, Aborted)
            assert "at revision 1" in str(error)
    assert shown(directory)["revision"] == 1


def test_whoever_reads_the_snapshot_has_the_change_before_the_answer(
    directory: DirectoryHarness,
) -> None:
    """Frozen at every depth."""
    directory.tenant()
    tenant_id = directory.known.tenants["acme"].id
    assert directory.profiles.of(tenant_id) == DEFAULT_PROFILE
    patch(directory, FIRST, 0)
    config = directory.profiles.of(tenant_id).config
    assert config.revision == 1
    assert config.settings == {"desk": {"size": 1, "tags": ("a",)}}
    assert config.whitelabel == {"product_name": "Desk"}
    assert isinstance(config.settings["desk"], MappingProxyType)
    assert directory.changes() == []  # channels need not be notified of it


def test_what_the_schema_does_not_allow_is_refused_by_field(directory: DirectoryHarness) -> None:
    """Nothing is kept of it, nor published."""
    directory.tenant()
    error = directory.refusal(
        PatchConfig("acme", {"whitelabel": {"product_name": "<b>Desk</b>", "colour": "red"}}, 0)
    )
    assert isinstance(error, InvalidArgument)
    assert [each.field for each in error.refusal.details] == ["params.patch.whitelabel.colour"]
    assert shown(directory)["revision"] == 0
    assert directory.profiles.of(directory.known.tenants["acme"].id) == DEFAULT_PROFILE


def test_a_revert_makes_a_new_revision_of_an_old_one(directory: DirectoryHarness) -> None:
    """Also of the empty one; history goes on."""
    ada = directory.tenant()
    patch(directory, FIRST, 0)
    patch(directory, {"settings": {"more": True}}, 1)
    reverted = directory.execute(RevertConfig("acme", 1, 2), by=ada)["config"]
    assert (reverted["revision"], reverted["changed_by"]) == (3, ada.person)
    assert {part: reverted[part] for part in FIRST} == FIRST
    emptied = directory.execute(RevertConfig("acme", 0, 3))["config"]
    assert (emptied["revision"], emptied["settings"], emptied["whitelabel"]) == (4, {}, {})
    assert directory.profiles.of(directory.known.tenants["acme"].id).config.revision == 4


def test_what_may_no_longer_be_said_is_not_reverted_to(directory: DirectoryHarness) -> None:
    """The index has changed since; what is said now stays, and can still be read and patched."""
    directory.tenant()
    patch(directory, {"settings": {"a": 1}}, 0)
    patch(directory, {"settings": {"a": "text"}}, 1)
    texts = Schema.build("settings", {"properties": {"a": {"type": "string"}}})
    config = directory.snapshot.current.config._replace(settings=texts)
    directory.snapshot.current = directory.snapshot.current._replace(config=config)
    error = directory.refusal(RevertConfig("acme", 1, 2))
    assert isinstance(error, InvalidArgument)
    assert [each.field for each in error.refusal.details] == ["config.settings.a"]
    assert shown(directory, 1)["settings"] == {"a": 1}
    assert patch(directory, {"settings": {"a": "more"}}, 2)["revision"] == 3


def test_history_names_what_each_change_was(directory: DirectoryHarness) -> None:
    """The newest first, page by page; by the names of fields, never their values."""
    ada = directory.tenant()
    patch(directory, FIRST, 0, by=ada)
    patch(directory, {"settings": {"b": 1, "a": "secret"}, "whitelabel": None}, 1)
    patch(directory, {}, 2)
    directory.execute(RevertConfig("acme", 1, 3))
    page = directory.ask(ListConfigs("acme", None, 3))
    assert [(each["revision"], each["change"]) for each in page["revisions"]] == [
        (4, "revert to 1"),
        (3, "patch of nothing"),
        (2, "patch of settings.a, settings.b, whitelabel"),
    ]
    assert page["next"] == 2
    rest = directory.ask(ListConfigs("acme", page["next"], 3))
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


def test_the_newest_two_hundred_revisions_are_kept(directory: DirectoryHarness) -> None:
    """Of each tenant; what is older is not there, and numbers go on."""
    directory.tenant()
    directory.tenant("globex")
    directory.execute(PatchConfig("globex", FIRST, 0))
    for revision in range(202):
        patch(directory, {"settings": {"n": revision + 1}}, revision)
    page = directory.ask(ListConfigs("acme", None, 200))
    assert [each["revision"] for each in page["revisions"]] == list(range(202, 2, -1))
    assert page["next"] is None
    assert shown(directory, 3)["settings"] == {"n": 3}
    assert isinstance(directory.refusal(RevertConfig("acme", 2, 202)), NotFound)
    assert directory.execute(RevertConfig("acme", 3, 202))["config"]["settings"] == {"n": 3}
    assert directory.execute(RevertConfig("acme", 0, 203))["config"]["settings"] == {}
    assert directory.ask(ShowConfig("globex", 1))["config"]["revision"] == 1


def test_the_note_on_a_change_is_short(directory: DirectoryHarness) -> None:
    """However much was changed."""
    directory.tenant()
    patch(directory, {"settings": {f"field {number}": 1 for number in range(100)}}, 0)
    (revision,) = directory.ask(ListConfigs("acme", None, 1))["revisions"]
    assert len(revision["change"]) == 200


def test_a_revision_that_there_is_not_is_not_found(directory: DirectoryHarness) -> None:
    """Neither shown nor reverted to; nor is one of another tenant."""
    directory.tenant()
    directory.tenant("globex")
    directory.execute(PatchConfig("globex", FIRST, 0))
    assert isinstance(directory.refusal(RevertConfig("acme", 1, 0)), NotFound)
    with pytest.raises(NotFound, match=r"config\.history"):
        shown(directory, 1)
    assert shown(directory)["revision"] == 0


def test_a_tenant_that_there_is_not_is_not_found(directory: DirectoryHarness) -> None:
    """Whatever is asked of it."""
    for command in (PatchConfig("nowhere", {}, 0), RevertConfig("nowhere", 0, 0)):
        assert isinstance(directory.refusal(command), NotFound)
    for question in (ShowConfig("nowhere", None), ListConfigs("nowhere", None, 50)):
        with pytest.raises(NotFound):
            directory.ask(question)


def test_of_a_tenant_to_be_deleted_it_can_only_be_read(directory: DirectoryHarness) -> None:
    """Until the deletion is called off."""
    directory.tenant()
    patch(directory, FIRST, 0)
    directory.execute(DeleteTenant("acme", 30, "over"))
    for command in (PatchConfig("acme", {}, 1), RevertConfig("acme", 0, 1)):
        assert isinstance(directory.refusal(command), FailedPrecondition)
    assert shown(directory)["revision"] == 1


def test_the_next_incarnation_publishes_it_again(directory: DirectoryHarness) -> None:
    """From the file; what the last one published of others that are no more is forgotten."""
    directory.tenant()
    patch(directory, FIRST, 0)
    tenant_id = directory.known.tenants["acme"].id
    before = directory.profiles.of(tenant_id)
    directory.profiles.forget(tenant_id)
    directory.profiles.publish("f" * 32, before)
    directory.restart()
    assert directory.profiles.of(tenant_id) == before
    assert directory.profiles.of("f" * 32) == DEFAULT_PROFILE
