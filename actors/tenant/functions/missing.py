"""How the desk words that a thing is not there, so that every action says it alike."""

from __future__ import annotations

from actors.errors import NotFound


def contact(contact_id: int) -> NotFound:
    """There is no contact of that id."""
    return NotFound(f"contact {contact_id} is not there: look it up with contacts.find")


def note(note_id: int) -> NotFound:
    """There is no note of that id."""
    return NotFound(f"note {note_id} is not there: look it up with notes.list")


def attachment(attachment_id: int) -> NotFound:
    """There is no attachment of that id."""
    return NotFound(f"attachment {attachment_id} is not there: look it up with tickets.attachments")


def ticket(ticket_id: int) -> NotFound:
    """There is no ticket of that id."""
    return NotFound(f"ticket {ticket_id} is not there: look it up with tickets.list")
