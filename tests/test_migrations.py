"""Migrations that databases may have been through: what each of them did stays as it was.

A database remembers the name of a migration and not its text. One that is edited afterwards leaves two
kinds of databases that count as the same, and the code fits one of them.
"""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

ROOT = Path(__file__).parent.parent

LIST = ROOT / "tests" / "migrations.sha256"


def listed() -> dict[str, str]:
    """Digests as `sha256sum` prints them, by path."""
    lines = [line.split("  ", 1) for line in LIST.read_text().splitlines()]
    return {path: digest for digest, path in lines}


def there() -> dict[str, str]:
    """Of every migration in actors/."""
    paths = sorted((ROOT / "actors").rglob("migrations/versions/*.py"))
    return {str(path.relative_to(ROOT)): sha256(path.read_bytes()).hexdigest() for path in paths}


def test_no_migration_is_edited_or_removed() -> None:
    """What has to be otherwise is done by a further migration."""
    now = there()
    changed = [path for path, digest in listed().items() if now.get(path) != digest]
    assert changed == [], "databases have been through these: put them back, and add a migration"


def test_every_migration_is_listed() -> None:
    """From its first commit on: `sha256sum PATH >> tests/migrations.sha256`."""
    assert sorted(there()) == sorted(listed())
