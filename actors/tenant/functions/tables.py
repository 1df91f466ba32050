"""The desk's tables, as the functions see them. The migrations beside this file make them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import (
    BindParameter,
    Column,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    bindparam,
    column,
    table,
)

metadata = MetaData()

contacts = Table(
    "contacts",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", Text, nullable=False),
    Column("email", Text),
    Column("phone", Text),
    Column("company", Text),
    Column("created_at", Text, nullable=False),
    Column("updated_at", Text, nullable=False),
    Column("words", Text, nullable=False),
    sqlite_autoincrement=True,
)
"""A contact's `words` are name, email and company as a search sees them (search_index)."""

contacts_fts = table(
    "contacts_fts",
    column("rowid", Integer),
    column("words", Text),
    column("contacts_fts", Text),
)
"""The full-text index over contacts' words, written by search_index alone.

FTS5 gives every index a hidden column of its own name: MATCH is asked of it, commands are put into it.
"""

notes = Table(
    "notes",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("contact_id", ForeignKey("contacts.id", ondelete="CASCADE"), nullable=False),
    Column("body", Text, nullable=False),
    Column("author", Text, nullable=False),
    Column("created_at", Text, nullable=False),
    Index("notes_contact_id", "contact_id"),
    sqlite_autoincrement=True,
)

tickets = Table(
    "tickets",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("contact_id", ForeignKey("contacts.id", ondelete="RESTRICT"), nullable=False),
    Column("subject", Text, nullable=False),
    Column("body", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("assignee", Text),
    Column("created_at", Text, nullable=False),
    Column("updated_at", Text, nullable=False),
    Index("tickets_contact_id", "contact_id"),
    Index("tickets_state", "state"),
    Index("tickets_assignee", "assignee"),
    sqlite_autoincrement=True,
)

ticket_replies = Table(
    "ticket_replies",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("ticket_id", ForeignKey("tickets.id", ondelete="CASCADE"), nullable=False),
    Column("author", Text, nullable=False),
    Column("sent_by", Text, nullable=False),
    Column("body", Text, nullable=False),
    Column("created_at", Text, nullable=False),
    Column("mail", Text),
    Column("mail_key", Text),
    Index("ticket_replies_ticket_id", "ticket_id"),
    Index("ticket_replies_mail_key", "mail_key", unique=True),
    sqlite_autoincrement=True,
)

ticket_attachments = Table(
    "ticket_attachments",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("ticket_id", ForeignKey("tickets.id", ondelete="CASCADE"), nullable=False),
    Column("name", Text, nullable=False),
    Column("content_type", Text, nullable=False),
    Column("bytes", Integer, nullable=False),
    Column("object_key", Text, nullable=False),
    Column("sent_by", Text, nullable=False),
    Column("created_at", Text, nullable=False),
    Index("ticket_attachments_ticket_id", "ticket_id"),
    sqlite_autoincrement=True,
)

ticket_events = Table(
    "ticket_events",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("ticket_id", ForeignKey("tickets.id", ondelete="CASCADE"), nullable=False),
    Column("event", Text, nullable=False),
    Column("from_state", Text),
    Column("to_state", Text, nullable=False),
    Column("detail", Text),
    Column("actor", Text, nullable=False),
    Column("created_at", Text, nullable=False),
    Index("ticket_events_ticket_id", "ticket_id"),
    sqlite_autoincrement=True,
)


def bound(*names: str) -> dict[str, BindParameter[Any]]:
    """Give each column of an INSERT or UPDATE the bound parameter of its own name."""
    return {name: bindparam(name) for name in names}


def timestamp(moment: datetime) -> str:
    """How a moment (aware, in UTC) is kept in a TEXT column: ISO 8601 in UTC, to the millisecond.

    Every value has the same width, so that text order is time order.
    """
    return f"{moment.replace(tzinfo=None).isoformat(timespec='milliseconds')}Z"
