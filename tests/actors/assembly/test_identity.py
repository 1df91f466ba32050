"""A data directory is served by what it was served with before, or not at all."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from actors.assembly.identity import FILE, Identity, identity_of, is_audited, note, require_own
from actors.errors import SettingsError

ACTIONS = ("orders.place", "orders.find", "stock.count")

SHOP = Identity("/shop/registry.toml", "hosted-live", ACTIONS)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """The shop's data directory."""
    note(tmp_path, SHOP)
    return tmp_path


def test_a_directory_that_says_nothing_is_anybodys(tmp_path: Path) -> None:
    """A new one, one of older code, and one that is not there."""
    require_own(tmp_path, SHOP)
    require_own(tmp_path / "nowhere", SHOP)


def test_its_own_index_is_served_also_when_it_was_moved_and_edited(data: Path) -> None:
    """What counts are the names of the actions: at least half of them are there."""
    require_own(data, SHOP)
    require_own(data, SHOP._replace(registry="/shop-2/registry.toml"))
    require_own(data, SHOP._replace(actions=(*ACTIONS[:2], "orders.cancel", "orders.refund")))


@pytest.mark.parametrize(
    "other",
    [
        Identity("/desk/registry.toml", "hosted-live", ("contacts.add", "contacts.find")),
        Identity("/shop/registry.toml", "hosted-live", ("contacts.add", *ACTIONS[:1])),
        Identity("/shop/registry.toml", "hosted-live", ()),
        SHOP._replace(environment="local-dev"),
    ],
    ids=["another index", "most of it gone", "nothing in it", "another environment"],
)
def test_another_index_or_environment_is_refused_with_what_was_found(
    data: Path, other: Identity
) -> None:
    """Both are named, and the ways on."""
    with pytest.raises(SettingsError) as refused:
        require_own(data, other)
    for word in (str(data), *SHOP[:2], *other[:2], "--registry", "--environment", "--adopt"):
        assert word in str(refused.value)


def test_it_is_noted_for_the_servers_user_alone_and_anew_when_it_changes(data: Path) -> None:
    """So that an index may grow by steps into another one."""
    assert (data / FILE).stat().st_mode & 0o777 == 0o600
    note(data, SHOP._replace(actions=(*ACTIONS, "a.b", "c.d", "e.f", "g.h")))
    require_own(data, SHOP._replace(actions=("a.b", "c.d", "e.f", "g.h")))


@pytest.mark.parametrize("content", ["", "{}", "[]", '{"registry": 1, "environment": 2}', "\0"])
def test_a_note_that_is_none_is_no_permission(data: Path, content: str) -> None:
    """It is refused, with the way on."""
    (data / FILE).write_text(content)
    with pytest.raises(SettingsError, match="--adopt"):
        require_own(data, SHOP)


def test_an_admin_log_that_was_begun_stays_so_and_a_damaged_note_is_written_anew(
    data: Path,
) -> None:
    """Each start notes the index first, before it has looked at the log."""
    assert not is_audited(data)
    note(data, SHOP._replace(audited=True))
    note(data, SHOP._replace(registry="/shop-2/registry.toml"))
    assert is_audited(data)
    (data / FILE).write_text("{")
    assert not is_audited(data)
    note(data, SHOP)
    require_own(data, SHOP)


def test_an_index_is_known_by_its_actions(tmp_path: Path) -> None:
    """One that cannot be read is left to its reader, which says what is wrong."""
    index = tmp_path / "registry.toml"
    index.write_text('[actions."b.c"]\n[actions."a.b"]\n')
    assert identity_of(index, "local-qa") == Identity(str(index), "local-qa", ("a.b", "b.c"))
    for broken in ("[", "\udcff"):
        index.write_bytes(broken.encode(errors="surrogateescape"))
        assert identity_of(index, "local-qa") is None
    assert identity_of(tmp_path / "nowhere", "local-qa") is None


def test_what_is_noted_can_be_read_by_a_person(data: Path) -> None:
    """As JSON."""
    assert json.loads((data / FILE).read_text())["environment"] == "hosted-live"


def test_states_that_were_kept_with_the_data_are_not_begun_anew_in_silence(tmp_path: Path) -> None:
    """The index may say something older of a version."""
    served = SHOP._replace(states="data")
    note(tmp_path, served)
    with pytest.raises(SettingsError, match=r"states\.json is gone.*--adopt"):
        require_own(tmp_path, served)
    (tmp_path / "states.json").write_text("{}")
    require_own(tmp_path, served)
