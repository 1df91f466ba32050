"""The Directory: tenants, people, tokens, grants, config and limits, in a database that it alone owns.

Others work from what it tells them: each channel holds the hashes of all tokens in memory, so that finding
out who is calling costs no message and no disk, and reads config and limits from one snapshot a tenant.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import structlog
from sqlalchemy import Connection

from actors.actor import Actor
from actors.admin import (
    book,
    configs,
    grants,
    limits,
    people,
    receipts,
    subscriptions,
    tenancy,
    tokens,
)
from actors.admin.book import Book, Result
from actors.admin.file import open_directory
from actors.admin.messages import Done, Order, SweepDue, TellEverything
from actors.admin.tables import tenants
from actors.epoch import Epoch
from actors.index.entries import ConfigSchemas
from actors.log.messages import ACTION, Append, Entry
from actors.mailbox import Mailbox
from actors.messages import (
    DirectoryChanged,
    Principal,
    Retire,
    Retired,
    TenantRecord,
    TokensUsed,
)
from actors.profiles import Profiles
from actors.registry import Published

log = structlog.get_logger()

HANDLERS: Mapping[type, Callable[[Book, Any, Principal], Result]] = MappingProxyType(
    {
        **tenancy.HANDLERS,
        **people.HANDLERS,
        **tokens.HANDLERS,
        **configs.HANDLERS,
        **subscriptions.HANDLERS,
        **limits.HANDLERS,
        **grants.HANDLERS,
    }
)
"""What does each command and answers each question."""

ENGINE = Principal(id="machine", tenant=None, role="machine")
"""Who asks where nobody gives an order."""


class FindTenantByName(NamedTuple):
    """Ask: the TenantRecord, or None."""

    name: str


class DirectoryFile:
    """directory.db: one transaction for each thing that is asked."""

    def __init__(
        self,
        connection: Connection,
        create_file: Callable[[str], object],
        schemas: Callable[[], ConfigSchemas],
        epoch: Epoch | None = None,
        retiring: set[str] | None = None,
    ) -> None:
        self._connection = connection
        self._create_file = create_file
        self._schemas = schemas
        self._epoch = epoch or Epoch()
        self._retiring = set() if retiring is None else retiring

    def ask(self, query: Any) -> Result:
        """Answer a question."""
        with self._connection.begin():
            return HANDLERS[type(query)](self._book(), query, ENGINE)

    def order(self, order: Order) -> tuple[Done, Book]:
        """Do what is ordered, once; what changed is in the book's news."""
        with self._connection.begin():
            page = self._book()
            known = receipts.recall(page, order.receipt)
            if known is not None:
                return Done(known, replayed=True), page
            result = HANDLERS[type(order.command)](page, order.command, order.by)
            receipts.keep(page, order.receipt, result)
            return Done(result), page

    def read(self, what: Callable[[Book], Any]) -> Any:
        """Whatever is read or done in one transaction."""
        with self._connection.begin():
            return what(self._book())

    def find(self, name: str) -> TenantRecord | None:
        """The tenant of that name."""
        found = self.read(lambda page: book.records(page, tenants.c.name == name))
        return found[0] if found else None

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def _book(self) -> Book:
        return Book(self._connection, self._epoch, self._schemas, self._create_file, self._retiring)


class Directory(Actor):
    """Owns directory.db from on_start until it leaves."""

    def __init__(
        self,
        mailbox: Mailbox,
        path: Path,
        create_file: Callable[[str], object],
        archive: Callable[[str], Path],
        subscribers: Sequence[Mailbox],
        supervisor: Mailbox,
        audit: Mailbox,
        profiles: Profiles,
        tables: Published,
        epoch: Epoch | None = None,
    ) -> None:
        super().__init__(mailbox)
        self._path = path
        self._create_file = create_file
        self._archive = archive
        self._subscribers = subscribers
        self._supervisor = supervisor
        self._audit = audit
        self._profiles = profiles
        self._tables = tables
        self._epoch = epoch or Epoch()
        self._retiring: set[str] = set()
        self._file: DirectoryFile | None = None
        self._handlers: dict[type, Callable[[Any], Any]] = {
            Order: self._order,
            TellEverything: self._tell_everything,
            FindTenantByName: lambda message: self.file.find(message.name),
            TokensUsed: self._note_uses,
            SweepDue: self._sweep,
            Retired: self._retired,
        }

    def on_start(self) -> None:
        """Open the file, end what expired meanwhile, and tell the subscribers what is in it."""
        self._file = DirectoryFile(
            open_directory(self._path),
            self._create_file,
            lambda: self._tables.current.config,
            self._epoch,
            self._retiring,
        )
        self._end_expired()
        for tenant_id, profile in self.file.read(lambda page: list(book.profiles(page))):
            self._profiles.publish(tenant_id, profile)
        self._publish(self.file.read(book.everything))

    def on_stop(self) -> None:
        """Close the file."""
        self.file.close()

    def on_failure(self, *_: Any) -> None:
        """Close the file; the next incarnation opens it again."""
        if self._file is not None:
            self._file.close()

    def on_receive(self, message: Any) -> Any:
        """An Order, a question, or one of the messages above."""
        handler = self._handlers.get(type(message))
        if handler is not None:
            return handler(message)
        if type(message) in HANDLERS:
            return self.file.ask(message)
        raise TypeError(f"the Directory has no handler for {type(message).__name__}")

    @property
    def file(self) -> DirectoryFile:
        """Open from on_start on."""
        assert self._file is not None
        return self._file

    # Orders

    def _order(self, order: Order) -> Done:
        done, page = self.file.order(order)
        self._tell(page)
        return done

    def _tell(self, page: Book) -> None:
        """Snapshots first: whoever hears of the change may look at once."""
        if page.news.profiles:
            changed = page.news.profiles
            for tenant_id, profile in self.file.read(
                lambda fresh: list(book.profiles(fresh, *changed))
            ):
                self._profiles.publish(tenant_id, profile)
        change = self.file.read(page.news.change_as_of)
        if change != DirectoryChanged():
            self._publish(change)

    def _tell_everything(self, message: TellEverything) -> None:
        message.mailbox.tell(self.file.read(book.everything))

    def _note_uses(self, message: TokensUsed) -> None:
        self.file.read(lambda page: tokens.note_uses(page, message.at))

    def _publish(self, change: DirectoryChanged) -> None:
        for subscriber in self._subscribers:
            subscriber.tell(change)

    # What time does

    def _sweep(self, _: SweepDue) -> None:
        self._end_expired()
        for tenant in self.file.read(tenancy.due):
            if tenant.id not in self._retiring:
                self._retiring.add(tenant.id)
                self._supervisor.tell(Retire(tenant, self.mailbox))

    def _end_expired(self) -> None:
        page, over = self.file.read(_expired)
        self._tell(page)
        for grant in over:
            self._record("supers.expired", grant.tenant, grant.tenant_id, grant.person_id, grant.id)

    def _retired(self, message: Retired) -> None:
        """Its file is closed for good: archive it, then forget the tenant."""
        tenant = message.tenant
        try:
            archive = self._archive(tenant.id)
        except Exception as error:  # no disk, say: the next sweep tries again
            log.error("a deleted tenant was not archived", tenant=tenant.name, exc_info=error)
            self._retiring.discard(tenant.id)
            return
        change = self.file.read(lambda page: tenancy.purge(page, tenant))
        self._profiles.forget(tenant.id)
        self._publish(change)
        self._retiring.discard(tenant.id)
        self._record("tenants.deleted", tenant.name, tenant.id, None, archive.name)

    def _record(
        self, action: str, tenant: str, tenant_id: str, person: str | None, message: str
    ) -> None:
        self._audit.tell(
            Append(
                Entry(
                    kind=ACTION,
                    action=action,
                    capacity="machine",
                    person=person,
                    tenant=tenant,
                    tenant_id=tenant_id,
                    outcome="ok",
                    message=message,
                )
            )
        )


def _expired(page: Book) -> tuple[Book, list[Any]]:
    tokens.end_expired(page)
    receipts.forget_old(page)
    return page, grants.end_expired(page)
