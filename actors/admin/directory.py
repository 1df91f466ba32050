"""The Directory: tenants and tokens, in a database of its own that it alone owns.

Others work from what it tells them: the router holds the hashes of all tokens in memory, so that finding
out who is calling costs no message and no disk.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

from sqlalchemy import Connection, Row, Select, insert, select, update

from actors.actor import Actor
from actors.admin.file import open_directory
from actors.admin.tables import tenants, tokens
from actors.errors import AlreadyExists, InvalidArgument, NotFound
from actors.mailbox import Mailbox
from actors.messages import DirectoryChanged, Principal, TenantRecord, Token
from transport.message import TENANT_PATTERN

TENANT_NAME = re.compile(TENANT_PATTERN.replace(r"\z", r"\Z"))

TENANT_ROLES = frozenset({"member", "owner", "admin owner"})

TOKEN_PREFIX = "tnt_"  # noqa: S105 - not a secret: makes tokens recognisable to scanners of repositories


class TellEverything(NamedTuple):
    """Tell this subscriber all there is, as DirectoryChanged: it has just started."""

    mailbox: Mailbox


class CreateTenant(NamedTuple):
    """Ask: make a tenant and its database. Answered by its TenantRecord; AlreadyExists, InvalidArgument."""

    name: str


class IssueToken(NamedTuple):
    """Ask: make a token. Answered by its text, which is kept nowhere; NotFound, InvalidArgument."""

    tenant: str
    role: str
    label: str


class RevokeToken(NamedTuple):
    """Ask: the token with this text is no longer good from the next message on; NotFound."""

    text: str


class FindTenantByName(NamedTuple):
    """Ask: the TenantRecord, or None."""

    name: str


class DirectoryFile:
    """directory.db: what is in it, and the four things that are done with it."""

    def __init__(self, connection: Connection, create_file: Callable[[str], None]) -> None:
        self._connection = connection
        self._create_file = create_file

    def create_tenant(self, name: str) -> TenantRecord:
        """The database file first, then the record: a crash in between leaves a file that nobody names."""
        if not TENANT_NAME.match(name):
            raise InvalidArgument(
                f"{name!r} is no tenant name: use 1-63 of a-z, 0-9 and -, not beginning with -"
            )
        if self.find(name) is not None:
            raise AlreadyExists(f"tenant {name} is there already")
        record = TenantRecord(name, secrets.token_hex(16))
        self._create_file(record.id)
        with self._connection.begin():
            self._connection.execute(
                insert(tenants).values(id=record.id, name=name, created_at=now())
            )
        return record

    def find(self, name: str) -> TenantRecord | None:
        """The tenant of that name."""
        row = self._one(select(tenants.c.name, tenants.c.id).where(tenants.c.name == name))
        return None if row is None else TenantRecord(row.name, row.id)

    def issue_token(self, tenant: str, role: str, label: str) -> tuple[str, Token]:
        """A new token's text, which is returned here and nowhere else, and its record."""
        record = self.find(tenant)
        if record is None:
            raise NotFound(f"tenant {tenant} is not there; create it first")
        if role not in TENANT_ROLES:
            raise InvalidArgument(
                f"{role!r} is no role; use one of {', '.join(sorted(TENANT_ROLES))}"
            )
        text = TOKEN_PREFIX + secrets.token_urlsafe(32)
        token = Token(digest(text), Principal("t_" + secrets.token_hex(8), tenant, role))
        with self._connection.begin():
            self._connection.execute(
                insert(tokens).values(
                    digest=token.digest,
                    id=token.principal.id,
                    tenant_id=record.id,
                    role=role,
                    label=label,
                    created_at=now(),
                )
            )
        return text, token

    def revoke_token(self, text: str) -> bytes:
        """The digest that is no longer good."""
        gone = digest(text)
        with self._connection.begin():
            changed = self._connection.execute(
                update(tokens)
                .where(tokens.c.digest == gone, tokens.c.revoked_at.is_(None))
                .values(revoked_at=now())
            )
        if changed.rowcount == 0:
            raise NotFound("that token is not there, or was revoked before")
        return gone

    def everything(self) -> DirectoryChanged:
        """All tenants and all tokens that are good."""
        known = select(tenants.c.name, tenants.c.id)
        good = (
            select(tokens.c.digest, tokens.c.id, tokens.c.role, tenants.c.name)
            .join(tenants, tenants.c.id == tokens.c.tenant_id)
            .where(tokens.c.revoked_at.is_(None))
        )
        return DirectoryChanged(
            tuple(TenantRecord(row.name, row.id) for row in self._all(known)),
            tuple(
                Token(row.digest, Principal(row.id, row.name, row.role)) for row in self._all(good)
            ),
            complete=True,
        )

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def _all(self, query: Select[Any]) -> Sequence[Row[Any]]:
        with self._connection.begin():
            return self._connection.execute(query).all()

    def _one(self, query: Select[Any]) -> Row[Any] | None:
        rows = self._all(query)
        return rows[0] if rows else None


class Directory(Actor):
    """Owns directory.db from on_start until it leaves."""

    def __init__(
        self,
        mailbox: Mailbox,
        path: Path,
        create_file: Callable[[str], None],
        subscribers: Sequence[Mailbox],
    ) -> None:
        super().__init__(mailbox)
        self._path = path
        self._create_file = create_file
        self._subscribers = subscribers
        self._file: DirectoryFile | None = None

    def on_start(self) -> None:
        """Open the file and tell the subscribers what is in it."""
        self._file = DirectoryFile(open_directory(self._path), self._create_file)
        self._publish(self._file.everything())

    def on_stop(self) -> None:
        """Close the file."""
        self.file.close()

    def on_failure(self, *_: Any) -> None:
        """Close the file; the next incarnation opens it again."""
        if self._file is not None:
            self._file.close()

    def on_receive(self, message: Any) -> Any:
        """TellEverything, CreateTenant, IssueToken, RevokeToken, FindTenantByName."""
        match message:
            case TellEverything(mailbox):
                mailbox.tell(self.file.everything())
                return None
            case CreateTenant(name):
                record = self.file.create_tenant(name)
                self._publish(DirectoryChanged(tenants=(record,)))
                return record
            case IssueToken(tenant, role, label):
                text, token = self.file.issue_token(tenant, role, label)
                self._publish(DirectoryChanged(tokens=(token,)))
                return text
            case RevokeToken(text):
                self._publish(DirectoryChanged(revoked=(self.file.revoke_token(text),)))
                return None
            case FindTenantByName(name):
                return self.file.find(name)
        raise TypeError(f"the Directory has no handler for {type(message).__name__}")

    @property
    def file(self) -> DirectoryFile:
        """Open from on_start on."""
        assert self._file is not None
        return self._file

    def _publish(self, change: DirectoryChanged) -> None:
        for subscriber in self._subscribers:
            subscriber.tell(change)


def digest(text: str) -> bytes:
    """How a token is kept: SHA-256. Tokens are 256 random bits, so a slow hash would add nothing."""
    return sha256(text.encode()).digest()


def now() -> str:
    """UTC, ISO 8601."""
    return datetime.now(UTC).isoformat(timespec="seconds")
