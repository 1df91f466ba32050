"""What each function of the index is given, and what it returns.

Written by scripts/schema from registry.toml: change that and run it again.
"""

from dataclasses import dataclass
from typing import Any, Literal, NotRequired

from typing_extensions import TypedDict

@dataclass(frozen=True, init=False)
class ContactsAddParams:
    """Params of contacts.add."""

    name: str
    """1 to 200 characters, something to see in it."""
    email: str | None
    """Email, at most 254 characters."""
    phone: str | None
    """1 to 40 characters, something to see in it."""
    company: str | None
    """1 to 200 characters, something to see in it."""
    @property
    def model_fields_set(self) -> set[str]: ...

class ContactsAddResult(TypedDict, closed=True):
    """Result of contacts.add."""

    id: int
    """At least 1."""

@dataclass(frozen=True, init=False)
class ContactsFindParams:
    """Params of contacts.find."""

    text: str | None
    """Blank or absent lists all; case and accents do not count. At most 200 characters."""
    limit: int
    """1 to 100, default `20`."""
    after: str | None
    """`next` of the page before. At most 64 characters."""
    @property
    def model_fields_set(self) -> set[str]: ...

class ContactsFindResult(TypedDict, closed=True):
    """Result of contacts.find."""

    next: str | None
    contacts: list[ContactsFindResultContactsItem]
    """At most 100 items."""

class ContactsFindResultContactsItem(TypedDict, closed=True):
    """In the result of contacts.find."""

    id: int
    """At least 1."""
    name: str
    email: str | None
    phone: str | None
    company: str | None
    created_at: str
    """Date-time."""
    updated_at: str
    """Date-time."""

@dataclass(frozen=True, init=False)
class ContactsGetParams:
    """Params of contacts.get."""

    id: int
    """1 to 9007199254740991."""
    @property
    def model_fields_set(self) -> set[str]: ...

class ContactsGetResult(TypedDict, closed=True):
    """Result of contacts.get."""

    id: int
    """At least 1."""
    name: str
    email: str | None
    phone: str | None
    company: str | None
    created_at: str
    """Date-time."""
    updated_at: str
    """Date-time."""

@dataclass(frozen=True, init=False)
class ContactsImportParams:
    """Params of contacts.import."""

    strict: bool
    """All or none: any problem refuses the message (invalid_argument). Default `false`."""
    rows: list[dict[str, Any]]
    """Each with name, and where known email, phone, company, as in contacts.add. 1 to 1000
    items.
    """
    @property
    def model_fields_set(self) -> set[str]: ...

class ContactsImportResult(TypedDict, closed=True):
    """Result of contacts.import."""

    added: int
    """0 to 1000."""
    refused: int
    """Rows that were not stored. 0 to 1000."""
    problems: list[ContactsImportResultProblemsItem]
    """The first thousand, in the order of the rows. At most 1000 items."""

class ContactsImportResultProblemsItem(TypedDict, closed=True):
    """In the result of contacts.import."""

    row: int
    """Index in rows, from 0. 0 to 999."""
    field: str
    problem: str

@dataclass(frozen=True, init=False)
class ContactsMergeParams:
    """Params of contacts.merge."""

    keep: int
    """Id of the contact that stays. 1 to 9007199254740991."""
    remove: int
    """Id of the contact that goes. 1 to 9007199254740991."""
    @property
    def model_fields_set(self) -> set[str]: ...

class ContactsMergeResult(TypedDict, closed=True):
    """Result of contacts.merge."""

    id: int
    """At least 1."""
    notes_moved: int
    """At least 0."""
    tickets_moved: int
    """At least 0."""

@dataclass(frozen=True, init=False)
class ContactsRemoveParams:
    """Params of contacts.remove."""

    id: int
    """1 to 9007199254740991."""
    @property
    def model_fields_set(self) -> set[str]: ...

class ContactsRemoveResult(TypedDict, closed=True):
    """Result of contacts.remove."""

    id: int
    """At least 1."""

@dataclass(frozen=True, init=False)
class ContactsUpdateParams:
    """Params of contacts.update."""

    id: int
    """1 to 9007199254740991."""
    name: str | None
    """1 to 200 characters, something to see in it."""
    email: str | None
    """Email, at most 254 characters."""
    phone: str | None
    """1 to 40 characters, something to see in it."""
    company: str | None
    """1 to 200 characters, something to see in it."""
    @property
    def model_fields_set(self) -> set[str]: ...

class ContactsUpdateResult(TypedDict, closed=True):
    """Result of contacts.update."""

    id: int
    """At least 1."""
    name: str
    email: str | None
    phone: str | None
    company: str | None
    created_at: str
    """Date-time."""
    updated_at: str
    """Date-time."""

@dataclass(frozen=True, init=False)
class NotesAddParams:
    """Params of notes.add."""

    contact_id: int
    """1 to 9007199254740991."""
    body: str
    """1 to 4000 characters, something to see in it."""
    @property
    def model_fields_set(self) -> set[str]: ...

class NotesAddResult(TypedDict, closed=True):
    """Result of notes.add."""

    id: int
    """At least 1."""

@dataclass(frozen=True, init=False)
class NotesListParams:
    """Params of notes.list."""

    contact_id: int
    """1 to 9007199254740991."""
    limit: int
    """1 to 100, default `20`."""
    after: str | None
    """`next` of the page before. At most 64 characters."""
    @property
    def model_fields_set(self) -> set[str]: ...

class NotesListResult(TypedDict, closed=True):
    """Result of notes.list."""

    next: str | None
    notes: list[NotesListResultNotesItem]
    """At most 100 items."""

class NotesListResultNotesItem(TypedDict, closed=True):
    """In the result of notes.list."""

    id: int
    """At least 1."""
    body: str
    author: str
    """Id of the caller who wrote it."""
    created_at: str
    """Date-time."""

@dataclass(frozen=True, init=False)
class NotesRemoveParams:
    """Params of notes.remove."""

    id: int
    """1 to 9007199254740991."""
    @property
    def model_fields_set(self) -> set[str]: ...

class NotesRemoveResult(TypedDict, closed=True):
    """Result of notes.remove."""

    id: int
    """At least 1."""

@dataclass(frozen=True, init=False)
class ReportsWeeklyParams:
    """Params of reports.weekly."""

    week: str | None
    """Absent is the week before this one. Matches `^[0-9]{4}-W(0[1-9]|[1-4][0-9]|5[0-3])$`."""
    @property
    def model_fields_set(self) -> set[str]: ...

class ReportsWeeklyResult(TypedDict, closed=True):
    """Result of reports.weekly."""

    week: str
    opened: int
    """At least 0."""
    replied: int
    """At least 0."""
    closed: int
    """At least 0."""
    closed_by: list[ReportsWeeklyResultClosedByItem]
    """At most 1000 items."""

class ReportsWeeklyResultClosedByItem(TypedDict, closed=True):
    """In the result of reports.weekly."""

    actor: str
    closed: int
    """At least 0."""

@dataclass(frozen=True, init=False)
class SupportNotSubscribedParams:
    """Params of support.not_subscribed."""

    connector: str
    """1 to 63 characters."""
    operation: str | None
    """At most 128 characters."""
    @property
    def model_fields_set(self) -> set[str]: ...

class SupportNotSubscribedResult(TypedDict, closed=True):
    """Result of support.not_subscribed."""

    user_message: str
    """At most 1000 characters."""

@dataclass(frozen=True, init=False)
class TicketsAssignParams:
    """Params of tickets.assign."""

    id: int
    """1 to 9007199254740991."""
    assignee: str | None
    """1 to 64 characters."""
    @property
    def model_fields_set(self) -> set[str]: ...

class TicketsAssignResult(TypedDict, closed=True):
    """Result of tickets.assign."""

    id: int
    """At least 1."""
    state: Literal["open", "pending", "closed"]
    """One of `"open"`, `"pending"`, `"closed"`."""
    assignee: str | None

@dataclass(frozen=True, init=False)
class TicketsAttachParams:
    """Params of tickets.attach."""

    id: int
    """The ticket's. 1 to 9007199254740991."""
    name: str
    r"""1 to 100 characters, matches `^[^./\\\x00-\x1f\x7f][^/\\\x00-\x1f\x7f]*$`."""
    content: str
    """Base64. 1 to 2796204 characters."""
    content_type: str
    """1 to 100 characters, matches `^[!-~]+/[ -~]+$`, default `"application/octet-stream"`."""
    @property
    def model_fields_set(self) -> set[str]: ...

class TicketsAttachResult(TypedDict, closed=True):
    """Result of tickets.attach."""

    id: int
    """The attachment's. At least 1."""
    bytes: int
    """At least 0."""

@dataclass(frozen=True, init=False)
class TicketsAttachmentParams:
    """Params of tickets.attachment."""

    id: int
    """The attachment's. 1 to 9007199254740991."""
    seconds: int
    """For which the link is good. 10 to 86400, default `900`."""
    @property
    def model_fields_set(self) -> set[str]: ...

class TicketsAttachmentResult(TypedDict, closed=True):
    """Result of tickets.attachment."""

    url: str
    """Whoever has it can read the file: no log shows it. Password."""
    expires_at: float
    """Unix time in seconds."""

@dataclass(frozen=True, init=False)
class TicketsAttachmentsParams:
    """Params of tickets.attachments."""

    id: int
    """1 to 9007199254740991."""
    limit: int
    """1 to 100, default `20`."""
    after: str | None
    """`next` of the page before. At most 64 characters."""
    @property
    def model_fields_set(self) -> set[str]: ...

class TicketsAttachmentsResult(TypedDict, closed=True):
    """Result of tickets.attachments."""

    next: str | None
    attachments: list[TicketsAttachmentsResultAttachmentsItem]
    """At most 100 items."""

class TicketsAttachmentsResultAttachmentsItem(TypedDict, closed=True):
    """In the result of tickets.attachments."""

    id: int
    """At least 1."""
    name: str
    content_type: str
    bytes: int
    """At least 0."""
    sent_by: str
    """Id of the caller who sent it in."""
    created_at: str
    """Date-time."""

@dataclass(frozen=True, init=False)
class TicketsCloseParams:
    """Params of tickets.close."""

    id: int
    """1 to 9007199254740991."""
    reason: str | None
    """Kept in the ticket's history. 1 to 200 characters, something to see in it."""
    @property
    def model_fields_set(self) -> set[str]: ...

class TicketsCloseResult(TypedDict, closed=True):
    """Result of tickets.close."""

    id: int
    """At least 1."""
    state: Literal["open", "pending", "closed"]
    """One of `"open"`, `"pending"`, `"closed"`."""

@dataclass(frozen=True, init=False)
class TicketsEscalateParams:
    """Params of tickets.escalate."""

    id: int
    """1 to 9007199254740991."""
    to: str
    """The supervisor's text id. 1 to 64 characters."""
    reason: str
    """1 to 200 characters, something to see in it."""
    @property
    def model_fields_set(self) -> set[str]: ...

class TicketsEscalateResult(TypedDict, closed=True):
    """Result of tickets.escalate."""

    id: int
    """At least 1."""
    state: Literal["open", "pending", "closed"]
    """One of `"open"`, `"pending"`, `"closed"`."""
    assignee: str
    urgent: bool

@dataclass(frozen=True, init=False)
class TicketsGetParams:
    """Params of tickets.get."""

    id: int
    """1 to 9007199254740991."""
    limit: int
    """Replies on a page. 1 to 100, default `20`."""
    after: str | None
    """`next` of the page before. At most 64 characters."""
    @property
    def model_fields_set(self) -> set[str]: ...

class TicketsGetResult(TypedDict, closed=True):
    """Result of tickets.get."""

    id: int
    """At least 1."""
    contact_id: int
    """At least 1."""
    subject: str
    body: str
    state: Literal["open", "pending", "closed"]
    """One of `"open"`, `"pending"`, `"closed"`."""
    assignee: str | None
    created_at: str
    """Date-time."""
    updated_at: str
    """Date-time."""
    next: str | None
    replies: list[TicketsGetResultRepliesItem]
    """At most 100 items."""

class TicketsGetResultRepliesItem(TypedDict, closed=True):
    """In the result of tickets.get."""

    id: int
    """At least 1."""
    author: Literal["desk", "contact"]
    """One of `"desk"`, `"contact"`."""
    sent_by: str
    """Id of the caller who sent it in."""
    body: str
    created_at: str
    """Date-time."""
    mail: NotRequired[str | None]
    """What became of its mail; null where it was not mailed. Matches `^(sending|sent|failed)$`."""

@dataclass(frozen=True, init=False)
class TicketsHistoryParams:
    """Params of tickets.history."""

    id: int
    """1 to 9007199254740991."""
    limit: int
    """1 to 100, default `20`."""
    after: str | None
    """`next` of the page before. At most 64 characters."""
    @property
    def model_fields_set(self) -> set[str]: ...

class TicketsHistoryResult(TypedDict, closed=True):
    """Result of tickets.history."""

    next: str | None
    events: list[TicketsHistoryResultEventsItem]
    """At most 100 items."""

class TicketsHistoryResultEventsItem(TypedDict, closed=True):
    """In the result of tickets.history."""

    id: int
    """At least 1."""
    event: TicketsHistoryResultEventsItemEvent
    """One of `"opened"`, `"replied"`, `"assigned"`, `"closed"`, `"attached"`, `"mail sent"`,
    `"mail failed"`.
    """
    from_state: str | None
    """null where it was opened."""
    to_state: Literal["open", "pending", "closed"]
    """One of `"open"`, `"pending"`, `"closed"`."""
    detail: str | None
    """The assignee, the reply's author, the reason for closing, the file's name, or why a mail
    failed.
    """
    actor: str
    """Id of the caller who took the step."""
    created_at: str
    """Date-time."""

TicketsHistoryResultEventsItemEvent = Literal[
    "opened",
    "replied",
    "assigned",
    "closed",
    "attached",
    "mail sent",
    "mail failed",
]

@dataclass(frozen=True, init=False)
class TicketsListParams:
    """Params of tickets.list."""

    state: Literal["open", "pending", "closed"] | None
    """One of `"open"`, `"pending"`, `"closed"`."""
    contact_id: int | None
    """1 to 9007199254740991."""
    assignee: str | None
    """null asks for those that nobody deals with. 1 to 64 characters."""
    limit: int
    """1 to 100, default `20`."""
    after: str | None
    """`next` of the page before. At most 64 characters."""
    @property
    def model_fields_set(self) -> set[str]: ...

class TicketsListResult(TypedDict, closed=True):
    """Result of tickets.list."""

    next: str | None
    tickets: list[TicketsListResultTicketsItem]
    """At most 100 items."""

class TicketsListResultTicketsItem(TypedDict, closed=True):
    """In the result of tickets.list."""

    id: int
    """At least 1."""
    contact_id: int
    """At least 1."""
    subject: str
    state: Literal["open", "pending", "closed"]
    """One of `"open"`, `"pending"`, `"closed"`."""
    assignee: str | None
    created_at: str
    """Date-time."""
    updated_at: str
    """Date-time."""

@dataclass(frozen=True, init=False)
class TicketsMailedParams:
    """Params of tickets.mailed."""

    id: int
    """The delivery's. 1 to 9007199254740991."""
    key: str
    """1 to 64 characters."""
    operation: str
    """At most 64 characters."""
    ok: bool
    result: dict[str, Any] | None
    """Of mail.send."""
    error: TicketsMailedParamsError | None
    @property
    def model_fields_set(self) -> set[str]: ...

@dataclass(frozen=True, init=False)
class TicketsMailedParamsError:
    """In the params of tickets.mailed."""

    code: str
    """At most 64 characters."""
    message: str
    """At most 100000 characters."""
    retry_after_ms: int | None
    """0 to 9007199254740991."""
    @property
    def model_fields_set(self) -> set[str]: ...

class TicketsMailedResult(TypedDict, closed=True):
    """Result of tickets.mailed."""

    id: int
    """The ticket's. At least 1."""
    mail: Literal["sent", "failed"]
    """One of `"sent"`, `"failed"`."""

@dataclass(frozen=True, init=False)
class TicketsOpenParams:
    """Params of tickets.open."""

    contact_id: int
    """1 to 9007199254740991."""
    subject: str
    """1 to 200 characters, something to see in it."""
    body: str
    """1 to 4000 characters, something to see in it."""
    assignee: str | None
    """Who deals with it; any text id. 1 to 64 characters."""
    @property
    def model_fields_set(self) -> set[str]: ...

class TicketsOpenResult(TypedDict, closed=True):
    """Result of tickets.open."""

    id: int
    """At least 1."""
    state: Literal["open", "pending", "closed"]
    """One of `"open"`, `"pending"`, `"closed"`."""

@dataclass(frozen=True, init=False)
class TicketsReplyParams:
    """Params of tickets.reply."""

    id: int
    """The ticket's. 1 to 9007199254740991."""
    body: str
    """1 to 4000 characters, something to see in it."""
    author: Literal["desk", "contact"]
    """Whose words these are. One of `"desk"`, `"contact"`, default `"desk"`."""
    @property
    def model_fields_set(self) -> set[str]: ...

class TicketsReplyResult(TypedDict, closed=True):
    """Result of tickets.reply."""

    id: int
    """The reply's. At least 1."""
    state: Literal["open", "pending", "closed"]
    """The ticket's, now. One of `"open"`, `"pending"`, `"closed"`."""
    mail: NotRequired[str | None]
    """null where it is not mailed: no address, no subscription, or the contact's own words.
    Matches `^sending$`.
    """
