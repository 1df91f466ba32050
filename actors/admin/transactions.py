"""What the Directory is asked and ordered, each in one transaction on directory.db."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar

from actors.admin import (
    configs,
    connectors,
    developers,
    grants,
    limits,
    people,
    receipts,
    subscriptions,
    tenancy,
    testers,
    tokens,
)
from actors.admin.book import Book, Result
from actors.admin.file import open_directory, settle, wal_of
from actors.admin.messages import Done, Order
from actors.admin.signs import require_plain
from actors.admin.standing import require_standing
from actors.admin.vault import Vault
from actors.errors import Unavailable
from actors.host.clocks import Epoch
from actors.host.disk import Names
from actors.index.entries import ConfigSchemas, Connector
from actors.messages import Principal

T = TypeVar("T")

QUESTIONS: Mapping[type, Callable[[Book, Any], Result]] = MappingProxyType(
    {
        **tenancy.QUESTIONS,
        **people.QUESTIONS,
        **developers.QUESTIONS,
        **tokens.QUESTIONS,
        **configs.QUESTIONS,
        **subscriptions.QUESTIONS,
        **connectors.QUESTIONS,
        **limits.QUESTIONS,
        **testers.QUESTIONS,
        **grants.QUESTIONS,
    }
)
"""What answers each question."""

COMMANDS: Mapping[type, Callable[[Book, Any, Principal], Result]] = MappingProxyType(
    {
        **tenancy.COMMANDS,
        **people.COMMANDS,
        **developers.COMMANDS,
        **tokens.COMMANDS,
        **configs.COMMANDS,
        **subscriptions.COMMANDS,
        **connectors.COMMANDS,
        **limits.COMMANDS,
        **testers.COMMANDS,
        **grants.COMMANDS,
    }
)
"""What carries out each command."""


class Transactions:
    """directory.db, open; for one actor, or for whoever holds the data directory."""

    def __init__(
        self,
        path: Path,
        create_file: Callable[[str], object],
        schemas: Callable[[], ConfigSchemas],
        epoch: Epoch | None = None,
        *,
        connectors: Callable[[], Mapping[str, Connector]] = dict,
        vault: Vault | None = None,
        age: Callable[[], float] | None = None,
    ) -> None:
        """Without a vault, what is encrypted stays as it is. OSError, SQLAlchemyError or sqlite3.Error."""
        self._path = path
        self._connection = open_directory(path, mode="rw")
        self._names = Names(path, wal_of(path))
        self._create_file = create_file
        self._schemas = schemas
        self._epoch = epoch or Epoch()
        self._age = age or self._epoch.now
        self._connectors = connectors
        self._vault = vault or Vault()

    def ask(self, question: Any) -> Result:
        """Answer a question."""
        return self.read(lambda book: QUESTIONS[type(question)](book, question))

    def order(self, order: Order) -> tuple[Done, Book]:
        """Do what is ordered, once; what changed is in the book's news. TypeError for no command."""
        if type(order.command) not in COMMANDS:
            raise TypeError(f"{type(order.command).__name__} is no command of the Directory")
        return self.run(lambda book: (_done(book, order), book))

    def read(self, what: Callable[[Book], T]) -> T:
        """Whatever is read, in one transaction."""
        with self._connection.begin():
            return what(self._book())

    def run(self, what: Callable[[Book], T]) -> T:
        """Whatever is done, in one transaction, synced; taken back where it raises.

        Unavailable where the file is not in its place any more. After an error of the disk it is not known
        whether it is there: `settle` comes before anything else is done.
        """
        with self._connection.begin():
            result = what(self._book())
            self._require_in_place()
            return result

    def settle(self) -> None:
        """Have on disk what was committed before; OSError or sqlite3.Error where that fails."""
        settle(self._connection, self._path)

    def _require_in_place(self) -> None:
        lost = self._names.lost()
        if lost is not None:
            raise Unavailable(
                f"{lost} was removed or replaced while the server was running, so nothing was done: put that "
                "file back, or start the server again, which goes on from what is there"
            )

    def _book(self) -> Book:
        return Book(
            self._connection,
            self._epoch,
            self._age,
            self._schemas,
            self._create_file,
            self._connectors,
            self._vault,
        )

    def close(self) -> None:
        """Close the file."""
        self._connection.close()


def _done(book: Book, order: Order) -> Done:
    require_standing(book, order)
    known = receipts.recall(book, order.receipt)
    if known is not None:
        return Done(known, replayed=True)
    require_plain(order.command)
    result = COMMANDS[type(order.command)](book, order.command, order.by)
    receipts.keep(book, order.receipt, result)
    return Done(result)
