"""A folder of Alembic migrations, as a single line of revisions.

Alembic keeps its context in module globals, so one actor alone may read a folder.
"""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy import Connection

from actors.errors import CodeProblem
from actors.tenant.database.authorizer import ENGINE_STEP
from actors.tenant.storage.revision_files import RevisionFile, read_line

if TYPE_CHECKING:
    from alembic.config import Config


class RevisionHistory(NamedTuple):
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
    later: tuple[str, ...] = ()
    """Names of revisions that the folder has after these."""

    def config(self, connection: Connection) -> Config:
        """What Alembic needs to run them on a connection; env.py takes it from `config.attributes`."""
        config = _config(self.folder)
        config.attributes["connection"] = connection
        config.attributes["version_table"] = self.version_table
        return config

    def files(self) -> list[Path]:
        """Every file that has a say in the schema, in a fixed order."""
        if self.folder is None:
            return []
        left_out = {f"{name.partition(' ')[2]}.py" for name in self.later}
        files = sorted(self.folder.glob("versions/*.py"))
        return [each for each in files if each.name not in left_out]

    def until(self, count: int | None) -> RevisionHistory:
        """Return the history of the first so many revisions; None for all."""
        if count is None or count >= len(self.revisions):
            return self
        return self._replace(
            revisions=self.revisions[:count], names=self.names[:count], later=self.names[count:]
        )

    def after(self, recorded: list[str]) -> str:
        """Return the name of the revision that follows what a file has recorded."""
        done = self.revisions.index(recorded[0]) + 1 if recorded else 0
        return self.names[min(done, len(self.names) - 1)].replace(" ", ", ")


def read_history(folder: Path | None, name: str, version_table: str) -> RevisionHistory:
    """Read a folder. CodeProblem where it is not there, has more than one head, or cannot be read."""
    if folder is None:
        return RevisionHistory(name, None, version_table, ())
    found = read_line(folder) or _read_with_alembic(folder)
    if len(found) >= ENGINE_STEP:
        raise CodeProblem(f"{folder} has {len(found)} revisions, of fewer than {ENGINE_STEP}")
    revisions = tuple(one.revision for one in found)
    names = tuple(f"{one.revision} {one.path.stem}" for one in found)
    return RevisionHistory(name, folder, version_table, revisions, names)


def _read_with_alembic(folder: Path) -> tuple[RevisionFile, ...]:
    from alembic.script import ScriptDirectory

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
    return tuple(RevisionFile(one.revision, Path(one.path)) for one in found)


def _config(folder: Path | None) -> Config:
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(folder).replace("%", "%%"))
    return config


def digest_of_folder(folder: Path | None) -> str:
    """Return the SHA-256 of all that a folder runs: env.py and the revisions, by name and content."""
    digest = sha256()
    if folder is not None:
        for file in (folder / "env.py", *sorted(folder.glob("versions/*.py"))):
            content = file.read_bytes()
            digest.update(f"{file.name} {len(content)}\n".encode() + content)
    return digest.hexdigest()
