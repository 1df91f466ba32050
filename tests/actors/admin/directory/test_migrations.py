"""directory.db of older code: every token becomes somebody's, and every tenant has its admin owner."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy.exc import IntegrityError

from actors.access import AREAS
from actors.admin.directory.store import MIGRATIONS, open_directory, prepare_directory
from actors.admin.directory.tables import metadata, people
from actors.admin.messages import EnrolTester, ListMembers, ListOwners, ListTesters, ListTokens
from tests.actors.admin.directory_harness import DirectoryHarness
from tests.actors.mailbox_harness import MailboxHarness

ACME, GLOBEX, INITECH = "a" * 32, "b" * 32, "c" * 32

MADE = "2026-01-01T00:00:00Z"

TOKENS = [
    # number, tenant, role, label, made, revoked
    (1, ACME, "admin owner", "second", "2026-01-03T00:00:00Z", None),
    (2, ACME, "admin owner", "first", "2026-01-02T00:00:00Z", "2026-02-01T00:00:00Z"),
    (3, ACME, "owner", "deputy", "2026-01-04T00:00:00Z", None),
    (4, ACME, "member", "shop", "2026-01-05T00:00:00Z", None),
    (5, ACME, "member", "shop", "2026-01-06T00:00:00Z", None),
    (6, GLOBEX, "member", " ", "2026-01-07T00:00:00Z", "2026-02-02T00:00:00Z"),
    (7, GLOBEX, "member", "x" * 300, "2026-01-08T00:00:00Z", None),
]
"""What code of revision 0001 could have made; initech has no token at all."""


def token_id(number: int) -> str:
    return f"t_{number:016x}"


def upgrade(path: Path, revision: str) -> None:
    """As prepare_directory does, and to any revision."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    with open_directory(path) as connection, connection.begin():
        config.attributes["connection"] = connection
        config.attributes["version_table"] = "alembic_version"
        command.upgrade(config, revision)


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """A file of revision 0001 with three tenants and six tokens."""
    path = tmp_path / "directory.db"
    upgrade(path, "0001")
    with closing(sqlite3.connect(path)) as file, file:
        file.executemany(
            "INSERT INTO tenants (id, name, created_at) VALUES (?, ?, ?)",
            [(ACME, "acme", MADE), (GLOBEX, "globex", MADE), (INITECH, "initech", MADE)],
        )
        file.executemany(
            "INSERT INTO tokens (digest, id, tenant_id, role, label, created_at, revoked_at)"
            " VALUES (?, ?, ?, ?, ?, ?, ?)",
            [
                (bytes([number]) * 32, token_id(number), tenant, role, label, made, revoked)
                for number, tenant, role, label, made, revoked in TOKENS
            ],
        )
    return path


@pytest.fixture
def directory(harness: MailboxHarness, old: Path) -> DirectoryHarness:
    """A Directory on that file, brought to head."""
    prepare_directory(old)
    made = DirectoryHarness(harness, old)
    made.wait_until_idle()
    return made


def test_tokens_stay_good_or_revoked_as_they_were(directory: DirectoryHarness) -> None:
    """Each under its digest and id, in the role it had; an owner's with every area, as before."""
    issued = {row["issued_by"] for row in directory.ask(ListTokens("acme", None, "", 50))["tokens"]}
    assert issued == {"console"}
    found = {
        principal.id: (digest, principal.tenant, principal.role)
        for digest, principal in directory.known.principals.items()
    }
    names = {ACME: "acme", GLOBEX: "globex"}
    assert found == {
        token_id(number): (bytes([number]) * 32, names[tenant], role)
        for number, tenant, role, _, _, revoked in TOKENS
        if revoked is None
    }
    assert directory.principal(token_id(3)).areas == frozenset(AREAS)
    for principal in directory.known.principals.values():
        assert (principal.scope, principal.expires) == (None, None)


def test_the_admin_owner_s_tokens_are_one_person_s_and_others_each_one_s_own(
    directory: DirectoryHarness,
) -> None:
    """Who is named by the label."""
    listed = directory.ask(ListTokens("acme", None, "", 50))["tokens"]
    person = {token["id"]: token["person"] for token in listed}
    assert person[token_id(1)] == person[token_id(2)]
    assert len(set(person.values())) == 4
    names = {
        each["id"]: each["name"] for each in directory.ask(ListMembers("acme", "", 50))["members"]
    }
    assert [names[person[token_id(number)]] for number in (1, 3, 4, 5)] == [
        "admin owner",
        "deputy",
        "shop",
        "shop",
    ]
    assert len(names) == 4


def test_labels_that_could_not_be_shown_are_made_so_that_they_can(
    directory: DirectoryHarness,
) -> None:
    """Anyone who has none is named by the role; what is too long for a name or a label is cut."""
    members = directory.ask(ListMembers("globex", "", 50))["members"]
    assert sorted(each["name"] for each in members) == ["admin owner", "member", "x" * 200]
    listed = directory.ask(ListTokens("globex", None, "", 50))["tokens"]
    assert max(len(token["label"]) for token in listed) == 200


@pytest.mark.parametrize("tenant", ["acme", "globex", "initech"])
def test_every_tenant_has_one_admin_owner(directory: DirectoryHarness, tenant: str) -> None:
    """Also where there was no token of one, or none at all; without a token then."""
    (owner,) = (
        each
        for each in directory.ask(ListOwners(tenant))["owners"]
        if each["role"] == "admin owner"
    )
    tokens = directory.ask(ListTokens(tenant, owner["id"], "", 50))["tokens"]
    assert len(tokens) == (2 if tenant == "acme" else 0)


def test_tenants_are_active_and_as_old_as_they_were(directory: DirectoryHarness) -> None:
    """With nothing said about them."""
    assert {tenant.id for tenant in directory.known.tenants.values()} == {ACME, GLOBEX, INITECH}
    assert {tenant.status for tenant in directory.known.tenants.values()} == {"active"}


def test_nothing_dangles_and_foreign_keys_hold_from_then_on(old: Path) -> None:
    """A table that is referred to was not made anew behind the others' backs."""
    prepare_directory(old)
    with open_directory(old) as connection, connection.begin():
        assert connection.exec_driver_sql("PRAGMA foreign_keys").scalar() == 1
        assert connection.exec_driver_sql("PRAGMA foreign_key_check").all() == []
        assert connection.exec_driver_sql("PRAGMA integrity_check").scalar() == "ok"
        keys = {
            table.name: {
                (row[2], row[3], row[4])
                for row in connection.exec_driver_sql(f"PRAGMA foreign_key_list({table.name})")
            }
            for table in metadata.sorted_tables
        }
        assert keys["tokens"] == {
            ("tenants", "tenant_id", "id"),
            ("people", "person_id", "id"),
            ("grants", "grant_id", "id"),
        }
    with open_directory(old) as connection, pytest.raises(IntegrityError), connection.begin():
        connection.exec_driver_sql("DELETE FROM people")


def test_a_token_needs_its_person_and_an_id_of_its_own(old: Path) -> None:
    """The columns are as strict as in a file that is new."""
    prepare_directory(old)
    changes = [
        "UPDATE tokens SET person_id = NULL",
        "UPDATE tokens SET person_id = 'p_nobody'",
        f"UPDATE tokens SET id = '{token_id(1)}'",
    ]
    for change in changes:
        with open_directory(old) as connection, pytest.raises(IntegrityError), connection.begin():
            connection.exec_driver_sql(change)


def test_a_second_admin_owner_is_impossible_from_then_on(old: Path) -> None:
    """In the file itself."""
    prepare_directory(old)
    with open_directory(old) as connection, pytest.raises(IntegrityError), connection.begin():
        connection.execute(people.update().values(role="admin owner"))


def test_an_owner_s_areas_are_those_there_are(old: Path) -> None:
    """In the order that the code has them."""
    prepare_directory(old)
    with closing(sqlite3.connect(old)) as file:
        found = file.execute("SELECT areas FROM people WHERE role = 'owner'").fetchall()
    assert [json.loads(areas) for (areas,) in found] == [list(AREAS)]


def test_nobody_is_a_tester_and_everybody_can_become_one(
    harness: MailboxHarness, tmp_path: Path
) -> None:
    """What a file of revision 0002 says of a tenant stays beside it."""
    path = tmp_path / "directory.db"
    upgrade(path, "0002")
    with closing(sqlite3.connect(path)) as file, file:
        file.execute(
            "INSERT INTO tenants (id, name, created_at) VALUES (?, 'acme', ?)", (ACME, MADE)
        )
        file.execute("INSERT INTO subscriptions (tenant_id, connector) VALUES (?, 'mail')", (ACME,))
    prepare_directory(path)
    directory = DirectoryHarness(harness, path)
    directory.wait_until_idle()
    assert directory.ask(ListTesters(None, None, "", 50))["testers"] == []
    directory.execute(EnrolTester("acme", "notes.add"))
    profile = directory.profiles.of(ACME)
    assert set(profile.subscriptions) == {"mail"}
    assert profile.tests == {"notes.add"}


def test_it_is_done_once(old: Path, tmp_path: Path) -> None:
    """The next start finds everybody there."""
    prepare_directory(old)
    with closing(sqlite3.connect(old)) as file:
        before = file.execute("SELECT * FROM people ORDER BY id").fetchall()
    prepare_directory(old)
    with closing(sqlite3.connect(old)) as file:
        assert file.execute("SELECT * FROM people ORDER BY id").fetchall() == before


def test_what_fails_half_way_leaves_the_old_file(
    old: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All of it is one transaction, and can be tried again."""

    def full(_: int) -> str:
        raise OSError("no entropy")

    with monkeypatch.context() as patch:
        patch.setattr("secrets.token_hex", full)
        with pytest.raises(Exception, match="no entropy"):
            prepare_directory(old)
    with closing(sqlite3.connect(old)) as file:
        assert file.execute("SELECT count(*) FROM tokens WHERE role = 'member'").fetchone() == (4,)
        tables = [row[0] for row in file.execute("SELECT name FROM sqlite_master")]
    assert "people" not in tables
    prepare_directory(old)


# ---------------------------------------------------------------- files of the first days


EARLY = sorted((Path(__file__).parents[1] / "early").glob("*.sql"))
"""Dumps of directory.db as the first and the last code left it in which 0002 was another one."""


def schema(path: Path) -> dict[str, set[str]]:
    """Columns and indexes of each table."""
    with closing(sqlite3.connect(path)) as file:
        tables = [name for (name,) in file.execute("SELECT name FROM pragma_table_list")]
        return {
            table: {
                name
                for kind in ("table_info", "index_list")
                for (name,) in file.execute(f"SELECT name FROM pragma_{kind}(?)", (table,))
            }
            for table in tables
            if not table.startswith("sqlite_")
        }


@pytest.mark.parametrize("dump", EARLY, ids=lambda dump: dump.stem)
def test_files_of_the_first_days_become_like_new_ones(
    harness: MailboxHarness, tmp_path: Path, dump: Path
) -> None:
    """Whose second migration was changed after they had been through it; everybody in them stays."""
    path = tmp_path / "directory.db"
    with closing(sqlite3.connect(path)) as file:
        file.executescript(dump.read_text())
    prepare_directory(path)
    prepare_directory(tmp_path / "new.db")
    assert schema(path) == schema(tmp_path / "new.db")
    directory = DirectoryHarness(harness, path)
    directory.wait_until_idle()
    assert len(directory.known.principals) == 3
    assert {
        row["issued_by"] for row in directory.ask(ListTokens("acme", None, "", 50))["tokens"]
    } == {"console"}
