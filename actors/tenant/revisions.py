"""A folder of Alembic migrations, as a single line of revisions."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

from actors.errors import CodeProblem
from actors.tenant.schema_info import ENGINE_STEP


class Line(NamedTuple):
    """A folder's revisions, from the first to the head."""

    name: str
    """`engine` or `application`."""
    folder: Path | None
    """None where there are none."""
    version_table: str
    """Where Alembic notes in a file how far it is."""
    revisions: tuple[str, ...]
    names: tuple[str, ...] = ()
    """Of each revision, itself and its file: `0001 0001_orders`. No other application has the same."""

    def config(self, connection: Connection) -> Config:
        """What Alembic needs to run them on a connection; env.py takes it from `config.attributes`."""
        config = _config(self.folder)
        config.attributes["connection"] = connection
        config.attributes["version_table"] = self.version_table
        return config

    def files(self) -> list[Path]:
        """Every file that has a say in the schema, in a fixed order."""
        return sorted(self.folder.glob("versions/*.py")) if self.folder else []


def read_line(folder: Path | None, name: str, version_table: str) -> Line:
    """Read a folder. CodeProblem where it is not there, does not import, or has more than one head."""
    if folder is None:
        return Line(name, None, version_table, ())
    try:
        script = ScriptDirectory.from_config(_config(folder))
        heads = script.get_heads()
        found = tuple(script.walk_revisions())[::-1]
    except Exception as error:
        raise CodeProblem(
            f"{folder} cannot be read as Alembic migrations ({type(error).__name__}: {error})"
        ) from error
    if len(heads) > 1:
        raise CodeProblem(
            f"{folder} has the heads {', '.join(sorted(heads))}: make one of them follow the other"
        )
    if len(found) >= ENGINE_STEP:
        raise CodeProblem(f"{folder} has {len(found)} revisions, of fewer than {ENGINE_STEP}")
    revisions = tuple(one.revision for one in found)
    names = tuple(f"{one.revision} {Path(one.path).stem}" for one in found)
    return Line(name, folder, version_table, revisions, names)


def _config(folder: Path | None) -> Config:
    config = Config()
    config.set_main_option("script_location", str(folder).replace("%", "%%"))
    return config
