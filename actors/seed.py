"""Tenants and tokens made while no server runs: for benchmarks, load tests and moving in from elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from actors.admin.directory import tenants
from actors.admin.directory.people import add_member
from actors.admin.directory.repository import Book
from actors.admin.directory.store import Transactions, prepare_directory
from actors.admin.directory.tokens import issue
from actors.admin.messages import AddMember, CreateTenant, IssueToken
from actors.host.process import claim, release
from actors.index.parser import read_index
from actors.log.audit.journal import Journal
from actors.log.messages import ACTION, Entry
from actors.messages import Principal
from actors.tenant.storage.files import Storage

DATABASE_BYTES = 1024**3

CONSOLE = Principal(id="console", tenant=None, role="console")
"""Whoever may write the data directory may do all of this."""


def seed(
    data: Path, names: Sequence[str], registry: Path | None = None, *, owners: bool = False
) -> dict[str, str]:
    """Make these tenants and a member's token for each; SettingsError while a server uses `data`.

    With `owners` the tokens are the admin owners'.

    The tables are those of `registry`, by default the index of this repository. One record in the audit log
    says what was made, also where a name is refused: those before it are made.
    """
    with ExitStack() as afterwards:
        afterwards.callback(release, claim(data))
        index = read_index(registry or Path(__file__).parent.parent / "registry.toml")
        storage = Storage(data, index.storage.migrations, DATABASE_BYTES)
        prepare_directory(data / "directory.db")
        directory = Transactions(data / "directory.db", storage.create, lambda: index.config)
        afterwards.callback(directory.close)
        made: dict[str, str] = {}
        try:
            for name in names:
                made[name] = directory.run(partial(_make, name, owners))
        finally:  # also where a name is refused after others were made
            _record(data, list(made))
        return made


def _make(name: str, owner: bool, book: Book) -> str:
    made = tenants.create(book, CreateTenant(name, "admin owner", None, token=owner), CONSOLE)
    if owner:
        return str(made["token"]["text"])
    member = add_member(book, AddMember(name, "seeded", None), CONSOLE)["member"]["id"]
    wanted = IssueToken(name, member, "seeded", scope=None, days=None)
    return str(issue(book, wanted, CONSOLE)["text"])


def _record(data: Path, names: Sequence[str]) -> None:
    if not names:
        return
    journal = Journal(data / "audit")
    try:
        journal.append(
            Entry(
                kind=ACTION,
                action="tenants.seed",
                capacity=CONSOLE.role,
                params={"count": len(names), "first": names[0]},
                outcome="ok",
            )
        )
    finally:
        journal.close()
