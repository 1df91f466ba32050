"""The Directory: tenants, people, tokens, grants, config and limits, in a database that it alone owns.

Others work from what it tells them: each channel holds the hashes of all tokens in memory, so that finding
out who is calling costs no message and no disk, and reads config and limits from one snapshot a tenant.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import structlog
from sqlalchemy.exc import OperationalError

from actors.actor import Actor
from actors.admin import book, connectors, grants, receipts, tenancy, tokens
from actors.admin.book import Book
from actors.admin.file import open_directory
from actors.admin.messages import Done, Order, SweepDue, TellEverything
from actors.admin.retirement import Archived, Archiving, Retirements
from actors.admin.transactions import QUESTIONS, Transactions
from actors.admin.vault import Vault
from actors.epoch import Epoch
from actors.errors import Unavailable
from actors.log.messages import ACTION, Append, Entry
from actors.mailbox import Mailbox
from actors.messages import DirectoryChanged, Retired, TokensUsed
from actors.profiles import Profile, Profiles
from actors.published import Published

log = structlog.get_logger()

TOLD: Final = (TellEverything, TokensUsed, SweepDue, Retired, Archived)
"""What nobody waits for an answer to."""

RETRY_MS = 1000
"""What callers are told to wait while the file cannot be used, in milliseconds."""


class Directory(Actor):
    """Owns directory.db from on_start until it leaves."""

    def __init__(
        self,
        mailbox: Mailbox,
        path: Path,
        create_file: Callable[[str], object],
        archive: Archiving,
        subscribers: Sequence[Mailbox],
        supervisor: Mailbox,
        audit: Mailbox,
        profiles: Profiles,
        tables: Published,
        vault: Vault,
        epoch: Epoch | None = None,
    ) -> None:
        super().__init__(mailbox)
        self._path = path
        self._create_file = create_file
        self._subscribers = subscribers
        self._audit = audit
        self._profiles = profiles
        self._tables = tables
        self._vault = vault
        self._epoch = epoch or Epoch()
        self._retirements = Retirements(mailbox, supervisor, archive)
        self._open_file: Transactions | None = None
        self._handlers: dict[type, Callable[[Any], Any]] = {
            Order: self._order,
            TellEverything: self._tell_everything,
            TokensUsed: self._note_uses,
            SweepDue: self._sweep,
            Retired: lambda message: self._retirements.archive(message.tenant),
            Archived: self._archived,
            **dict.fromkeys(QUESTIONS, self._answer_question),
        }

    def on_start(self) -> None:
        """Open the file, end what expired meanwhile, and tell the subscribers what is in it."""
        self._open()

    def on_stop(self) -> None:
        """Close the file."""
        self._close()

    def on_failure(self, *_: Any) -> None:
        """Close the file; the next incarnation opens it again."""
        self._close()

    def on_receive(self, message: Any) -> Any:
        """An Order, a question, or one of the messages above."""
        handler = self._handlers.get(type(message))
        if handler is None:
            raise TypeError(f"the Directory has no handler for {type(message).__name__}")
        try:
            if self._open_file is None:
                self._open()
            return handler(message)
        except OperationalError as error:
            refusal = self._begin_anew(error)
            if isinstance(message, TOLD):
                return None
            raise refusal from error

    # The file

    @property
    def _file(self) -> Transactions:
        assert self._open_file is not None
        return self._open_file

    def _open(self) -> None:
        """What ended while nobody looked is part of everything: told by itself it would seem all there is."""
        self._open_file = Transactions(
            open_directory(self._path),
            self._create_file,
            lambda: self._tables.current.config,
            self._epoch,
            connectors=lambda: self._tables.current.connectors,
            vault=self._vault,
        )
        ended = self._ended_meanwhile()
        self._seal_anew()
        profiles = self._file.run(lambda page: dict(book.profiles(page)))
        _tell_unreadable(profiles)
        self._profiles.replace(profiles)
        self._publish(self._file.run(book.everything))
        self._record_ended(ended)

    def _ended_meanwhile(self) -> Sequence[Any]:
        """A file that cannot be written can be read, and the next sweep tries again."""
        try:
            return self._file.run(_end_expired)[1]
        except OperationalError as error:
            log.error("what has expired could not be marked", exc_info=error)
            return ()

    def _seal_anew(self) -> None:
        """With the first key, so that one that was replaced can go."""
        try:
            count = self._file.run(connectors.seal_anew)
        except OperationalError as error:  # what cannot be written can be read
            log.error("settings of connectors could not be encrypted anew", exc_info=error)
            return
        if count:
            log.info("settings of connectors encrypted anew with the first key", count=count)

    def _close(self) -> None:
        if self._open_file is not None:
            self._open_file.close()
            self._open_file = None

    def _begin_anew(self, error: OperationalError) -> Unavailable:
        """A commit that reports failure may be on disk all the same: read and tell what is there now."""
        log.error("directory.db could not be used", path=str(self._path), exc_info=error)
        self._close()
        try:
            self._open()
        except OperationalError as again:
            log.error("directory.db cannot be opened", path=str(self._path), exc_info=again)
            self._close()
        return Unavailable(
            f"directory.db could not be used ({error.orig}), so that it is not known whether this was done: "
            "see to its disk, and send it again with the same id",
            retry_after_ms=RETRY_MS,
        )

    # Questions and orders

    def _answer_question(self, question: Any) -> Any:
        return self._file.ask(question)

    def _order(self, order: Order) -> Done:
        done, page = self._file.order(order)
        self._tell(page)
        return done

    def _tell(self, page: Book) -> None:
        """Snapshots first: whoever hears of the change may look at once."""
        changed = page.news.profiles
        if changed:
            for tenant_id, profile in self._file.run(
                lambda now: list(book.profiles(now, *changed))
            ):
                self._profiles.publish(tenant_id, profile)
        change = self._file.run(page.news.change_as_of)
        if change != DirectoryChanged():
            self._publish(change)

    def _tell_everything(self, message: TellEverything) -> None:
        message.mailbox.tell(self._file.run(book.everything))

    def _note_uses(self, message: TokensUsed) -> None:
        self._file.run(lambda page: tokens.note_uses(page, message.at))

    def _publish(self, change: DirectoryChanged) -> None:
        if change.complete or change.tenants or change.forgotten:
            self._tables.tenants = self._file.run(book.count_active)
        for subscriber in self._subscribers:
            subscriber.tell(change)

    # What time does

    def _sweep(self, _: SweepDue) -> None:
        page, ended = self._file.run(_end_expired)
        self._tell(page)
        self._record_ended(ended)
        self._retirements.begin(self._file.run(tenancy.retire_due))

    def _archived(self, message: Archived) -> None:
        """The tenant is out of its file; now it leaves this one."""
        backup = self._retirements.end(message)
        if backup is None:
            return
        tenant = message.tenant
        change = self._file.run(lambda page: tenancy.purge(page, tenant))
        self._profiles.forget(tenant.id)
        self._publish(change)
        self._record("tenants.deleted", tenant.name, tenant.id, None, backup.name)

    def _record_ended(self, ended: Sequence[Any]) -> None:
        for grant in ended:
            self._record("supers.expired", grant.tenant, grant.tenant_id, grant.person_id, grant.id)

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


def _tell_unreadable(profiles: Mapping[str, Profile]) -> None:
    """Once, with one of them: where a key is missing it is missing for many."""
    lost = [
        f"{each.connector} of tenant {tenant_id} {each.problem}"
        for tenant_id, profile in profiles.items()
        for each in profile.connectors.values()
        if each.problem is not None
    ]
    if lost:
        log.error("settings of connectors cannot be read", count=len(lost), first=lost[0])


def _end_expired(page: Book) -> tuple[Book, Sequence[Any]]:
    """The news, and the grants that are over."""
    tokens.end_expired(page)
    receipts.forget_old(page)
    return page, grants.end_expired(page)
