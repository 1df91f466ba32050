"""A client of this backend, with a method for each action: Client, and AsyncClient for asyncio.

Written by scripts/schema from registry.toml: change that and run it again.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any, Literal, NotRequired, TypedDict, Unpack, cast

from transport import client as transport_client
from transport.client import Options


class ConfigGetParams(TypedDict):
    """Params of config.get."""


class ConfigGetResult(TypedDict):
    """Result of config.get."""

    revision: int
    """At least 0."""
    settings: dict[str, Any]
    whitelabel: dict[str, Any]


class ContactsAddParams(TypedDict):
    """Params of contacts.add."""

    name: str
    """1 to 200 characters, something to see in it."""
    email: NotRequired[str]
    """Email, at most 254 characters."""
    phone: NotRequired[str]
    """1 to 40 characters, something to see in it."""
    company: NotRequired[str]
    """1 to 200 characters, something to see in it."""


class ContactsAddResult(TypedDict):
    """Result of contacts.add."""

    id: int
    """At least 1."""


class ContactsFindParams(TypedDict):
    """Params of contacts.find."""

    text: NotRequired[str]
    """Blank or absent lists all; case and accents do not count. At most 200 characters."""
    limit: NotRequired[int]
    """1 to 100, default `20`."""
    after: NotRequired[str]
    """`next` of the page before. At most 64 characters."""


class ContactsFindResult(TypedDict):
    """Result of contacts.find."""

    next: str | None
    contacts: list[ContactsFindResultContactsItem]
    """At most 100 items."""


class ContactsFindResultContactsItem(TypedDict):
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


class ContactsGetParams(TypedDict):
    """Params of contacts.get."""

    id: int
    """1 to 9007199254740991."""


class ContactsGetResult(TypedDict):
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


class ContactsImportParams(TypedDict):
    """Params of contacts.import."""

    strict: NotRequired[bool]
    """All or none: any problem refuses the message (invalid_argument). Default `false`."""
    rows: list[dict[str, Any]]
    """Each with name, and where known email, phone, company, as in contacts.add. 1 to 1000
    items.
    """


class ContactsImportResult(TypedDict):
    """Result of contacts.import."""

    added: int
    """0 to 1000."""
    refused: int
    """Rows that were not stored. 0 to 1000."""
    problems: list[ContactsImportResultProblemsItem]
    """The first thousand, in the order of the rows. At most 1000 items."""


class ContactsImportResultProblemsItem(TypedDict):
    """In the result of contacts.import."""

    row: int
    """Index in rows, from 0. 0 to 999."""
    field: str
    problem: str


class ContactsMergeParams(TypedDict):
    """Params of contacts.merge."""

    keep: int
    """Id of the contact that stays. 1 to 9007199254740991."""
    remove: int
    """Id of the contact that goes. 1 to 9007199254740991."""


class ContactsMergeResult(TypedDict):
    """Result of contacts.merge."""

    id: int
    """At least 1."""
    notes_moved: int
    """At least 0."""
    tickets_moved: int
    """At least 0."""


class ContactsRemoveParams(TypedDict):
    """Params of contacts.remove."""

    id: int
    """1 to 9007199254740991."""


class ContactsRemoveResult(TypedDict):
    """Result of contacts.remove."""

    id: int
    """At least 1."""


class ContactsUpdateParams(TypedDict):
    """Params of contacts.update."""

    id: int
    """1 to 9007199254740991."""
    name: NotRequired[str]
    """1 to 200 characters, something to see in it."""
    email: NotRequired[str | None]
    """Email, at most 254 characters."""
    phone: NotRequired[str | None]
    """1 to 40 characters, something to see in it."""
    company: NotRequired[str | None]
    """1 to 200 characters, something to see in it."""


class ContactsUpdateResult(TypedDict):
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


class NotesAddParams(TypedDict):
    """Params of notes.add."""

    contact_id: int
    """1 to 9007199254740991."""
    body: str
    """1 to 4000 characters, something to see in it."""


class NotesAddResult(TypedDict):
    """Result of notes.add."""

    id: int
    """At least 1."""


class NotesListParams(TypedDict):
    """Params of notes.list."""

    contact_id: int
    """1 to 9007199254740991."""
    limit: NotRequired[int]
    """1 to 100, default `20`."""
    after: NotRequired[str]
    """`next` of the page before. At most 64 characters."""


class NotesListResult(TypedDict):
    """Result of notes.list."""

    next: str | None
    notes: list[NotesListResultNotesItem]
    """At most 100 items."""


class NotesListResultNotesItem(TypedDict):
    """In the result of notes.list."""

    id: int
    """At least 1."""
    body: str
    author: str
    """Id of the caller who wrote it."""
    created_at: str
    """Date-time."""


class NotesRemoveParams(TypedDict):
    """Params of notes.remove."""

    id: int
    """1 to 9007199254740991."""


class NotesRemoveResult(TypedDict):
    """Result of notes.remove."""

    id: int
    """At least 1."""


class ReportsWeeklyParams(TypedDict):
    """Params of reports.weekly."""

    week: NotRequired[str]
    """Absent is the week before this one. Matches `^[0-9]{4}-W(0[1-9]|[1-4][0-9]|5[0-3])$`."""


class ReportsWeeklyResult(TypedDict):
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


class ReportsWeeklyResultClosedByItem(TypedDict):
    """In the result of reports.weekly."""

    actor: str
    closed: int
    """At least 0."""


class RequestsAnswerParams(TypedDict):
    """Params of requests.answer."""

    request: str
    text: str
    """May have several lines. 1 to 2000 characters, something to see in it."""


class RequestsAnswerResult(TypedDict):
    """Result of requests.answer."""

    request: RequestsAnswerResultRequestHead


class RequestsAnswerResultRequestHead(TypedDict):
    """In the result of requests.answer."""

    id: str
    state: RequestsAnswerResultRequestState
    priority: Literal["low", "normal", "high", "urgent"]
    votes: int
    """Of tenants, one each. At least 0."""
    changed_at: str
    """Date-time."""


RequestsAnswerResultRequestState = Literal[
    "open",
    "linked",
    "in release",
    "released",
    "declined",
    "closed",
]


class RequestsListParams(TypedDict):
    """Params of requests.list."""

    published: NotRequired[bool]
    """Those that every tenant may vote for. Default `false`."""
    state: NotRequired[RequestsListParamsRequestState]
    function: NotRequired[str]
    """About this action, or served by a version of it; or a connector. 1 to 128 characters."""
    priority: NotRequired[Literal["low", "normal", "high", "urgent"]]
    text: NotRequired[str]
    """What its text or title contains. 1 to 200 characters."""
    sort: NotRequired[Literal["newest", "votes", "priority"]]
    """One of `"newest"`, `"votes"`, `"priority"`, default `"newest"`."""
    after: NotRequired[str]
    """`next` of the page before. At most 40 characters, matches `^([0-9]{1,18} [0-9]{1,18})?$`,
    default `""`.
    """
    limit: NotRequired[int]
    """1 to 200, default `50`."""


RequestsListParamsRequestState = Literal[
    "open",
    "linked",
    "in release",
    "released",
    "declined",
    "closed",
]


class RequestsListResult(TypedDict):
    """Result of requests.list."""

    requests: list[RequestsListResultRequest]
    """At most 200 items."""
    counts: dict[str, int]
    """How many there are in each state, whatever was asked for."""
    next: str | None
    """At most 40 characters."""


class RequestsListResultRequest(TypedDict):
    """In the result of requests.list."""

    id: str
    tenant: str | None
    """Null where another tenant submitted it. At most 63 characters."""
    by: str | None
    """A person's id; null where a developer submitted it for the tenant. At most 18 characters."""
    text: str
    """Of another tenant's, the title. At most 2000 characters."""
    title: str | None
    """What every tenant reads; null where it is not published. At most 200 characters."""
    function: str | None
    """The action that it is about. At most 128 characters."""
    state: RequestsListResultRequestState
    priority: Literal["low", "normal", "high", "urgent"]
    votes: int
    """At least 0."""
    voted: bool
    """Whether the tenant of this call has voted for it."""
    created_at: str
    """Date-time."""
    changed_at: str
    """Date-time."""
    answer: str | None
    """The latest. At most 2000 characters."""
    release: RequestsListResultRequestRelease | None
    versions: list[RequestsListResultRequestVersionsItem]
    """That serve it. At most 1000 items."""


RequestsListResultRequestState = Literal[
    "open",
    "linked",
    "in release",
    "released",
    "declined",
    "closed",
]


class RequestsListResultRequestRelease(TypedDict):
    """Where, when and in what it was released; null before."""

    environment: str
    at: str
    """Date-time."""
    release: str | None
    """The release's id; null where versions were moved one by one. At most 200 characters."""
    function: str | None
    """At most 128 characters."""
    connector: str | None
    """At most 128 characters."""
    version: int


class RequestsListResultRequestVersionsItem(TypedDict):
    """In the result of requests.list."""

    kind: Literal["function", "connector"]
    """One of `"function"`, `"connector"`."""
    name: str
    """At most 128 characters."""
    version: int
    """0 while there is none. At least 0."""
    state: str | None


class RequestsShowParams(TypedDict):
    """Params of requests.show."""

    request: str


class RequestsShowResult(TypedDict):
    """Result of requests.show."""

    request: RequestsShowResultRequest
    events: list[RequestsShowResultRequestEvent]
    """The oldest first. At most 500 items."""


class RequestsShowResultRequest(TypedDict):
    """In the result of requests.show."""

    id: str
    tenant: str | None
    """Null where another tenant submitted it. At most 63 characters."""
    by: str | None
    """A person's id; null where a developer submitted it for the tenant. At most 18 characters."""
    text: str
    """Of another tenant's, the title. At most 2000 characters."""
    title: str | None
    """What every tenant reads; null where it is not published. At most 200 characters."""
    function: str | None
    """The action that it is about. At most 128 characters."""
    state: RequestsShowResultRequestState
    priority: Literal["low", "normal", "high", "urgent"]
    votes: int
    """At least 0."""
    voted: bool
    """Whether the tenant of this call has voted for it."""
    created_at: str
    """Date-time."""
    changed_at: str
    """Date-time."""
    answer: str | None
    """The latest. At most 2000 characters."""
    release: RequestsShowResultRequestRelease | None
    versions: list[RequestsShowResultRequestVersionsItem]
    """That serve it. At most 1000 items."""


RequestsShowResultRequestState = Literal[
    "open",
    "linked",
    "in release",
    "released",
    "declined",
    "closed",
]


class RequestsShowResultRequestRelease(TypedDict):
    """Where, when and in what it was released; null before."""

    environment: str
    at: str
    """Date-time."""
    release: str | None
    """The release's id; null where versions were moved one by one. At most 200 characters."""
    function: str | None
    """At most 128 characters."""
    connector: str | None
    """At most 128 characters."""
    version: int


class RequestsShowResultRequestVersionsItem(TypedDict):
    """In the result of requests.show."""

    kind: Literal["function", "connector"]
    """One of `"function"`, `"connector"`."""
    name: str
    """At most 128 characters."""
    version: int
    """0 while there is none. At least 0."""
    state: str | None


class RequestsShowResultRequestEvent(TypedDict):
    """In the result of requests.show."""

    at: str
    """Date-time."""
    kind: str
    """At most 16 characters."""
    by: str
    """A person's id, console or machine; for people of the platform `developer`. At most 18
    characters.
    """
    text: str | None
    """At most 2000 characters."""


class RequestsSubmitParams(TypedDict):
    """Params of requests.submit."""

    text: str
    """May have several lines. 1 to 2000 characters, something to see in it."""
    function: NotRequired[str]
    """Name of the action that it is about, if there is one. 1 to 128 characters."""


class RequestsSubmitResult(TypedDict):
    """Result of requests.submit."""

    request: RequestsSubmitResultRequestHead


class RequestsSubmitResultRequestHead(TypedDict):
    """In the result of requests.submit."""

    id: str
    state: RequestsSubmitResultRequestState
    priority: Literal["low", "normal", "high", "urgent"]
    votes: int
    """Of tenants, one each. At least 0."""
    changed_at: str
    """Date-time."""


RequestsSubmitResultRequestState = Literal[
    "open",
    "linked",
    "in release",
    "released",
    "declined",
    "closed",
]


class RequestsVoteParams(TypedDict):
    """Params of requests.vote."""

    request: str
    vote: NotRequired[bool]
    """False takes it back. Default `true`."""


class RequestsVoteResult(TypedDict):
    """Result of requests.vote."""

    request: RequestsVoteResultRequestHead


class RequestsVoteResultRequestHead(TypedDict):
    """In the result of requests.vote."""

    id: str
    state: RequestsVoteResultRequestState
    priority: Literal["low", "normal", "high", "urgent"]
    votes: int
    """Of tenants, one each. At least 0."""
    changed_at: str
    """Date-time."""


RequestsVoteResultRequestState = Literal[
    "open",
    "linked",
    "in release",
    "released",
    "declined",
    "closed",
]


class RequestsWithdrawParams(TypedDict):
    """Params of requests.withdraw."""

    request: str
    why: str
    """Everyone who reads the request reads it. 1 to 500 characters, something to see in it."""
    expected: NotRequired[str]


class RequestsWithdrawResult(TypedDict):
    """Result of requests.withdraw."""

    request: RequestsWithdrawResultRequestHead


class RequestsWithdrawResultRequestHead(TypedDict):
    """In the result of requests.withdraw."""

    id: str
    state: RequestsWithdrawResultRequestState
    priority: Literal["low", "normal", "high", "urgent"]
    votes: int
    """Of tenants, one each. At least 0."""
    changed_at: str
    """Date-time."""


RequestsWithdrawResultRequestState = Literal[
    "open",
    "linked",
    "in release",
    "released",
    "declined",
    "closed",
]


class SupportNotSubscribedParams(TypedDict):
    """Params of support.not_subscribed."""

    connector: str
    """1 to 63 characters."""
    operation: NotRequired[str]
    """At most 128 characters."""


class SupportNotSubscribedResult(TypedDict):
    """Result of support.not_subscribed."""

    user_message: str
    """At most 1000 characters."""


class SystemDescribeParams(TypedDict):
    """Params of system.describe."""

    action: NotRequired[str]
    """Only this one. At most 128 characters."""
    prefix: NotRequired[str]
    """Only names that begin so. At most 128 characters, default `""`."""
    after: NotRequired[str]
    """`next` of the page before. At most 128 characters, default `""`."""
    limit: NotRequired[int]
    """1 to 200, default `50`."""


class SystemDescribeResult(TypedDict):
    """Result of system.describe."""

    environment: str
    index: str
    """Digest of the index: changes when the index does."""
    screening: list[str]
    """Engines that screen the params of every action."""
    actions: list[SystemDescribeResultActionsItem]
    """At most 200 items."""
    next: str | None
    """Hand it on as `after`; null: no more."""


class SystemDescribeResultActionsItem(TypedDict):
    """In the result of system.describe."""

    name: NotRequired[str]
    summary: NotRequired[str]
    access: NotRequired[SystemDescribeResultActionsItemAccess]
    """One of `"public"`, `"member"`, `"owner"`, `"admin owner"`, `"developer"`, `"developer
    admin"`, `"any token"`.
    """
    area: NotRequired[SystemDescribeResultActionsItemArea]
    """What an owner needs besides. One of `null`, `"members"`, `"config"`, `"subscriptions"`,
    `"tokens"`, `"backups"`, `"testers"`.
    """
    platform: NotRequired[Literal[None, "developer", "developer admin"]]
    """The level of the platform that may call it too. One of `null`, `"developer"`, `"developer
    admin"`.
    """
    channel: NotRequired[Literal["data", "admin", "both"]]
    """One of `"data"`, `"admin"`, `"both"`."""
    effect: NotRequired[Literal["read", "write"]]
    """One of `"read"`, `"write"`."""
    version: NotRequired[int]
    """0 where none is written. At least 0."""
    state: NotRequired[SystemDescribeResultActionsItemState]
    """One of `"dummy"`, `"erroring"`, `"under dev"`, `"potential release"`, `"under user test"`,
    `"release"`, `"reverted"`.
    """
    requests: NotRequired[list[str]]
    """That this version serves, for developers; absent if none."""
    reason: NotRequired[str]
    """Why this version; `none served` if it is not."""
    params: NotRequired[dict[str, Any]]
    """JSON Schema 2020-12."""
    result: NotRequired[dict[str, Any]]
    """JSON Schema 2020-12."""


SystemDescribeResultActionsItemAccess = Literal[
    "public",
    "member",
    "owner",
    "admin owner",
    "developer",
    "developer admin",
    "any token",
]


SystemDescribeResultActionsItemArea = Literal[
    None,
    "members",
    "config",
    "subscriptions",
    "tokens",
    "backups",
    "testers",
]


SystemDescribeResultActionsItemState = Literal[
    "dummy",
    "erroring",
    "under dev",
    "potential release",
    "under user test",
    "release",
    "reverted",
]


class SystemOriginParams(TypedDict):
    """Params of system.origin."""

    origin: str
    """At most 300 characters."""


class SystemOriginResult(TypedDict):
    """Result of system.origin."""

    allowed: bool
    """False also if there is no such tenant, or none is named."""


class SystemPingParams(TypedDict):
    """Params of system.ping."""


class SystemPingResult(TypedDict):
    """Result of system.ping."""

    pong: Literal[True]
    """Always `true`."""
    version: str
    """Of the server."""
    environment: str
    time: str
    """The server's, in UTC. Date-time."""


class SystemWhoamiParams(TypedDict):
    """Params of system.whoami."""


class SystemWhoamiResult(TypedDict):
    """Result of system.whoami."""

    id: str
    """The same for every message under one token."""
    person: str | None
    """Whom it was issued to."""
    tenant: str | None
    """null for a platform token."""
    role: SystemWhoamiResultRole
    """One of `"admin owner"`, `"developer"`, `"developer admin"`, `"member"`, `"owner"`, `"super
    admin"`.
    """
    areas: list[SystemWhoamiResultAreasItem]
    """What is delegated to an owner; the admin owner has all without that."""
    scope: list[str] | None
    """The only actions it is good for; null for all that the role may call."""
    expires: str | None
    """null for never. Date-time."""


SystemWhoamiResultRole = Literal[
    "admin owner",
    "developer",
    "developer admin",
    "member",
    "owner",
    "super admin",
]


SystemWhoamiResultAreasItem = Literal[
    "members",
    "config",
    "subscriptions",
    "tokens",
    "backups",
    "testers",
]


class TicketsAssignParams(TypedDict):
    """Params of tickets.assign."""

    id: int
    """1 to 9007199254740991."""
    assignee: str | None
    """1 to 64 characters."""


class TicketsAssignResult(TypedDict):
    """Result of tickets.assign."""

    id: int
    """At least 1."""
    state: Literal["open", "pending", "closed"]
    """One of `"open"`, `"pending"`, `"closed"`."""
    assignee: str | None


class TicketsAttachParams(TypedDict):
    """Params of tickets.attach."""

    id: int
    """The ticket's. 1 to 9007199254740991."""
    name: str
    r"""1 to 100 characters, matches `^[^./\\\x00-\x1f\x7f][^/\\\x00-\x1f\x7f]*$`."""
    content: str
    """Base64. 1 to 2796204 characters."""
    content_type: NotRequired[str]
    """1 to 100 characters, matches `^[!-~]+/[ -~]+$`, default `"application/octet-stream"`."""


class TicketsAttachResult(TypedDict):
    """Result of tickets.attach."""

    id: int
    """The attachment's. At least 1."""
    bytes: int
    """At least 0."""


class TicketsAttachmentParams(TypedDict):
    """Params of tickets.attachment."""

    id: int
    """The attachment's. 1 to 9007199254740991."""
    seconds: NotRequired[int]
    """For which the link is good. 10 to 86400, default `900`."""


class TicketsAttachmentResult(TypedDict):
    """Result of tickets.attachment."""

    url: str
    """Whoever has it can read the file: no log shows it. Password."""
    expires_at: float
    """Unix time in seconds."""


class TicketsAttachmentsParams(TypedDict):
    """Params of tickets.attachments."""

    id: int
    """1 to 9007199254740991."""
    limit: NotRequired[int]
    """1 to 100, default `20`."""
    after: NotRequired[str]
    """`next` of the page before. At most 64 characters."""


class TicketsAttachmentsResult(TypedDict):
    """Result of tickets.attachments."""

    next: str | None
    attachments: list[TicketsAttachmentsResultAttachmentsItem]
    """At most 100 items."""


class TicketsAttachmentsResultAttachmentsItem(TypedDict):
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


class TicketsCloseParams(TypedDict):
    """Params of tickets.close."""

    id: int
    """1 to 9007199254740991."""
    reason: NotRequired[str]
    """Kept in the ticket's history. 1 to 200 characters, something to see in it."""


class TicketsCloseResult(TypedDict):
    """Result of tickets.close."""

    id: int
    """At least 1."""
    state: Literal["open", "pending", "closed"]
    """One of `"open"`, `"pending"`, `"closed"`."""


class TicketsEscalateParams(TypedDict):
    """Params of tickets.escalate."""

    id: int
    """1 to 9007199254740991."""
    to: str
    """The supervisor's text id. 1 to 64 characters."""
    reason: str
    """1 to 200 characters, something to see in it."""


class TicketsEscalateResult(TypedDict):
    """Result of tickets.escalate."""

    id: int
    """At least 1."""
    state: Literal["open", "pending", "closed"]
    """One of `"open"`, `"pending"`, `"closed"`."""
    assignee: str
    urgent: bool


class TicketsGetParams(TypedDict):
    """Params of tickets.get."""

    id: int
    """1 to 9007199254740991."""
    limit: NotRequired[int]
    """Replies on a page. 1 to 100, default `20`."""
    after: NotRequired[str]
    """`next` of the page before. At most 64 characters."""


class TicketsGetResult(TypedDict):
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


class TicketsGetResultRepliesItem(TypedDict):
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


class TicketsHistoryParams(TypedDict):
    """Params of tickets.history."""

    id: int
    """1 to 9007199254740991."""
    limit: NotRequired[int]
    """1 to 100, default `20`."""
    after: NotRequired[str]
    """`next` of the page before. At most 64 characters."""


class TicketsHistoryResult(TypedDict):
    """Result of tickets.history."""

    next: str | None
    events: list[TicketsHistoryResultEventsItem]
    """At most 100 items."""


class TicketsHistoryResultEventsItem(TypedDict):
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


class TicketsListParams(TypedDict):
    """Params of tickets.list."""

    state: NotRequired[Literal["open", "pending", "closed"]]
    """One of `"open"`, `"pending"`, `"closed"`."""
    contact_id: NotRequired[int]
    """1 to 9007199254740991."""
    assignee: NotRequired[str | None]
    """null asks for those that nobody deals with. 1 to 64 characters."""
    limit: NotRequired[int]
    """1 to 100, default `20`."""
    after: NotRequired[str]
    """`next` of the page before. At most 64 characters."""


class TicketsListResult(TypedDict):
    """Result of tickets.list."""

    next: str | None
    tickets: list[TicketsListResultTicketsItem]
    """At most 100 items."""


class TicketsListResultTicketsItem(TypedDict):
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


class TicketsMailedParams(TypedDict):
    """Params of tickets.mailed."""

    id: int
    """The delivery's. 1 to 9007199254740991."""
    key: str
    """1 to 64 characters."""
    operation: str
    """At most 64 characters."""
    ok: bool
    result: NotRequired[dict[str, Any]]
    """Of mail.send."""
    error: NotRequired[TicketsMailedParamsError]


class TicketsMailedParamsError(TypedDict):
    """In the params of tickets.mailed."""

    code: str
    """At most 64 characters."""
    message: str
    """At most 100000 characters."""
    retry_after_ms: NotRequired[int]
    """0 to 9007199254740991."""


class TicketsMailedResult(TypedDict):
    """Result of tickets.mailed."""

    id: int
    """The ticket's. At least 1."""
    mail: Literal["sent", "failed"]
    """One of `"sent"`, `"failed"`."""


class TicketsOpenParams(TypedDict):
    """Params of tickets.open."""

    contact_id: int
    """1 to 9007199254740991."""
    subject: str
    """1 to 200 characters, something to see in it."""
    body: str
    """1 to 4000 characters, something to see in it."""
    assignee: NotRequired[str]
    """Who deals with it; any text id. 1 to 64 characters."""


class TicketsOpenResult(TypedDict):
    """Result of tickets.open."""

    id: int
    """At least 1."""
    state: Literal["open", "pending", "closed"]
    """One of `"open"`, `"pending"`, `"closed"`."""


class TicketsReplyParams(TypedDict):
    """Params of tickets.reply."""

    id: int
    """The ticket's. 1 to 9007199254740991."""
    body: str
    """1 to 4000 characters, something to see in it."""
    author: NotRequired[Literal["desk", "contact"]]
    """Whose words these are. One of `"desk"`, `"contact"`, default `"desk"`."""


class TicketsReplyResult(TypedDict):
    """Result of tickets.reply."""

    id: int
    """The reply's. At least 1."""
    state: Literal["open", "pending", "closed"]
    """The ticket's, now. One of `"open"`, `"pending"`, `"closed"`."""
    mail: NotRequired[str | None]
    """null where it is not mailed: no address, no subscription, or the contact's own words.
    Matches `^sending$`.
    """


class ConfigActions:
    """Actions whose names begin with `config.`."""

    def __init__(self, client: transport_client.Client) -> None:
        self._client = client

    def get(
        self, _options: Options | None = None, /, **params: Unpack[ConfigGetParams]
    ) -> ConfigGetResult:
        """Read the tenant's config: settings and whitelabel."""
        answer = self._client.call("config.get", params, **(_options or {}))
        return cast(ConfigGetResult, answer)


class ContactsActions:
    """Actions whose names begin with `contacts.`."""

    def __init__(self, client: transport_client.Client) -> None:
        self._client = client

    def add(
        self, _options: Options | None = None, /, **params: Unpack[ContactsAddParams]
    ) -> ContactsAddResult:
        """Add a contact to the tenant's address book."""
        answer = self._client.call("contacts.add", params, **(_options or {}))
        return cast(ContactsAddResult, answer)

    def find(
        self, _options: Options | None = None, /, **params: Unpack[ContactsFindParams]
    ) -> ContactsFindResult:
        """Call contacts.find.

        Find contacts by words of their name, email or company, or list them all; a page, by
        id.
        """
        answer = self._client.call("contacts.find", params, **(_options or {}))
        return cast(ContactsFindResult, answer)

    def get(
        self, _options: Options | None = None, /, **params: Unpack[ContactsGetParams]
    ) -> ContactsGetResult:
        """Show one contact."""
        answer = self._client.call("contacts.get", params, **(_options or {}))
        return cast(ContactsGetResult, answer)

    def import_(
        self, _options: Options | None = None, /, **params: Unpack[ContactsImportParams]
    ) -> ContactsImportResult:
        """Add up to 1,000 contacts at once; rows that are wrong are reported, the others stored."""
        answer = self._client.call("contacts.import", params, **(_options or {}))
        return cast(ContactsImportResult, answer)

    def merge(
        self, _options: Options | None = None, /, **params: Unpack[ContactsMergeParams]
    ) -> ContactsMergeResult:
        """Make one contact of two: move notes and tickets from one to the other, then remove it."""
        answer = self._client.call("contacts.merge", params, **(_options or {}))
        return cast(ContactsMergeResult, answer)

    def remove(
        self, _options: Options | None = None, /, **params: Unpack[ContactsRemoveParams]
    ) -> ContactsRemoveResult:
        """Call contacts.remove.

        Remove a contact and the notes on it; refused (failed_precondition) while it has
        tickets.
        """
        answer = self._client.call("contacts.remove", params, **(_options or {}))
        return cast(ContactsRemoveResult, answer)

    def update(
        self, _options: Options | None = None, /, **params: Unpack[ContactsUpdateParams]
    ) -> ContactsUpdateResult:
        """Call contacts.update.

        Change the given fields of a contact; null empties a field, an absent one stays as it
        is.
        """
        answer = self._client.call("contacts.update", params, **(_options or {}))
        return cast(ContactsUpdateResult, answer)


class NotesActions:
    """Actions whose names begin with `notes.`."""

    def __init__(self, client: transport_client.Client) -> None:
        self._client = client

    def add(
        self, _options: Options | None = None, /, **params: Unpack[NotesAddParams]
    ) -> NotesAddResult:
        """Write a note on a contact, signed with the caller's id."""
        answer = self._client.call("notes.add", params, **(_options or {}))
        return cast(NotesAddResult, answer)

    def list(
        self, _options: Options | None = None, /, **params: Unpack[NotesListParams]
    ) -> NotesListResult:
        """List the notes on one contact, newest first, a page at a time."""
        answer = self._client.call("notes.list", params, **(_options or {}))
        return cast(NotesListResult, answer)

    def remove(
        self, _options: Options | None = None, /, **params: Unpack[NotesRemoveParams]
    ) -> NotesRemoveResult:
        """Remove a note for good."""
        answer = self._client.call("notes.remove", params, **(_options or {}))
        return cast(NotesRemoveResult, answer)


class ReportsActions:
    """Actions whose names begin with `reports.`."""

    def __init__(self, client: transport_client.Client) -> None:
        self._client = client

    def weekly(
        self, _options: Options | None = None, /, **params: Unpack[ReportsWeeklyParams]
    ) -> ReportsWeeklyResult:
        """Count the tickets of one week: opened, replied to, closed, and closed by whom."""
        answer = self._client.call("reports.weekly", params, **(_options or {}))
        return cast(ReportsWeeklyResult, answer)


class RequestsActions:
    """Actions whose names begin with `requests.`."""

    def __init__(self, client: transport_client.Client) -> None:
        self._client = client

    def answer(
        self, _options: Options | None = None, /, **params: Unpack[RequestsAnswerParams]
    ) -> RequestsAnswerResult:
        """Answer a request; people of its own tenant add a comment."""
        answer = self._client.call("requests.answer", params, **(_options or {}))
        return cast(RequestsAnswerResult, answer)

    def list(
        self, _options: Options | None = None, /, **params: Unpack[RequestsListParams]
    ) -> RequestsListResult:
        """Call requests.list.

        List the tenant's requests, or those that every tenant may vote for; developers: of
        all tenants.
        """
        answer = self._client.call("requests.list", params, **(_options or {}))
        return cast(RequestsListResult, answer)

    def show(
        self, _options: Options | None = None, /, **params: Unpack[RequestsShowParams]
    ) -> RequestsShowResult:
        """Show one request with its answers, links and changes."""
        answer = self._client.call("requests.show", params, **(_options or {}))
        return cast(RequestsShowResult, answer)

    def submit(
        self, _options: Options | None = None, /, **params: Unpack[RequestsSubmitParams]
    ) -> RequestsSubmitResult:
        """Submit a request: what you wish the product could do; your tenant votes for it."""
        answer = self._client.call("requests.submit", params, **(_options or {}))
        return cast(RequestsSubmitResult, answer)

    def vote(
        self, _options: Options | None = None, /, **params: Unpack[RequestsVoteParams]
    ) -> RequestsVoteResult:
        """Give your tenant's one vote to a request, or take it back."""
        answer = self._client.call("requests.vote", params, **(_options or {}))
        return cast(RequestsVoteResult, answer)

    def withdraw(
        self, _options: Options | None = None, /, **params: Unpack[RequestsWithdrawParams]
    ) -> RequestsWithdrawResult:
        """Call requests.withdraw.

        Withdraw a request of your tenant that is no longer wanted; members withdraw their own
        only.
        """
        answer = self._client.call("requests.withdraw", params, **(_options or {}))
        return cast(RequestsWithdrawResult, answer)


class SupportActions:
    """Actions whose names begin with `support.`."""

    def __init__(self, client: transport_client.Client) -> None:
        self._client = client

    def not_subscribed(
        self, _options: Options | None = None, /, **params: Unpack[SupportNotSubscribedParams]
    ) -> SupportNotSubscribedResult:
        """Call support.not_subscribed.

        Word for end users that their company has not subscribed to a connector. The engine
        asks.
        """
        answer = self._client.call("support.not_subscribed", params, **(_options or {}))
        return cast(SupportNotSubscribedResult, answer)


class SystemActions:
    """Actions whose names begin with `system.`."""

    def __init__(self, client: transport_client.Client) -> None:
        self._client = client

    def describe(
        self, _options: Options | None = None, /, **params: Unpack[SystemDescribeParams]
    ) -> SystemDescribeResult:
        """Ask what you may call here."""
        answer = self._client.call("system.describe", params, **(_options or {}))
        return cast(SystemDescribeResult, answer)

    def origin(
        self, _options: Options | None = None, /, **params: Unpack[SystemOriginParams]
    ) -> SystemOriginResult:
        """Ask whether pages of an origin may call the tenant."""
        answer = self._client.call("system.origin", params, **(_options or {}))
        return cast(SystemOriginResult, answer)

    def ping(
        self, _options: Options | None = None, /, **params: Unpack[SystemPingParams]
    ) -> SystemPingResult:
        """Ask whether the server answers."""
        answer = self._client.call("system.ping", params, **(_options or {}))
        return cast(SystemPingResult, answer)

    def whoami(
        self, _options: Options | None = None, /, **params: Unpack[SystemWhoamiParams]
    ) -> SystemWhoamiResult:
        """Ask whom the token stands for."""
        answer = self._client.call("system.whoami", params, **(_options or {}))
        return cast(SystemWhoamiResult, answer)


class TicketsActions:
    """Actions whose names begin with `tickets.`."""

    def __init__(self, client: transport_client.Client) -> None:
        self._client = client

    def assign(
        self, _options: Options | None = None, /, **params: Unpack[TicketsAssignParams]
    ) -> TicketsAssignResult:
        """Call tickets.assign.

        Give a ticket to somebody, or with null to nobody; refused (failed_precondition) once
        closed.
        """
        answer = self._client.call("tickets.assign", params, **(_options or {}))
        return cast(TicketsAssignResult, answer)

    def attach(
        self, _options: Options | None = None, /, **params: Unpack[TicketsAttachParams]
    ) -> TicketsAttachResult:
        """Keep a file with a ticket, in the tenant's bucket."""
        answer = self._client.call("tickets.attach", params, **(_options or {}))
        return cast(TicketsAttachResult, answer)

    def attachment(
        self, _options: Options | None = None, /, **params: Unpack[TicketsAttachmentParams]
    ) -> TicketsAttachmentResult:
        """Make a link by which one attached file can be read for a while."""
        answer = self._client.call("tickets.attachment", params, **(_options or {}))
        return cast(TicketsAttachmentResult, answer)

    def attachments(
        self, _options: Options | None = None, /, **params: Unpack[TicketsAttachmentsParams]
    ) -> TicketsAttachmentsResult:
        """List the files kept with a ticket, oldest first; a page at a time."""
        answer = self._client.call("tickets.attachments", params, **(_options or {}))
        return cast(TicketsAttachmentsResult, answer)

    def close(
        self, _options: Options | None = None, /, **params: Unpack[TicketsCloseParams]
    ) -> TicketsCloseResult:
        """Close a ticket; refused (failed_precondition) where it is closed already."""
        answer = self._client.call("tickets.close", params, **(_options or {}))
        return cast(TicketsCloseResult, answer)

    def escalate(
        self, _options: Options | None = None, /, **params: Unpack[TicketsEscalateParams]
    ) -> TicketsEscalateResult:
        """Hand a ticket to a supervisor and mark it urgent."""
        answer = self._client.call("tickets.escalate", params, **(_options or {}))
        return cast(TicketsEscalateResult, answer)

    def get(
        self, _options: Options | None = None, /, **params: Unpack[TicketsGetParams]
    ) -> TicketsGetResult:
        """Show one ticket with the replies to it, oldest first, a page of replies at a time."""
        answer = self._client.call("tickets.get", params, **(_options or {}))
        return cast(TicketsGetResult, answer)

    def history(
        self, _options: Options | None = None, /, **params: Unpack[TicketsHistoryParams]
    ) -> TicketsHistoryResult:
        """Call tickets.history.

        List every step that a ticket took, oldest first: who, when, from which state to
        which.
        """
        answer = self._client.call("tickets.history", params, **(_options or {}))
        return cast(TicketsHistoryResult, answer)

    def list(
        self, _options: Options | None = None, /, **params: Unpack[TicketsListParams]
    ) -> TicketsListResult:
        """List tickets, newest first, by state, contact and assignee as given; a page at a time."""
        answer = self._client.call("tickets.list", params, **(_options or {}))
        return cast(TicketsListResult, answer)

    def mailed(
        self, _options: Options | None = None, /, **params: Unpack[TicketsMailedParams]
    ) -> TicketsMailedResult:
        """Take the outcome of a reply's mail. The engine calls it."""
        answer = self._client.call("tickets.mailed", params, **(_options or {}))
        return cast(TicketsMailedResult, answer)

    def open(
        self, _options: Options | None = None, /, **params: Unpack[TicketsOpenParams]
    ) -> TicketsOpenResult:
        """Open a ticket for a contact."""
        answer = self._client.call("tickets.open", params, **(_options or {}))
        return cast(TicketsOpenResult, answer)

    def reply(
        self, _options: Options | None = None, /, **params: Unpack[TicketsReplyParams]
    ) -> TicketsReplyResult:
        """Call tickets.reply.

        Add what the desk or the contact wrote; the ticket then waits for the other of the
        two.
        """
        answer = self._client.call("tickets.reply", params, **(_options or {}))
        return cast(TicketsReplyResult, answer)


class Client(transport_client.Client):
    """A client with the index's actions."""

    @cached_property
    def config(self) -> ConfigActions:
        """Actions whose names begin with `config.`."""
        return ConfigActions(self)

    @cached_property
    def contacts(self) -> ContactsActions:
        """Actions whose names begin with `contacts.`."""
        return ContactsActions(self)

    @cached_property
    def notes(self) -> NotesActions:
        """Actions whose names begin with `notes.`."""
        return NotesActions(self)

    @cached_property
    def reports(self) -> ReportsActions:
        """Actions whose names begin with `reports.`."""
        return ReportsActions(self)

    @cached_property
    def requests(self) -> RequestsActions:
        """Actions whose names begin with `requests.`."""
        return RequestsActions(self)

    @cached_property
    def support(self) -> SupportActions:
        """Actions whose names begin with `support.`."""
        return SupportActions(self)

    @cached_property
    def system(self) -> SystemActions:
        """Actions whose names begin with `system.`."""
        return SystemActions(self)

    @cached_property
    def tickets(self) -> TicketsActions:
        """Actions whose names begin with `tickets.`."""
        return TicketsActions(self)


class AsyncConfigActions:
    """Actions whose names begin with `config.`."""

    def __init__(self, client: transport_client.AsyncClient) -> None:
        self._client = client

    async def get(
        self, _options: Options | None = None, /, **params: Unpack[ConfigGetParams]
    ) -> ConfigGetResult:
        """Read the tenant's config: settings and whitelabel."""
        answer = await self._client.call("config.get", params, **(_options or {}))
        return cast(ConfigGetResult, answer)


class AsyncContactsActions:
    """Actions whose names begin with `contacts.`."""

    def __init__(self, client: transport_client.AsyncClient) -> None:
        self._client = client

    async def add(
        self, _options: Options | None = None, /, **params: Unpack[ContactsAddParams]
    ) -> ContactsAddResult:
        """Add a contact to the tenant's address book."""
        answer = await self._client.call("contacts.add", params, **(_options or {}))
        return cast(ContactsAddResult, answer)

    async def find(
        self, _options: Options | None = None, /, **params: Unpack[ContactsFindParams]
    ) -> ContactsFindResult:
        """Call contacts.find.

        Find contacts by words of their name, email or company, or list them all; a page, by
        id.
        """
        answer = await self._client.call("contacts.find", params, **(_options or {}))
        return cast(ContactsFindResult, answer)

    async def get(
        self, _options: Options | None = None, /, **params: Unpack[ContactsGetParams]
    ) -> ContactsGetResult:
        """Show one contact."""
        answer = await self._client.call("contacts.get", params, **(_options or {}))
        return cast(ContactsGetResult, answer)

    async def import_(
        self, _options: Options | None = None, /, **params: Unpack[ContactsImportParams]
    ) -> ContactsImportResult:
        """Add up to 1,000 contacts at once; rows that are wrong are reported, the others stored."""
        answer = await self._client.call("contacts.import", params, **(_options or {}))
        return cast(ContactsImportResult, answer)

    async def merge(
        self, _options: Options | None = None, /, **params: Unpack[ContactsMergeParams]
    ) -> ContactsMergeResult:
        """Make one contact of two: move notes and tickets from one to the other, then remove it."""
        answer = await self._client.call("contacts.merge", params, **(_options or {}))
        return cast(ContactsMergeResult, answer)

    async def remove(
        self, _options: Options | None = None, /, **params: Unpack[ContactsRemoveParams]
    ) -> ContactsRemoveResult:
        """Call contacts.remove.

        Remove a contact and the notes on it; refused (failed_precondition) while it has
        tickets.
        """
        answer = await self._client.call("contacts.remove", params, **(_options or {}))
        return cast(ContactsRemoveResult, answer)

    async def update(
        self, _options: Options | None = None, /, **params: Unpack[ContactsUpdateParams]
    ) -> ContactsUpdateResult:
        """Call contacts.update.

        Change the given fields of a contact; null empties a field, an absent one stays as it
        is.
        """
        answer = await self._client.call("contacts.update", params, **(_options or {}))
        return cast(ContactsUpdateResult, answer)


class AsyncNotesActions:
    """Actions whose names begin with `notes.`."""

    def __init__(self, client: transport_client.AsyncClient) -> None:
        self._client = client

    async def add(
        self, _options: Options | None = None, /, **params: Unpack[NotesAddParams]
    ) -> NotesAddResult:
        """Write a note on a contact, signed with the caller's id."""
        answer = await self._client.call("notes.add", params, **(_options or {}))
        return cast(NotesAddResult, answer)

    async def list(
        self, _options: Options | None = None, /, **params: Unpack[NotesListParams]
    ) -> NotesListResult:
        """List the notes on one contact, newest first, a page at a time."""
        answer = await self._client.call("notes.list", params, **(_options or {}))
        return cast(NotesListResult, answer)

    async def remove(
        self, _options: Options | None = None, /, **params: Unpack[NotesRemoveParams]
    ) -> NotesRemoveResult:
        """Remove a note for good."""
        answer = await self._client.call("notes.remove", params, **(_options or {}))
        return cast(NotesRemoveResult, answer)


class AsyncReportsActions:
    """Actions whose names begin with `reports.`."""

    def __init__(self, client: transport_client.AsyncClient) -> None:
        self._client = client

    async def weekly(
        self, _options: Options | None = None, /, **params: Unpack[ReportsWeeklyParams]
    ) -> ReportsWeeklyResult:
        """Count the tickets of one week: opened, replied to, closed, and closed by whom."""
        answer = await self._client.call("reports.weekly", params, **(_options or {}))
        return cast(ReportsWeeklyResult, answer)


class AsyncRequestsActions:
    """Actions whose names begin with `requests.`."""

    def __init__(self, client: transport_client.AsyncClient) -> None:
        self._client = client

    async def answer(
        self, _options: Options | None = None, /, **params: Unpack[RequestsAnswerParams]
    ) -> RequestsAnswerResult:
        """Answer a request; people of its own tenant add a comment."""
        answer = await self._client.call("requests.answer", params, **(_options or {}))
        return cast(RequestsAnswerResult, answer)

    async def list(
        self, _options: Options | None = None, /, **params: Unpack[RequestsListParams]
    ) -> RequestsListResult:
        """Call requests.list.

        List the tenant's requests, or those that every tenant may vote for; developers: of
        all tenants.
        """
        answer = await self._client.call("requests.list", params, **(_options or {}))
        return cast(RequestsListResult, answer)

    async def show(
        self, _options: Options | None = None, /, **params: Unpack[RequestsShowParams]
    ) -> RequestsShowResult:
        """Show one request with its answers, links and changes."""
        answer = await self._client.call("requests.show", params, **(_options or {}))
        return cast(RequestsShowResult, answer)

    async def submit(
        self, _options: Options | None = None, /, **params: Unpack[RequestsSubmitParams]
    ) -> RequestsSubmitResult:
        """Submit a request: what you wish the product could do; your tenant votes for it."""
        answer = await self._client.call("requests.submit", params, **(_options or {}))
        return cast(RequestsSubmitResult, answer)

    async def vote(
        self, _options: Options | None = None, /, **params: Unpack[RequestsVoteParams]
    ) -> RequestsVoteResult:
        """Give your tenant's one vote to a request, or take it back."""
        answer = await self._client.call("requests.vote", params, **(_options or {}))
        return cast(RequestsVoteResult, answer)

    async def withdraw(
        self, _options: Options | None = None, /, **params: Unpack[RequestsWithdrawParams]
    ) -> RequestsWithdrawResult:
        """Call requests.withdraw.

        Withdraw a request of your tenant that is no longer wanted; members withdraw their own
        only.
        """
        answer = await self._client.call("requests.withdraw", params, **(_options or {}))
        return cast(RequestsWithdrawResult, answer)


class AsyncSupportActions:
    """Actions whose names begin with `support.`."""

    def __init__(self, client: transport_client.AsyncClient) -> None:
        self._client = client

    async def not_subscribed(
        self, _options: Options | None = None, /, **params: Unpack[SupportNotSubscribedParams]
    ) -> SupportNotSubscribedResult:
        """Call support.not_subscribed.

        Word for end users that their company has not subscribed to a connector. The engine
        asks.
        """
        answer = await self._client.call("support.not_subscribed", params, **(_options or {}))
        return cast(SupportNotSubscribedResult, answer)


class AsyncSystemActions:
    """Actions whose names begin with `system.`."""

    def __init__(self, client: transport_client.AsyncClient) -> None:
        self._client = client

    async def describe(
        self, _options: Options | None = None, /, **params: Unpack[SystemDescribeParams]
    ) -> SystemDescribeResult:
        """Ask what you may call here."""
        answer = await self._client.call("system.describe", params, **(_options or {}))
        return cast(SystemDescribeResult, answer)

    async def origin(
        self, _options: Options | None = None, /, **params: Unpack[SystemOriginParams]
    ) -> SystemOriginResult:
        """Ask whether pages of an origin may call the tenant."""
        answer = await self._client.call("system.origin", params, **(_options or {}))
        return cast(SystemOriginResult, answer)

    async def ping(
        self, _options: Options | None = None, /, **params: Unpack[SystemPingParams]
    ) -> SystemPingResult:
        """Ask whether the server answers."""
        answer = await self._client.call("system.ping", params, **(_options or {}))
        return cast(SystemPingResult, answer)

    async def whoami(
        self, _options: Options | None = None, /, **params: Unpack[SystemWhoamiParams]
    ) -> SystemWhoamiResult:
        """Ask whom the token stands for."""
        answer = await self._client.call("system.whoami", params, **(_options or {}))
        return cast(SystemWhoamiResult, answer)


class AsyncTicketsActions:
    """Actions whose names begin with `tickets.`."""

    def __init__(self, client: transport_client.AsyncClient) -> None:
        self._client = client

    async def assign(
        self, _options: Options | None = None, /, **params: Unpack[TicketsAssignParams]
    ) -> TicketsAssignResult:
        """Call tickets.assign.

        Give a ticket to somebody, or with null to nobody; refused (failed_precondition) once
        closed.
        """
        answer = await self._client.call("tickets.assign", params, **(_options or {}))
        return cast(TicketsAssignResult, answer)

    async def attach(
        self, _options: Options | None = None, /, **params: Unpack[TicketsAttachParams]
    ) -> TicketsAttachResult:
        """Keep a file with a ticket, in the tenant's bucket."""
        answer = await self._client.call("tickets.attach", params, **(_options or {}))
        return cast(TicketsAttachResult, answer)

    async def attachment(
        self, _options: Options | None = None, /, **params: Unpack[TicketsAttachmentParams]
    ) -> TicketsAttachmentResult:
        """Make a link by which one attached file can be read for a while."""
        answer = await self._client.call("tickets.attachment", params, **(_options or {}))
        return cast(TicketsAttachmentResult, answer)

    async def attachments(
        self, _options: Options | None = None, /, **params: Unpack[TicketsAttachmentsParams]
    ) -> TicketsAttachmentsResult:
        """List the files kept with a ticket, oldest first; a page at a time."""
        answer = await self._client.call("tickets.attachments", params, **(_options or {}))
        return cast(TicketsAttachmentsResult, answer)

    async def close(
        self, _options: Options | None = None, /, **params: Unpack[TicketsCloseParams]
    ) -> TicketsCloseResult:
        """Close a ticket; refused (failed_precondition) where it is closed already."""
        answer = await self._client.call("tickets.close", params, **(_options or {}))
        return cast(TicketsCloseResult, answer)

    async def escalate(
        self, _options: Options | None = None, /, **params: Unpack[TicketsEscalateParams]
    ) -> TicketsEscalateResult:
        """Hand a ticket to a supervisor and mark it urgent."""
        answer = await self._client.call("tickets.escalate", params, **(_options or {}))
        return cast(TicketsEscalateResult, answer)

    async def get(
        self, _options: Options | None = None, /, **params: Unpack[TicketsGetParams]
    ) -> TicketsGetResult:
        """Show one ticket with the replies to it, oldest first, a page of replies at a time."""
        answer = await self._client.call("tickets.get", params, **(_options or {}))
        return cast(TicketsGetResult, answer)

    async def history(
        self, _options: Options | None = None, /, **params: Unpack[TicketsHistoryParams]
    ) -> TicketsHistoryResult:
        """Call tickets.history.

        List every step that a ticket took, oldest first: who, when, from which state to
        which.
        """
        answer = await self._client.call("tickets.history", params, **(_options or {}))
        return cast(TicketsHistoryResult, answer)

    async def list(
        self, _options: Options | None = None, /, **params: Unpack[TicketsListParams]
    ) -> TicketsListResult:
        """List tickets, newest first, by state, contact and assignee as given; a page at a time."""
        answer = await self._client.call("tickets.list", params, **(_options or {}))
        return cast(TicketsListResult, answer)

    async def mailed(
        self, _options: Options | None = None, /, **params: Unpack[TicketsMailedParams]
    ) -> TicketsMailedResult:
        """Take the outcome of a reply's mail. The engine calls it."""
        answer = await self._client.call("tickets.mailed", params, **(_options or {}))
        return cast(TicketsMailedResult, answer)

    async def open(
        self, _options: Options | None = None, /, **params: Unpack[TicketsOpenParams]
    ) -> TicketsOpenResult:
        """Open a ticket for a contact."""
        answer = await self._client.call("tickets.open", params, **(_options or {}))
        return cast(TicketsOpenResult, answer)

    async def reply(
        self, _options: Options | None = None, /, **params: Unpack[TicketsReplyParams]
    ) -> TicketsReplyResult:
        """Call tickets.reply.

        Add what the desk or the contact wrote; the ticket then waits for the other of the
        two.
        """
        answer = await self._client.call("tickets.reply", params, **(_options or {}))
        return cast(TicketsReplyResult, answer)


class AsyncClient(transport_client.AsyncClient):
    """A client with the index's actions."""

    @cached_property
    def config(self) -> AsyncConfigActions:
        """Actions whose names begin with `config.`."""
        return AsyncConfigActions(self)

    @cached_property
    def contacts(self) -> AsyncContactsActions:
        """Actions whose names begin with `contacts.`."""
        return AsyncContactsActions(self)

    @cached_property
    def notes(self) -> AsyncNotesActions:
        """Actions whose names begin with `notes.`."""
        return AsyncNotesActions(self)

    @cached_property
    def reports(self) -> AsyncReportsActions:
        """Actions whose names begin with `reports.`."""
        return AsyncReportsActions(self)

    @cached_property
    def requests(self) -> AsyncRequestsActions:
        """Actions whose names begin with `requests.`."""
        return AsyncRequestsActions(self)

    @cached_property
    def support(self) -> AsyncSupportActions:
        """Actions whose names begin with `support.`."""
        return AsyncSupportActions(self)

    @cached_property
    def system(self) -> AsyncSystemActions:
        """Actions whose names begin with `system.`."""
        return AsyncSystemActions(self)

    @cached_property
    def tickets(self) -> AsyncTicketsActions:
        """Actions whose names begin with `tickets.`."""
        return AsyncTicketsActions(self)
