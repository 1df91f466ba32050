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
from actors.admin.directory.store import has_encrypted_settings
from actors.admin.messages import DeleteTenant
from actors.admin.secrets import Keyring
from actors.errors import (
    ActionError,
    FailedPrecondition,
    InvalidArgument,
    NotFound,
    Unavailable,
)
from actors.messages import Retired
from actors.profiles import ConnectorSettings
from actors.runtime.futures import resolve
from tests.actors.admin.directory_harness import CONSOLE, KEY, DirectoryHarness, receipt, table
from tests.raw_client import Map

NEEDLE = "hunter2-XYZZY"

OTHER_KEY = b"\xff" * 32

MAIL = {"host": "mail.example.com", "password": NEEDLE}


def configure(directory: DirectoryHarness, tenant: str = "acme", /, **settings: Any) -> Map:
    """What is answered to a patch of mail's."""
    answer = directory.execute(ConfigureConnector(tenant, "mail", settings))["connector"]
    assert isinstance(answer, dict)
    assert NEEDLE not in repr(answer)
    return answer


def shown(directory: DirectoryHarness, connector: str = "mail", tenant: str = "acme") -> Map:
    """What an owner sees."""
    answer = directory.ask(ShowConnector(tenant, connector))["connector"]
    assert isinstance(answer, dict)
    assert NEEDLE not in repr(answer)
    return answer


def refused(
    directory: DirectoryHarness, settings: dict[str, Any] | None, connector: str = "mail"
) -> ActionError:
    """Why, and never with a secret."""
    error = directory.refusal(ConfigureConnector("acme", connector, settings))
    assert NEEDLE not in repr(error.refusal)
    return error


def snapshot(directory: DirectoryHarness, tenant: str = "acme") -> dict[str, ConnectorSettings]:
    """What connectors read."""
    return dict(directory.profiles.of(directory.known.tenants[tenant].id).connectors)


def rows(path: Path) -> list[Any]:
    """In the file: tenant, connector, blob, revision."""
    with closing(sqlite3.connect(path)) as file:
        query = (
            "SELECT tenant_id, connector, settings, revision FROM connector_settings ORDER BY 1, 2"
        )
        return file.execute(query).fetchall()


def change(path: Path, statement: str, *values: Any) -> None:
    """As one who can write the file would."""
    with closing(sqlite3.connect(path)) as file, file:
        assert file.execute(statement, values).rowcount > 0


def restart(directory: DirectoryHarness, *keys: bytes) -> list[Any]:
    """With these keys; what the start says."""
    directory.keyring = Keyring(keys)
    with structlog.testing.capture_logs() as logged:
        directory.restart()
    return [each for each in logged if "connector settings" in each["event"]]


# ---------------------------------------------------------------- setting and showing


def test_what_is_set_is_shown_without_its_secrets_and_the_snapshot_has_them(
    directory: DirectoryHarness,
) -> None:
    """With the revision, and who and when."""
    ada = directory.tenant()
    directory.execute(ConfigureConnector("acme", "mail", MAIL), ada)
    assert shown(directory) == {
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
    assert snapshot(directory) == {"mail": ConnectorSettings("mail", 1, MAIL)}


def test_a_patch_keeps_what_it_does_not_name(directory: DirectoryHarness) -> None:
    """A secret need not be known to change what stands beside it; null removes it."""
    directory.tenant()
    configure(directory, **MAIL)
    assert configure(directory, pin="abcd")["settings"]["password"] == "set"
    assert snapshot(directory)["mail"] == ConnectorSettings("mail", 2, {**MAIL, "pin": "abcd"})
    assert configure(directory, password=None)["settings"]["password"] is None
    assert "password" not in snapshot(directory)["mail"].settings


def test_a_password_is_not_kept_for_another_server_and_that_is_told(
    directory: DirectoryHarness,
) -> None:
    directory.tenant()
    configure(directory, **MAIL)
    told = directory.execute(ConfigureConnector("acme", "mail", {"host": "elsewhere.example"}))
    assert told["dropped"] == ["password"]
    assert told["connector"]["settings"]["password"] is None
    assert "password" not in snapshot(directory)["mail"].settings


def test_the_snapshot_cannot_be_changed_by_who_reads_it(directory: DirectoryHarness) -> None:
    """At any depth."""
    directory.tenant()
    configure(directory, **MAIL, headers={"X-Auth": NEEDLE})
    with pytest.raises(TypeError):
        snapshot(directory)["mail"].settings["headers"]["X-Auth"] = "other"


def test_each_tenant_and_each_connector_has_its_own(directory: DirectoryHarness) -> None:
    """One tenant's are not another's."""
    directory.tenant()
    directory.tenant("globex")
    configure(directory, **MAIL)
    directory.execute(ConfigureConnector("acme", "webhook", {"url": NEEDLE}))
    configure(directory, "globex", host="globex.example.com")
    assert snapshot(directory).keys() == {"mail", "webhook"}
    assert dict(snapshot(directory, "globex")["mail"].settings) == {"host": "globex.example.com"}


def test_what_does_not_fit_is_refused_and_nothing_is_changed(directory: DirectoryHarness) -> None:
    """The whole has to fit, not only the patch."""
    directory.tenant()
    assert isinstance(refused(directory, {"password": NEEDLE}), InvalidArgument)
    assert (snapshot(directory), shown(directory)["revision"]) == ({}, 0)
    configure(directory, **MAIL)
    assert isinstance(refused(directory, {"pin": NEEDLE}), InvalidArgument)
    assert isinstance(refused(directory, {"host": None}), InvalidArgument)
    assert snapshot(directory)["mail"].revision == 1


def test_a_connector_that_is_not_there_gets_the_nearest_name(directory: DirectoryHarness) -> None:
    """Set or shown or removed."""
    directory.tenant()
    for settings in ({"host": "x"}, None):
        error = refused(directory, settings, "mial")
        assert isinstance(error, NotFound)
        assert "did you mean mail?" in str(error)
    with pytest.raises(NotFound, match="did you mean mail"):
        directory.ask(ShowConnector("acme", "mial"))
    with pytest.raises(NotFound, match="nowhere"):
        directory.ask(ShowConnector("nowhere", "mail"))


def test_null_removes_all_of_it_and_the_revision_goes_on(directory: DirectoryHarness) -> None:
    """So that no one takes the next settings for those he has seen."""
    directory.tenant()
    configure(directory, **MAIL)
    answer = directory.execute(ConfigureConnector("acme", "mail", None))["connector"]
    assert (answer["revision"], set(answer["settings"].values())) == (2, {None})
    assert snapshot(directory) == {}
    assert rows(directory.path)[0][2] is None
    assert isinstance(refused(directory, None), FailedPrecondition)
    assert configure(directory, host="h")["revision"] == 3
    assert dict(snapshot(directory)["mail"].settings) == {"host": "h"}


def test_a_connector_that_the_index_has_no_more_can_be_looked_at_and_emptied(
    directory: DirectoryHarness,
) -> None:
    """Its schema is gone: all of it counts as secret. Set it can be no more."""
    directory.tenant()
    configure(directory, **MAIL)
    directory.snapshot.current = table()._replace(connectors={})
    assert shown(directory)["settings"] == {"host": "set", "password": "set"}
    assert isinstance(refused(directory, {"host": "x"}), NotFound)
    directory.execute(ConfigureConnector("acme", "mail", None))
    assert shown(directory)["settings"] == {}


def test_they_go_with_their_tenant(directory: DirectoryHarness) -> None:
    """From the file and from the snapshots; a tenant on its way out sets nothing any more."""
    directory.tenant()
    configure(directory, **MAIL)
    tenant = directory.known.tenants["acme"]
    directory.execute(DeleteTenant("acme", 0, "left"))
    assert isinstance(refused(directory, {"port": 25}), FailedPrecondition)
    directory.sweep()
    for message in directory.supervisor.heard():
        message.reply_to.tell(Retired(message.tenant))
    directory.wait_until_idle()
    resolve(directory.archiving.pop()[1], Path("backup.db"))
    directory.wait_until_idle()
    assert rows(directory.path) == []
    assert directory.profiles.of(tenant.id).connectors == {}


def test_they_are_there_after_a_restart(directory: DirectoryHarness) -> None:
    """And nothing is encrypted anew that need not be."""
    directory.tenant()
    configure(directory, **MAIL)
    before = rows(directory.path)
    assert restart(directory, KEY) == []
    assert snapshot(directory)["mail"] == ConnectorSettings("mail", 1, MAIL)
    assert rows(directory.path) == before


def test_a_request_that_is_repeated_is_done_once_and_its_receipt_gives_nothing_away(
    directory: DirectoryHarness,
) -> None:
    """Not even the digest of the request, from which a weak password could be guessed."""
    directory.tenant()
    digest = sha256(b"the request").digest()
    order = ConfigureConnector("acme", "mail", MAIL)
    first = directory.done(order, CONSOLE, receipt(digest=digest))
    again = directory.done(order, CONSOLE, receipt(digest=digest))
    assert (again.result, again.replayed) == (first.result, True)
    assert shown(directory)["revision"] == 1
    restart(directory, OTHER_KEY, KEY)
    assert directory.done(order, CONSOLE, receipt(digest=digest)).replayed
    other = receipt(digest=sha256(b"another").digest())
    with pytest.raises(InvalidArgument, match="another request"):
        directory.done(order, CONSOLE, other)
    with closing(sqlite3.connect(directory.path)) as file:
        (kept,) = file.execute("SELECT digest FROM receipts").fetchone()
    assert kept != digest


def test_an_order_shows_none_of_what_it_sets() -> None:
    """In whatever prints it."""
    assert NEEDLE not in repr(ConfigureConnector("acme", "mail", MAIL))


# ---------------------------------------------------------------- in the file


def test_the_file_holds_no_secret_and_no_setting_in_plain(directory: DirectoryHarness) -> None:
    """Nor do those beside it."""
    directory.tenant()
    configure(directory, **MAIL)
    configure(directory, password=f"{NEEDLE}-2")
    directory.execute(ConfigureConnector("acme", "mail", None))
    assert has_encrypted_settings(directory.path) is False
    configure(directory, **MAIL)
    assert has_encrypted_settings(directory.path) is True
    for path in directory.path.parent.iterdir():
        content = path.read_bytes()
        for plain in (NEEDLE, "mail.example.com", KEY):
            assert (plain if isinstance(plain, bytes) else plain.encode()) not in content


@pytest.mark.parametrize("what", ["wrong key", "no key", "changed", "cut short"])
def test_what_cannot_be_read_is_unavailable_and_the_rest_goes_on(
    directory: DirectoryHarness, what: str
) -> None:
    """The start says so once; it can be removed and set anew where there is a key."""
    directory.tenant()
    directory.tenant("globex")
    configure(directory, **MAIL)
    keys = {"wrong key": [OTHER_KEY], "no key": []}.get(what, [KEY])
    blob = rows(directory.path)[0][2]
    broken = {"changed": blob[:-1] + bytes([blob[-1] ^ 1]), "cut short": blob[:20]}.get(what, blob)
    change(directory.path, "UPDATE connector_settings SET settings = ?", broken)
    (event,) = restart(directory, *keys)
    assert (event["log_level"], event["count"]) == ("error", 1)
    assert event["first"].startswith(f"mail of tenant {directory.known.tenants['acme'].id} ")
    held = snapshot(directory)["mail"]
    assert held.problem is not None
    assert held.settings == {}
    assert (shown(directory)["settings"], shown(directory)["problem"]) == (None, held.problem)
    assert isinstance(refused(directory, {"port": 25}), Unavailable)
    assert rows(directory.path)[0][2] == broken
    directory.execute(ConfigureConnector("acme", "mail", None))
    if keys:
        assert configure(directory, **MAIL)["revision"] == 3
        assert configure(directory, "globex", **MAIL)["revision"] == 1
    else:
        assert isinstance(refused(directory, MAIL), Unavailable)


def test_the_right_key_put_back_makes_all_of_it_readable(directory: DirectoryHarness) -> None:
    """Nothing was overwritten meanwhile."""
    directory.tenant()
    configure(directory, **MAIL)
    restart(directory)
    restart(directory, OTHER_KEY)
    assert restart(directory, KEY) == []
    assert snapshot(directory)["mail"] == ConnectorSettings("mail", 1, MAIL)


@pytest.mark.parametrize("column", ["tenant_id", "connector", "revision"])
def test_a_blob_that_is_moved_to_another_row_opens_no_more(
    directory: DirectoryHarness, column: str
) -> None:
    """Of another tenant, who would send with what is not his; of another connector; of another time."""
    directory.tenant()
    directory.tenant("globex")
    configure(directory, **MAIL)
    moved = {
        "tenant_id": directory.known.tenants["globex"].id,
        "connector": "webhook",
        "revision": 2,
    }[column]
    change(directory.path, f"UPDATE connector_settings SET {column} = ?", moved)
    (event,) = restart(directory, KEY)
    assert "was changed since it was encrypted, or belongs elsewhere" in event["first"]
    held = [each for name in ("acme", "globex") for each in snapshot(directory, name).values()]
    assert [(each.problem is None, dict(each.settings)) for each in held] == [(False, {})]


def test_two_tenants_blobs_changed_for_each_other_open_no_more(directory: DirectoryHarness) -> None:
    """Also where both rows are otherwise alike."""
    directory.tenant()
    directory.tenant("globex")
    configure(directory, **MAIL)
    configure(directory, "globex", host="globex.example.com")
    (one, _, first, _), (other, _, second, _) = rows(directory.path)
    for tenant, blob in ((one, second), (other, first)):
        change(
            directory.path,
            "UPDATE connector_settings SET settings = ? WHERE tenant_id = ?",
            blob,
            tenant,
        )
    (event,) = restart(directory, KEY)
    assert event["count"] == 2


# ---------------------------------------------------------------- rotation


def test_a_new_key_in_front_encrypts_everything_at_the_next_start(
    directory: DirectoryHarness,
) -> None:
    """From then on the old one may go; revision, who and when stay."""
    directory.tenant()
    directory.tenant("globex")
    configure(directory, **MAIL)
    configure(directory, "globex", **MAIL)
    before = shown(directory)
    (event,) = restart(directory, OTHER_KEY, KEY)
    assert (event["log_level"], event["count"]) == ("info", 2)
    assert restart(directory, OTHER_KEY) == []
    assert shown(directory) == before
    for name in ("acme", "globex"):
        assert snapshot(directory, name)["mail"] == ConnectorSettings("mail", 1, MAIL)


def test_what_no_key_opens_stays_as_it_is_in_a_rotation(directory: DirectoryHarness) -> None:
    """Its own key may come back."""
    directory.tenant()
    directory.tenant("globex")
    configure(directory, **MAIL)
    restart(directory, OTHER_KEY)
    configure(directory, "globex", **MAIL)
    events = restart(directory, b"\x07" * 32, OTHER_KEY)
    assert [(each["log_level"], each["count"]) for each in events] == [("info", 1), ("error", 1)]
    restart(directory, b"\x07" * 32, KEY)
    assert snapshot(directory)["mail"] == ConnectorSettings("mail", 1, MAIL)
    assert snapshot(directory, "globex")["mail"].problem is None


def test_a_change_encrypts_with_the_first_key(directory: DirectoryHarness) -> None:
    """Whatever opened it."""
    directory.tenant()
    configure(directory, **MAIL)
    directory.keyring = Keyring([OTHER_KEY, KEY])
    restart(directory, OTHER_KEY, KEY)
    configure(directory, port=25)
    assert Keyring([OTHER_KEY]).is_current(rows(directory.path)[0][2])
