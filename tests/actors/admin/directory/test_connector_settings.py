"""Settings for connectors: set, shown without secrets, encrypted in the file and bound to their row."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
import structlog

from actors.admin.connector_messages import ConfigureConnector, ShowConnector
from actors.admin.directory.store import holds_sealed
from actors.admin.messages import DeleteTenant
from actors.admin.secrets import Vault
from actors.errors import (
    ActionError,
    FailedPrecondition,
    InvalidArgument,
    NotFound,
    Unavailable,
)
from actors.messages import Retired
from actors.profiles import ConnectorSettings
from actors.runtime.futures import settle
from tests.actors.admin.directory_harness import CONSOLE, KEY, TownHall, receipt, table
from tests.wire import Map

NEEDLE = "hunter2-XYZZY"

OTHER_KEY = b"\xff" * 32

MAIL = {"host": "mail.example.com", "password": NEEDLE}


def configure(town: TownHall, tenant: str = "acme", /, **settings: Any) -> Map:
    """What is answered to a patch of mail's."""
    answer = town.order(ConfigureConnector(tenant, "mail", settings))["connector"]
    assert isinstance(answer, dict)
    assert NEEDLE not in repr(answer)
    return answer


def shown(town: TownHall, connector: str = "mail", tenant: str = "acme") -> Map:
    """What an owner sees."""
    answer = town.ask(ShowConnector(tenant, connector))["connector"]
    assert isinstance(answer, dict)
    assert NEEDLE not in repr(answer)
    return answer


def refused(
    town: TownHall, settings: dict[str, Any] | None, connector: str = "mail"
) -> ActionError:
    """Why, and never with a secret."""
    error = town.refusal(ConfigureConnector("acme", connector, settings))
    assert NEEDLE not in repr(error.refusal)
    return error


def snapshot(town: TownHall, tenant: str = "acme") -> dict[str, ConnectorSettings]:
    """What connectors read."""
    return dict(town.profiles.of(town.known.tenants[tenant].id).connectors)


def rows(path: Path) -> list[Any]:
    """In the file: tenant, connector, blob, revision."""
    with closing(sqlite3.connect(path)) as file:
        query = (
            "SELECT tenant_id, connector, settings, revision FROM connector_settings ORDER BY 1, 2"
        )
        return file.execute(query).fetchall()


def change(path: Path, statement: str, *values: Any) -> None:
    """As whoever can write the file would."""
    with closing(sqlite3.connect(path)) as file, file:
        assert file.execute(statement, values).rowcount > 0


def restart(town: TownHall, *keys: bytes) -> list[Any]:
    """With these keys; what the start says."""
    town.vault = Vault(keys)
    with structlog.testing.capture_logs() as logged:
        town.restart()
    return [each for each in logged if "connectors" in each["event"]]


# ---------------------------------------------------------------- setting and showing


def test_what_is_set_is_shown_without_its_secrets_and_the_snapshot_has_them(town: TownHall) -> None:
    """With the revision, and who and when."""
    ada = town.tenant()
    town.order(ConfigureConnector("acme", "mail", MAIL), ada)
    assert shown(town) == {
        "name": "mail",
        "settings": {
            "host": "mail.example.com",
            "port": None,
            "password": "set",
            "pin": None,
            "headers": None,
        },
        "problem": None,
        "revision": 1,
        "changed_at": "2030-03-17T17:46:40Z",
        "changed_by": ada.person,
    }
    assert snapshot(town) == {"mail": ConnectorSettings("mail", 1, MAIL)}


def test_a_patch_keeps_what_it_does_not_name(town: TownHall) -> None:
    """A secret need not be known to change what stands beside it; null removes it."""
    town.tenant()
    configure(town, **MAIL)
    assert configure(town, pin="abcd")["settings"]["password"] == "set"
    assert snapshot(town)["mail"] == ConnectorSettings("mail", 2, {**MAIL, "pin": "abcd"})
    assert configure(town, password=None)["settings"]["password"] is None
    assert "password" not in snapshot(town)["mail"].settings


def test_a_password_is_not_kept_for_another_server_and_that_is_told(town: TownHall) -> None:
    town.tenant()
    configure(town, **MAIL)
    told = town.order(ConfigureConnector("acme", "mail", {"host": "elsewhere.example"}))
    assert told["dropped"] == ["password"]
    assert told["connector"]["settings"]["password"] is None
    assert "password" not in snapshot(town)["mail"].settings


def test_the_snapshot_cannot_be_changed_by_who_reads_it(town: TownHall) -> None:
    """At any depth."""
    town.tenant()
    configure(town, **MAIL, headers={"X-Auth": NEEDLE})
    with pytest.raises(TypeError):
        snapshot(town)["mail"].settings["headers"]["X-Auth"] = "other"


def test_each_tenant_and_each_connector_has_its_own(town: TownHall) -> None:
    """One tenant's are not another's."""
    town.tenant()
    town.tenant("globex")
    configure(town, **MAIL)
    town.order(ConfigureConnector("acme", "webhook", {"url": NEEDLE}))
    configure(town, "globex", host="globex.example.com")
    assert snapshot(town).keys() == {"mail", "webhook"}
    assert dict(snapshot(town, "globex")["mail"].settings) == {"host": "globex.example.com"}


def test_what_does_not_fit_is_refused_and_nothing_is_changed(town: TownHall) -> None:
    """The whole has to fit, not only the patch."""
    town.tenant()
    assert isinstance(refused(town, {"password": NEEDLE}), InvalidArgument)
    assert (snapshot(town), shown(town)["revision"]) == ({}, 0)
    configure(town, **MAIL)
    assert isinstance(refused(town, {"pin": NEEDLE}), InvalidArgument)
    assert isinstance(refused(town, {"host": None}), InvalidArgument)
    assert snapshot(town)["mail"].revision == 1


def test_a_connector_that_is_not_there_gets_the_nearest_name(town: TownHall) -> None:
    """Set or shown or removed."""
    town.tenant()
    for settings in ({"host": "x"}, None):
        error = refused(town, settings, "mial")
        assert isinstance(error, NotFound)
        assert "did you mean mail?" in str(error)
    with pytest.raises(NotFound, match="did you mean mail"):
        town.ask(ShowConnector("acme", "mial"))
    with pytest.raises(NotFound, match="nowhere"):
        town.ask(ShowConnector("nowhere", "mail"))


def test_null_removes_all_of_it_and_the_revision_goes_on(town: TownHall) -> None:
    """So that nobody takes the next settings for those he has seen."""
    town.tenant()
    configure(town, **MAIL)
    answer = town.order(ConfigureConnector("acme", "mail", None))["connector"]
    assert (answer["revision"], set(answer["settings"].values())) == (2, {None})
    assert snapshot(town) == {}
    assert rows(town.path)[0][2] is None
    assert isinstance(refused(town, None), FailedPrecondition)
    assert configure(town, host="h")["revision"] == 3
    assert dict(snapshot(town)["mail"].settings) == {"host": "h"}


def test_a_connector_that_the_index_has_no_more_can_be_looked_at_and_emptied(
    town: TownHall,
) -> None:
    """Its schema is gone: all of it counts as secret. Set it can be no more."""
    town.tenant()
    configure(town, **MAIL)
    town.tables.current = table()._replace(connectors={})
    assert shown(town)["settings"] == {"host": "set", "password": "set"}
    assert isinstance(refused(town, {"host": "x"}), NotFound)
    town.order(ConfigureConnector("acme", "mail", None))
    assert shown(town)["settings"] == {}


def test_they_go_with_their_tenant(town: TownHall) -> None:
    """From the file and from the snapshots; a tenant on its way out sets nothing any more."""
    town.tenant()
    configure(town, **MAIL)
    tenant = town.known.tenants["acme"]
    town.order(DeleteTenant("acme", 0, "left"))
    assert isinstance(refused(town, {"port": 25}), FailedPrecondition)
    town.sweep()
    for message in town.supervisor.heard():
        message.reply_to.tell(Retired(message.tenant))
    town.settled()
    settle(town.archiving.pop()[1], Path("backup.db"))
    town.settled()
    assert rows(town.path) == []
    assert town.profiles.of(tenant.id).connectors == {}


def test_they_are_there_after_a_restart(town: TownHall) -> None:
    """And nothing is encrypted anew that need not be."""
    town.tenant()
    configure(town, **MAIL)
    before = rows(town.path)
    assert restart(town, KEY) == []
    assert snapshot(town)["mail"] == ConnectorSettings("mail", 1, MAIL)
    assert rows(town.path) == before


def test_a_request_that_is_repeated_is_done_once_and_its_receipt_gives_nothing_away(
    town: TownHall,
) -> None:
    """Not even the digest of the request, from which a weak password could be guessed."""
    town.tenant()
    digest = sha256(b"the request").digest()
    order = ConfigureConnector("acme", "mail", MAIL)
    first = town.done(order, CONSOLE, receipt(digest=digest))
    again = town.done(order, CONSOLE, receipt(digest=digest))
    assert (again.result, again.replayed) == (first.result, True)
    assert shown(town)["revision"] == 1
    restart(town, OTHER_KEY, KEY)
    assert town.done(order, CONSOLE, receipt(digest=digest)).replayed
    other = receipt(digest=sha256(b"another").digest())
    with pytest.raises(InvalidArgument, match="another request"):
        town.done(order, CONSOLE, other)
    with closing(sqlite3.connect(town.path)) as file:
        (kept,) = file.execute("SELECT digest FROM receipts").fetchone()
    assert kept != digest


def test_an_order_shows_none_of_what_it_sets() -> None:
    """In whatever prints it."""
    assert NEEDLE not in repr(ConfigureConnector("acme", "mail", MAIL))


# ---------------------------------------------------------------- in the file


def test_the_file_holds_no_secret_and_no_setting_in_plain(town: TownHall) -> None:
    """Nor do those beside it."""
    town.tenant()
    configure(town, **MAIL)
    configure(town, password=f"{NEEDLE}-2")
    town.order(ConfigureConnector("acme", "mail", None))
    assert holds_sealed(town.path) is False
    configure(town, **MAIL)
    assert holds_sealed(town.path) is True
    for path in town.path.parent.iterdir():
        content = path.read_bytes()
        for plain in (NEEDLE, "mail.example.com", KEY):
            assert (plain if isinstance(plain, bytes) else plain.encode()) not in content


@pytest.mark.parametrize("what", ["wrong key", "no key", "changed", "cut short"])
def test_what_cannot_be_read_is_unavailable_and_the_rest_goes_on(town: TownHall, what: str) -> None:
    """The start says so once; it can be removed and set anew where there is a key."""
    town.tenant()
    town.tenant("globex")
    configure(town, **MAIL)
    keys = {"wrong key": [OTHER_KEY], "no key": []}.get(what, [KEY])
    blob = rows(town.path)[0][2]
    broken = {"changed": blob[:-1] + bytes([blob[-1] ^ 1]), "cut short": blob[:20]}.get(what, blob)
    change(town.path, "UPDATE connector_settings SET settings = ?", broken)
    (event,) = restart(town, *keys)
    assert (event["log_level"], event["count"]) == ("error", 1)
    assert event["first"].startswith(f"mail of tenant {town.known.tenants['acme'].id} ")
    held = snapshot(town)["mail"]
    assert held.problem is not None
    assert held.settings == {}
    assert (shown(town)["settings"], shown(town)["problem"]) == (None, held.problem)
    assert isinstance(refused(town, {"port": 25}), Unavailable)
    assert rows(town.path)[0][2] == broken
    town.order(ConfigureConnector("acme", "mail", None))
    if keys:
        assert configure(town, **MAIL)["revision"] == 3
        assert configure(town, "globex", **MAIL)["revision"] == 1
    else:
        assert isinstance(refused(town, MAIL), Unavailable)


def test_the_right_key_put_back_makes_all_of_it_readable(town: TownHall) -> None:
    """Nothing was overwritten meanwhile."""
    town.tenant()
    configure(town, **MAIL)
    restart(town)
    restart(town, OTHER_KEY)
    assert restart(town, KEY) == []
    assert snapshot(town)["mail"] == ConnectorSettings("mail", 1, MAIL)


@pytest.mark.parametrize("column", ["tenant_id", "connector", "revision"])
def test_a_blob_that_is_moved_to_another_row_opens_no_more(town: TownHall, column: str) -> None:
    """Of another tenant, who would send with what is not his; of another connector; of another time."""
    town.tenant()
    town.tenant("globex")
    configure(town, **MAIL)
    moved = {
        "tenant_id": town.known.tenants["globex"].id,
        "connector": "webhook",
        "revision": 2,
    }[column]
    change(town.path, f"UPDATE connector_settings SET {column} = ?", moved)
    (event,) = restart(town, KEY)
    assert "was changed since it was encrypted, or belongs elsewhere" in event["first"]
    held = [each for name in ("acme", "globex") for each in snapshot(town, name).values()]
    assert [(each.problem is None, dict(each.settings)) for each in held] == [(False, {})]


def test_two_tenants_blobs_changed_for_each_other_open_no_more(town: TownHall) -> None:
    """Also where both rows are otherwise alike."""
    town.tenant()
    town.tenant("globex")
    configure(town, **MAIL)
    configure(town, "globex", host="globex.example.com")
    (one, _, first, _), (other, _, second, _) = rows(town.path)
    for tenant, blob in ((one, second), (other, first)):
        change(
            town.path,
            "UPDATE connector_settings SET settings = ? WHERE tenant_id = ?",
            blob,
            tenant,
        )
    (event,) = restart(town, KEY)
    assert event["count"] == 2


# ---------------------------------------------------------------- rotation


def test_a_new_key_in_front_encrypts_everything_at_the_next_start(town: TownHall) -> None:
    """From then on the old one may go; revision, who and when stay."""
    town.tenant()
    town.tenant("globex")
    configure(town, **MAIL)
    configure(town, "globex", **MAIL)
    before = shown(town)
    (event,) = restart(town, OTHER_KEY, KEY)
    assert (event["log_level"], event["count"]) == ("info", 2)
    assert restart(town, OTHER_KEY) == []
    assert shown(town) == before
    for name in ("acme", "globex"):
        assert snapshot(town, name)["mail"] == ConnectorSettings("mail", 1, MAIL)


def test_what_no_key_opens_stays_as_it_is_in_a_rotation(town: TownHall) -> None:
    """Its own key may come back."""
    town.tenant()
    town.tenant("globex")
    configure(town, **MAIL)
    restart(town, OTHER_KEY)
    configure(town, "globex", **MAIL)
    events = restart(town, b"\x07" * 32, OTHER_KEY)
    assert [(each["log_level"], each["count"]) for each in events] == [("info", 1), ("error", 1)]
    restart(town, b"\x07" * 32, KEY)
    assert snapshot(town)["mail"] == ConnectorSettings("mail", 1, MAIL)
    assert snapshot(town, "globex")["mail"].problem is None


def test_a_change_encrypts_with_the_first_key(town: TownHall) -> None:
    """Whatever opened it."""
    town.tenant()
    configure(town, **MAIL)
    town.vault = Vault([OTHER_KEY, KEY])
    restart(town, OTHER_KEY, KEY)
    configure(town, port=25)
    assert Vault([OTHER_KEY]).is_current(rows(town.path)[0][2])
