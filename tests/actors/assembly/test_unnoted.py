"""A data directory of the first releases says by its tenants' tables whose it is."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from hashlib import sha256
from pathlib import Path

import pytest

from actors.assembly.identity import FILE
from actors.assembly.unnoted import require_related
from actors.errors import SettingsError

DESK = Path(__file__).parents[3] / "registry.toml"

SHOP = """
from alembic import op
def upgrade():
    op.execute("CREATE TABLE orders (id INTEGER)")
"""


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Of the desk, without a note."""
    (tmp_path / "data" / "tenants").mkdir(parents=True)
    with closing(sqlite3.connect(tmp_path / "data" / "tenants" / "1.db")) as database:
        for table in ("tenantry_replies", "alembic_version", "contacts", "notes"):
            database.execute(f"CREATE TABLE {table} (id INTEGER)")
    return tmp_path / "data"


def index(folder: Path, storage: str = '[storage]\nmigrations = "migrations"\n') -> Path:
    """The shop's."""
    (folder / "migrations" / "versions").mkdir(parents=True)
    (folder / "migrations" / "versions" / "0001_orders.py").write_text(SHOP)
    (folder / "registry.toml").write_text(storage)
    return folder / "registry.toml"


def content(folder: Path) -> dict[str, str]:
    """Every file with its digest."""
    files = (each for each in folder.rglob("*") if each.is_file())
    return {str(each): sha256(each.read_bytes()).hexdigest() for each in files}


@pytest.mark.parametrize("storage", ['[storage]\nmigrations = "migrations"\n', ""])
def test_another_index_is_refused_and_nothing_is_touched(
    data: Path, tmp_path: Path, storage: str
) -> None:
    """One with other migrations, and one without any."""
    before = content(data)
    with pytest.raises(SettingsError) as refused:
        require_related(data, index(tmp_path / "shop", storage))
    for word in ("contacts, notes", "shop/registry.toml", "--adopt"):
        assert word in str(refused.value)
    assert content(data) == before


def test_its_own_index_is_served(data: Path) -> None:
    """Its migrations make these tables."""
    require_related(data, DESK)


def test_where_a_note_says_whose_it_is_tables_do_not_count(data: Path, tmp_path: Path) -> None:
    """It may have been adopted."""
    (data / FILE).write_text("{}")
    require_related(data, index(tmp_path / "shop"))


def test_what_holds_no_tables_or_cannot_be_read_is_left_to_the_start(
    data: Path, tmp_path: Path
) -> None:
    """No tenants, a tenant without tables, a damaged file, an index that is none."""
    shop = index(tmp_path / "shop")
    require_related(tmp_path / "nowhere", shop)
    tenant = data / "tenants" / "1.db"
    tenant.write_bytes(b"damaged" * 1000)
    require_related(data, shop)
    tenant.unlink()
    sqlite3.connect(tenant).close()
    require_related(data, shop)
    shop.write_text("no [toml")
    require_related(data, shop)
