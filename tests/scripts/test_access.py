"""docs/access.md: it says what the index says, and can be read back for comparison."""

from __future__ import annotations

from pathlib import Path

import pytest

from actors.access import (
    ADMIN,
    ADMIN_OWNER,
    AREAS,
    DATA,
    LEVELS,
    MEMBER,
    OWNER,
    SUPER_ADMIN,
    rule_of,
)
from actors.edge.builtin_actions import built_in
from actors.index.entries import Action
from actors.index.parser import built_in_index, read_index
from scripts.cli.access import main
from scripts.cli.access_table import (
    COLUMNS,
    MARK,
    NO,
    ON_ADMIN,
    YES,
    ActionRow,
    page,
    read_table,
    row_of,
    rows_of,
)

ROOT = Path(__file__).parents[2]
INDEX = ROOT / "registry.toml"
PAGE = ROOT / "docs" / "access.md"

ANY = read_index(INDEX).actions["contacts.add"]


def row(access: str, channel: str = DATA, area: str | None = None, platform: str | None = None,
        action: Action = ANY) -> ActionRow:  # fmt: skip
    return row_of(action, rule_of(access, channel, area, platform))


def admitted(row: ActionRow) -> set[str]:
    """The columns that do not say no."""
    return {heading for heading, cell in row.cells.items() if cell != NO}


class TestPage:
    """The one in the repository."""

    def test_it_is_up_to_date(self, capsys: pytest.CaptureFixture[str]) -> None:
        """A change of the index needs scripts/access."""
        assert main(["--check"]) == 0, capsys.readouterr().err

    def test_it_has_every_action_once(self) -> None:
        """Those of the index, those of the engine, and the built-in ones."""
        index = read_index(INDEX)
        table = read_table(PAGE.read_text())
        assert set(table) == {*index.actions, *built_in_index().actions, *built_in()}
        assert len(table) == len(index.actions) + len(built_in_index().actions) + len(built_in())

    def test_what_is_read_back_is_what_was_written(self) -> None:
        index = read_index(INDEX)
        table = read_table(page("", index))
        rows = [*rows_of(index), *rows_of(built_in_index())]
        assert rows == [table[row.action] for row in rows]

    def test_it_says_how_to_read_it_and_what_each_role_is(self) -> None:
        above = PAGE.read_text().partition(MARK)[0]
        assert "How to read it" in above
        assert all(role in above for role in (*LEVELS, SUPER_ADMIN) if role != "public")
        assert all(f"`{area}`" in above for area in AREAS)


class TestCells:
    """What a column says of an action."""

    @pytest.mark.parametrize(
        ("access", "columns"),
        [
            ("public", {"no token", "member", "owner without the area", "owner with the area",
                        "admin owner", "super admin"}),
            ("member", {"member", "owner without the area", "owner with the area", "admin owner",
                        "super admin"}),
            ("owner", {"owner without the area", "owner with the area", "admin owner",
                       "super admin"}),
            ("admin owner", {"admin owner", "super admin"}),
        ],
    )  # fmt: skip
    def test_a_level_admits_those_above_it_and_nobody_of_the_platform(
        self, access: str, columns: set[str]
    ) -> None:
        assert admitted(row(access)) == columns

    def test_a_super_admin_reaches_the_data_actions_on_the_admin_channel(self) -> None:
        assert row(MEMBER, DATA).cells["super admin"] == ON_ADMIN
        assert row(MEMBER, ADMIN).cells["super admin"] == YES

    def test_an_area_parts_the_two_columns_of_owners(self) -> None:
        with_area = row(OWNER, ADMIN, "members")
        assert with_area.area == "members"
        assert admitted(with_area) == {"owner with the area", "admin owner", "super admin"}
        assert admitted(row(OWNER, ADMIN)) - admitted(with_area) == {"owner without the area"}

    @pytest.mark.parametrize(
        ("platform", "extra"),
        [
            ("developer", {"developer", "developer admin"}),
            ("developer admin", {"developer admin"}),
        ],
    )
    def test_a_level_of_the_platform_may_also_call(self, platform: str, extra: set[str]) -> None:
        with_platform = admitted(row(ADMIN_OWNER, ADMIN, platform=platform))
        assert with_platform - admitted(row(ADMIN_OWNER, ADMIN)) == extra

    def test_what_needs_no_token_is_for_all(self) -> None:
        cells = {name: route.rule for name, route in built_in().items()}
        ping = row_of(built_in()["system.ping"].action, cells["system.ping"])
        whoami = row_of(built_in()["system.whoami"].action, cells["system.whoami"])
        assert ping.channel == "both"
        assert set(ping.cells.values()) == {YES}
        assert admitted(ping) - admitted(whoami) == {"no token"}

    def test_every_kind_of_caller_has_a_column(self) -> None:
        assert {caller.role for caller in COLUMNS} == set().union(*LEVELS.values())


class TestCommand:
    """scripts/access."""

    @pytest.fixture
    def copy(self, tmp_path: Path) -> Path:
        """A page that is up to date."""
        file = tmp_path / "access.md"
        file.write_text(PAGE.read_text())
        return file

    def test_a_page_that_is_behind_fails_the_check_and_is_left_alone(
        self, copy: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        behind = copy.read_text().replace("| `contacts.add` | data |", "| `contacts.add` | admin |")
        assert behind != copy.read_text()
        copy.write_text(behind)
        assert main(["--check", "--page", str(copy)]) == 1
        assert "run scripts/access" in capsys.readouterr().err
        assert copy.read_text() == behind

    def test_it_writes_the_table_and_keeps_what_stands_above(self, copy: Path) -> None:
        copy.write_text("# Mine\n\n" + copy.read_text().partition(MARK)[1])
        assert main(["--page", str(copy)]) == 0
        assert copy.read_text().startswith(f"# Mine\n\n{MARK}\n\n## ")
        assert read_table(copy.read_text()) == read_table(PAGE.read_text())
        assert main(["--check", "--page", str(copy)]) == 0

    def test_another_index_can_be_shown(self, copy: Path) -> None:
        index = Path(__file__).parents[1] / "faulty" / "registry.toml"
        assert main(["--registry", str(index), "--page", str(copy)]) == 0
        table = read_table(copy.read_text())
        assert "marks.add" in table
        assert "contacts.add" not in table

    def test_the_page_of_another_index_is_beside_it(self, tmp_path: Path) -> None:
        """That of the repository stays as it is."""
        before = PAGE.read_text()
        index = tmp_path / "registry.toml"
        index.write_text((Path(__file__).parents[1] / "faulty" / "registry.toml").read_text())
        (tmp_path / "migrations").mkdir()
        assert main(["--registry", str(index), "--check"]) == 1
        assert main(["--registry", str(index)]) == 0
        assert "marks.add" in read_table((tmp_path / "docs" / "access.md").read_text())
        assert main(["--registry", str(index), "--check"]) == 0
        assert PAGE.read_text() == before

    def test_a_broken_index_is_told_and_nothing_is_written(
        self, copy: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        before = copy.read_text()
        (tmp_path / "index.toml").write_text("action = 1")
        assert main(["--registry", str(tmp_path / "index.toml"), "--page", str(copy)]) == 1
        assert "did you mean actions?" in capsys.readouterr().err
        assert copy.read_text() == before
