// Written by scripts/schema from registry.toml: change that and run it again.
// A client of this backend, with a method for each action.

import { BaseClient } from "./runtime.js";
import type { CallOptions } from "./runtime.js";
import type { Integer } from "./json.js";

export { CallError, isCallError } from "./errors.js";
export type { AnyCallError, Code, Detail, Meta, Reply } from "./errors.js";
export type { CallOptions, ClientOptions, Waiting } from "./runtime.js";
export type { Integer } from "./json.js";

/** Params of config.get. */
export type ConfigGetParams = Record<string, never>;

/** Result of config.get. */
export interface ConfigGetResult {
  /** At least 0. */
  revision: Integer;
  settings: Record<string, unknown>;
  whitelabel: Record<string, unknown>;
}

/** Params of contacts.add. */
export interface ContactsAddParams {
  /** 1 to 200 characters, something to see in it. */
  name: string;
  /** Email, at most 254 characters. */
  email?: string;
  /** 1 to 40 characters, something to see in it. */
  phone?: string;
  /** 1 to 200 characters, something to see in it. */
  company?: string;
}

/** Result of contacts.add. */
export interface ContactsAddResult {
  /** At least 1. */
  id: Integer;
}

/** Params of contacts.find. */
export interface ContactsFindParams {
  /** Blank or absent lists all; case and accents do not count. At most 200 characters. */
  text?: string;
  /** 1 to 100, default `20`. */
  limit?: Integer;
  /** `next` of the page before. At most 64 characters. */
  after?: string;
}

/** Result of contacts.find. */
export interface ContactsFindResult {
  next: string | null;
  /** At most 100 items. */
  contacts: ContactsFindResultContactsItem[];
}

/** In the result of contacts.find. */
export interface ContactsFindResultContactsItem {
  /** At least 1. */
  id: Integer;
  name: string;
  email: string | null;
  phone: string | null;
  company: string | null;
  /** Date-time. */
  created_at: string;
  /** Date-time. */
  updated_at: string;
}

/** Params of contacts.get. */
export interface ContactsGetParams {
  /** 1 to 9007199254740991. */
  id: Integer;
}

/** Result of contacts.get. */
export interface ContactsGetResult {
  /** At least 1. */
  id: Integer;
  name: string;
  email: string | null;
  phone: string | null;
  company: string | null;
  /** Date-time. */
  created_at: string;
  /** Date-time. */
  updated_at: string;
}

/** Params of contacts.import. */
export interface ContactsImportParams {
  /** All or none: any problem refuses the message (invalid_argument). Default `false`. */
  strict?: boolean;
  /**
   * Each with name, and where known email, phone, company, as in contacts.add. 1 to 1000
   * items.
   */
  rows: Record<string, unknown>[];
}

/** Result of contacts.import. */
export interface ContactsImportResult {
  /** 0 to 1000. */
  added: number;
  /** Rows that were not stored. 0 to 1000. */
  refused: number;
  /** The first thousand, in the order of the rows. At most 1000 items. */
  problems: ContactsImportResultProblemsItem[];
}

/** In the result of contacts.import. */
export interface ContactsImportResultProblemsItem {
  /** Index in rows, from 0. 0 to 999. */
  row: number;
  field: string;
  problem: string;
}

/** Params of contacts.merge. */
export interface ContactsMergeParams {
  /** Id of the contact that stays. 1 to 9007199254740991. */
  keep: Integer;
  /** Id of the contact that goes. 1 to 9007199254740991. */
  remove: Integer;
}

/** Result of contacts.merge. */
export interface ContactsMergeResult {
  /** At least 1. */
  id: Integer;
  /** At least 0. */
  notes_moved: Integer;
  /** At least 0. */
  tickets_moved: Integer;
}

/** Params of contacts.remove. */
export interface ContactsRemoveParams {
  /** 1 to 9007199254740991. */
  id: Integer;
}

/** Result of contacts.remove. */
export interface ContactsRemoveResult {
  /** At least 1. */
  id: Integer;
}

/** Params of contacts.update. */
export interface ContactsUpdateParams {
  /** 1 to 9007199254740991. */
  id: Integer;
  /** 1 to 200 characters, something to see in it. */
  name?: string;
  /** Email, at most 254 characters. */
  email?: string | null;
  /** 1 to 40 characters, something to see in it. */
  phone?: string | null;
  /** 1 to 200 characters, something to see in it. */
  company?: string | null;
}

/** Result of contacts.update. */
export interface ContactsUpdateResult {
  /** At least 1. */
  id: Integer;
  name: string;
  email: string | null;
  phone: string | null;
  company: string | null;
  /** Date-time. */
  created_at: string;
  /** Date-time. */
  updated_at: string;
}

/** Params of notes.add. */
export interface NotesAddParams {
  /** 1 to 9007199254740991. */
  contact_id: Integer;
  /** 1 to 4000 characters, something to see in it. */
  body: string;
}

/** Result of notes.add. */
export interface NotesAddResult {
  /** At least 1. */
  id: Integer;
}

/** Params of notes.list. */
export interface NotesListParams {
  /** 1 to 9007199254740991. */
  contact_id: Integer;
  /** 1 to 100, default `20`. */
  limit?: Integer;
  /** `next` of the page before. At most 64 characters. */
  after?: string;
}

/** Result of notes.list. */
export interface NotesListResult {
  next: string | null;
  /** At most 100 items. */
  notes: NotesListResultNotesItem[];
}

/** In the result of notes.list. */
export interface NotesListResultNotesItem {
  /** At least 1. */
  id: Integer;
  body: string;
  /** Id of the caller who wrote it. */
  author: string;
  /** Date-time. */
  created_at: string;
}

/** Params of notes.remove. */
export interface NotesRemoveParams {
  /** 1 to 9007199254740991. */
  id: Integer;
}

/** Result of notes.remove. */
export interface NotesRemoveResult {
  /** At least 1. */
  id: Integer;
}

/** Params of reports.weekly. */
export interface ReportsWeeklyParams {
  /** Absent is the week before this one. Matches `^[0-9]{4}-W(0[1-9]|[1-4][0-9]|5[0-3])$`. */
  week?: string;
}

/** Result of reports.weekly. */
export interface ReportsWeeklyResult {
  week: string;
  /** At least 0. */
  opened: Integer;
  /** At least 0. */
  replied: Integer;
  /** At least 0. */
  closed: Integer;
  /** At most 1000 items. */
  closed_by: ReportsWeeklyResultClosedByItem[];
}

/** In the result of reports.weekly. */
export interface ReportsWeeklyResultClosedByItem {
  actor: string;
  /** At least 0. */
  closed: Integer;
}

/** Params of requests.answer. */
export interface RequestsAnswerParams {
  request: string;
  /** May have several lines. 1 to 2000 characters, something to see in it. */
  text: string;
}

/** Result of requests.answer. */
export interface RequestsAnswerResult {
  request: RequestsAnswerResultRequestHead;
}

/** In the result of requests.answer. */
export interface RequestsAnswerResultRequestHead {
  id: string;
  state: RequestsAnswerResultRequestState;
  priority: "low" | "normal" | "high" | "urgent";
  /** Of tenants, one each. At least 0. */
  votes: Integer;
  /** Date-time. */
  changed_at: string;
}

export type RequestsAnswerResultRequestState = "open" | "linked" | "in release" | "released" | "declined" | "closed";

/** Params of requests.list. */
export interface RequestsListParams {
  /** Those that every tenant may vote for. Default `false`. */
  published?: boolean;
  state?: RequestsListParamsRequestState;
  /** About this action, or served by a version of it; or a connector. 1 to 128 characters. */
  function?: string;
  priority?: "low" | "normal" | "high" | "urgent";
  /** What its text or title contains. 1 to 200 characters. */
  text?: string;
  /** One of `"newest"`, `"votes"`, `"priority"`, default `"newest"`. */
  sort?: "newest" | "votes" | "priority";
  /**
   * `next` of the page before. At most 40 characters, matches `^([0-9]{1,18} [0-9]{1,18})?$`,
   * default `""`.
   */
  after?: string;
  /** 1 to 200, default `50`. */
  limit?: Integer;
}

export type RequestsListParamsRequestState = "open" | "linked" | "in release" | "released" | "declined" | "closed";

/** Result of requests.list. */
export interface RequestsListResult {
  /** At most 200 items. */
  requests: RequestsListResultRequest[];
  /** How many there are in each state, whatever was asked for. */
  counts: Record<string, Integer>;
  /** At most 40 characters. */
  next: string | null;
}

/** In the result of requests.list. */
export interface RequestsListResultRequest {
  id: string;
  /** Null where another tenant submitted it. At most 63 characters. */
  tenant: string | null;
  /** A person's id; null where a developer submitted it for the tenant. At most 18 characters. */
  by: string | null;
  /** Of another tenant's, the title. At most 2000 characters. */
  text: string;
  /** What every tenant reads; null where it is not published. At most 200 characters. */
  title: string | null;
  /** The action that it is about. At most 128 characters. */
  function: string | null;
  state: RequestsListResultRequestState;
  priority: "low" | "normal" | "high" | "urgent";
  /** At least 0. */
  votes: Integer;
  /** Whether the tenant of this call has voted for it. */
  voted: boolean;
  /** Date-time. */
  created_at: string;
  /** Date-time. */
  changed_at: string;
  /** The latest. At most 2000 characters. */
  answer: string | null;
  release: RequestsListResultRequestRelease | null;
  /** That serve it. At most 1000 items. */
  versions: RequestsListResultRequestVersionsItem[];
}

export type RequestsListResultRequestState = "open" | "linked" | "in release" | "released" | "declined" | "closed";

/** Where, when and in what it was released; null before. */
export interface RequestsListResultRequestRelease {
  environment: string;
  /** Date-time. */
  at: string;
  /** The release's id; null where versions were moved one by one. At most 200 characters. */
  release: string | null;
  /** At most 128 characters. */
  function: string | null;
  /** At most 128 characters. */
  connector: string | null;
  version: Integer;
}

/** In the result of requests.list. */
export interface RequestsListResultRequestVersionsItem {
  /** One of `"function"`, `"connector"`. */
  kind: "function" | "connector";
  /** At most 128 characters. */
  name: string;
  /** 0 while there is none. At least 0. */
  version: Integer;
  state: string | null;
}

/** Params of requests.show. */
export interface RequestsShowParams {
  request: string;
}

/** Result of requests.show. */
export interface RequestsShowResult {
  request: RequestsShowResultRequest;
  /** The oldest first. At most 500 items. */
  events: RequestsShowResultRequestEvent[];
}

/** In the result of requests.show. */
export interface RequestsShowResultRequest {
  id: string;
  /** Null where another tenant submitted it. At most 63 characters. */
  tenant: string | null;
  /** A person's id; null where a developer submitted it for the tenant. At most 18 characters. */
  by: string | null;
  /** Of another tenant's, the title. At most 2000 characters. */
  text: string;
  /** What every tenant reads; null where it is not published. At most 200 characters. */
  title: string | null;
  /** The action that it is about. At most 128 characters. */
  function: string | null;
  state: RequestsShowResultRequestState;
  priority: "low" | "normal" | "high" | "urgent";
  /** At least 0. */
  votes: Integer;
  /** Whether the tenant of this call has voted for it. */
  voted: boolean;
  /** Date-time. */
  created_at: string;
  /** Date-time. */
  changed_at: string;
  /** The latest. At most 2000 characters. */
  answer: string | null;
  release: RequestsShowResultRequestRelease | null;
  /** That serve it. At most 1000 items. */
  versions: RequestsShowResultRequestVersionsItem[];
}

export type RequestsShowResultRequestState = "open" | "linked" | "in release" | "released" | "declined" | "closed";

/** Where, when and in what it was released; null before. */
export interface RequestsShowResultRequestRelease {
  environment: string;
  /** Date-time. */
  at: string;
  /** The release's id; null where versions were moved one by one. At most 200 characters. */
  release: string | null;
  /** At most 128 characters. */
  function: string | null;
  /** At most 128 characters. */
  connector: string | null;
  version: Integer;
}

/** In the result of requests.show. */
export interface RequestsShowResultRequestVersionsItem {
  /** One of `"function"`, `"connector"`. */
  kind: "function" | "connector";
  /** At most 128 characters. */
  name: string;
  /** 0 while there is none. At least 0. */
  version: Integer;
  state: string | null;
}

/** In the result of requests.show. */
export interface RequestsShowResultRequestEvent {
  /** Date-time. */
  at: string;
  /** At most 16 characters. */
  kind: string;
  /**
   * A person's id, console or machine; for people of the platform `developer`. At most 18
   * characters.
   */
  by: string;
  /** At most 2000 characters. */
  text: string | null;
}

/** Params of requests.submit. */
export interface RequestsSubmitParams {
  /** May have several lines. 1 to 2000 characters, something to see in it. */
  text: string;
  /** Name of the action that it is about, if there is one. 1 to 128 characters. */
  function?: string;
}

/** Result of requests.submit. */
export interface RequestsSubmitResult {
  request: RequestsSubmitResultRequestHead;
}

/** In the result of requests.submit. */
export interface RequestsSubmitResultRequestHead {
  id: string;
  state: RequestsSubmitResultRequestState;
  priority: "low" | "normal" | "high" | "urgent";
  /** Of tenants, one each. At least 0. */
  votes: Integer;
  /** Date-time. */
  changed_at: string;
}

export type RequestsSubmitResultRequestState = "open" | "linked" | "in release" | "released" | "declined" | "closed";

/** Params of requests.vote. */
export interface RequestsVoteParams {
  request: string;
  /** False takes it back. Default `true`. */
  vote?: boolean;
}

/** Result of requests.vote. */
export interface RequestsVoteResult {
  request: RequestsVoteResultRequestHead;
}

/** In the result of requests.vote. */
export interface RequestsVoteResultRequestHead {
  id: string;
  state: RequestsVoteResultRequestState;
  priority: "low" | "normal" | "high" | "urgent";
  /** Of tenants, one each. At least 0. */
  votes: Integer;
  /** Date-time. */
  changed_at: string;
}

export type RequestsVoteResultRequestState = "open" | "linked" | "in release" | "released" | "declined" | "closed";

/** Params of requests.withdraw. */
export interface RequestsWithdrawParams {
  request: string;
  /** Everyone who reads the request reads it. 1 to 500 characters, something to see in it. */
  why: string;
  expected?: string;
}

/** Result of requests.withdraw. */
export interface RequestsWithdrawResult {
  request: RequestsWithdrawResultRequestHead;
}

/** In the result of requests.withdraw. */
export interface RequestsWithdrawResultRequestHead {
  id: string;
  state: RequestsWithdrawResultRequestState;
  priority: "low" | "normal" | "high" | "urgent";
  /** Of tenants, one each. At least 0. */
  votes: Integer;
  /** Date-time. */
  changed_at: string;
}

export type RequestsWithdrawResultRequestState = "open" | "linked" | "in release" | "released" | "declined" | "closed";

/** Params of support.not_subscribed. */
export interface SupportNotSubscribedParams {
  /** 1 to 63 characters. */
  connector: string;
  /** At most 128 characters. */
  operation?: string;
}

/** Result of support.not_subscribed. */
export interface SupportNotSubscribedResult {
  /** At most 1000 characters. */
  user_message: string;
}

/** Params of system.describe. */
export interface SystemDescribeParams {
  /** Only this one. At most 128 characters. */
  action?: string;
  /** Only names that begin so. At most 128 characters, default `""`. */
  prefix?: string;
  /** `next` of the page before. At most 128 characters, default `""`. */
  after?: string;
  /** 1 to 200, default `50`. */
  limit?: Integer;
}

/** Result of system.describe. */
export interface SystemDescribeResult {
  environment: string;
  /** Digest of the index: changes when the index does. */
  index: string;
  /** Engines that screen the params of every action. */
  screening: string[];
  /** At most 200 items. */
  actions: SystemDescribeResultActionsItem[];
  /** Hand it on as `after`; null: no more. */
  next: string | null;
}

/** In the result of system.describe. */
export interface SystemDescribeResultActionsItem {
  name?: string;
  summary?: string;
  /**
   * One of `"public"`, `"member"`, `"owner"`, `"admin owner"`, `"developer"`, `"developer
   * admin"`, `"any token"`.
   */
  access?: SystemDescribeResultActionsItemAccess;
  /**
   * What an owner needs besides. One of `null`, `"members"`, `"config"`, `"subscriptions"`,
   * `"tokens"`, `"backups"`, `"testers"`.
   */
  area?: SystemDescribeResultActionsItemArea;
  /**
   * The level of the platform that may call it too. One of `null`, `"developer"`, `"developer
   * admin"`.
   */
  platform?: null | "developer" | "developer admin";
  /** One of `"data"`, `"admin"`, `"both"`. */
  channel?: "data" | "admin" | "both";
  /** One of `"read"`, `"write"`. */
  effect?: "read" | "write";
  /** 0 where none is written. At least 0. */
  version?: Integer;
  /**
   * One of `"dummy"`, `"erroring"`, `"under dev"`, `"potential release"`, `"under user test"`,
   * `"release"`, `"reverted"`.
   */
  state?: SystemDescribeResultActionsItemState;
  /** That this version serves, for developers; absent if none. */
  requests?: string[];
  /** Why this version; `none served` if it is not. */
  reason?: string;
  /** JSON Schema 2020-12. */
  params?: Record<string, unknown>;
  /** JSON Schema 2020-12. */
  result?: Record<string, unknown>;
}

export type SystemDescribeResultActionsItemAccess = "public" | "member" | "owner" | "admin owner" | "developer" | "developer admin" | "any token";

export type SystemDescribeResultActionsItemArea = null | "members" | "config" | "subscriptions" | "tokens" | "backups" | "testers";

export type SystemDescribeResultActionsItemState = "dummy" | "erroring" | "under dev" | "potential release" | "under user test" | "release" | "reverted";

/** Params of system.origin. */
export interface SystemOriginParams {
  /** At most 300 characters. */
  origin: string;
}

/** Result of system.origin. */
export interface SystemOriginResult {
  /** False also if there is no such tenant, or none is named. */
  allowed: boolean;
}

/** Params of system.ping. */
export type SystemPingParams = Record<string, never>;

/** Result of system.ping. */
export interface SystemPingResult {
  /** Always `true`. */
  pong: true;
  /** Of the server. */
  version: string;
  environment: string;
  /** The server's, in UTC. Date-time. */
  time: string;
}

/** Params of system.whoami. */
export type SystemWhoamiParams = Record<string, never>;

/** Result of system.whoami. */
export interface SystemWhoamiResult {
  /** The same for every message under one token. */
  id: string;
  /** Whom it was issued to. */
  person: string | null;
  /** null for a platform token. */
  tenant: string | null;
  /**
   * One of `"admin owner"`, `"developer"`, `"developer admin"`, `"member"`, `"owner"`, `"super
   * admin"`.
   */
  role: SystemWhoamiResultRole;
  /** What is delegated to an owner; the admin owner has all without that. */
  areas: SystemWhoamiResultAreasItem[];
  /** The only actions it is good for; null for all that the role may call. */
  scope: string[] | null;
  /** null for never. Date-time. */
  expires: string | null;
}

export type SystemWhoamiResultRole = "admin owner" | "developer" | "developer admin" | "member" | "owner" | "super admin";

export type SystemWhoamiResultAreasItem = "members" | "config" | "subscriptions" | "tokens" | "backups" | "testers";

/** Params of tickets.assign. */
export interface TicketsAssignParams {
  /** 1 to 9007199254740991. */
  id: Integer;
  /** 1 to 64 characters. */
  assignee: string | null;
}

/** Result of tickets.assign. */
export interface TicketsAssignResult {
  /** At least 1. */
  id: Integer;
  /** One of `"open"`, `"pending"`, `"closed"`. */
  state: "open" | "pending" | "closed";
  assignee: string | null;
}

/** Params of tickets.attach. */
export interface TicketsAttachParams {
  /** The ticket's. 1 to 9007199254740991. */
  id: Integer;
  /** 1 to 100 characters, matches `^[^./\\\x00-\x1f\x7f][^/\\\x00-\x1f\x7f]*$`. */
  name: string;
  /** Base64. 1 to 2796204 characters. */
  content: string;
  /** 1 to 100 characters, matches `^[!-~]+/[ -~]+$`, default `"application/octet-stream"`. */
  content_type?: string;
}

/** Result of tickets.attach. */
export interface TicketsAttachResult {
  /** The attachment's. At least 1. */
  id: Integer;
  /** At least 0. */
  bytes: Integer;
}

/** Params of tickets.attachment. */
export interface TicketsAttachmentParams {
  /** The attachment's. 1 to 9007199254740991. */
  id: Integer;
  /** For which the link is good. 10 to 86400, default `900`. */
  seconds?: Integer;
}

/** Result of tickets.attachment. */
export interface TicketsAttachmentResult {
  /** Whoever has it can read the file: no log shows it. Password. */
  url: string;
  /** Unix time in seconds. */
  expires_at: number;
}

/** Params of tickets.attachments. */
export interface TicketsAttachmentsParams {
  /** 1 to 9007199254740991. */
  id: Integer;
  /** 1 to 100, default `20`. */
  limit?: Integer;
  /** `next` of the page before. At most 64 characters. */
  after?: string;
}

/** Result of tickets.attachments. */
export interface TicketsAttachmentsResult {
  next: string | null;
  /** At most 100 items. */
  attachments: TicketsAttachmentsResultAttachmentsItem[];
}

/** In the result of tickets.attachments. */
export interface TicketsAttachmentsResultAttachmentsItem {
  /** At least 1. */
  id: Integer;
  name: string;
  content_type: string;
  /** At least 0. */
  bytes: Integer;
  /** Id of the caller who sent it in. */
  sent_by: string;
  /** Date-time. */
  created_at: string;
}

/** Params of tickets.close. */
export interface TicketsCloseParams {
  /** 1 to 9007199254740991. */
  id: Integer;
  /** Kept in the ticket's history. 1 to 200 characters, something to see in it. */
  reason?: string;
}

/** Result of tickets.close. */
export interface TicketsCloseResult {
  /** At least 1. */
  id: Integer;
  /** One of `"open"`, `"pending"`, `"closed"`. */
  state: "open" | "pending" | "closed";
}

/** Params of tickets.escalate. */
export interface TicketsEscalateParams {
  /** 1 to 9007199254740991. */
  id: Integer;
  /** The supervisor's text id. 1 to 64 characters. */
  to: string;
  /** 1 to 200 characters, something to see in it. */
  reason: string;
}

/** Result of tickets.escalate. */
export interface TicketsEscalateResult {
  /** At least 1. */
  id: Integer;
  /** One of `"open"`, `"pending"`, `"closed"`. */
  state: "open" | "pending" | "closed";
  assignee: string;
  urgent: boolean;
}

/** Params of tickets.get. */
export interface TicketsGetParams {
  /** 1 to 9007199254740991. */
  id: Integer;
  /** Replies on a page. 1 to 100, default `20`. */
  limit?: Integer;
  /** `next` of the page before. At most 64 characters. */
  after?: string;
}

/** Result of tickets.get. */
export interface TicketsGetResult {
  /** At least 1. */
  id: Integer;
  /** At least 1. */
  contact_id: Integer;
  subject: string;
  body: string;
  /** One of `"open"`, `"pending"`, `"closed"`. */
  state: "open" | "pending" | "closed";
  assignee: string | null;
  /** Date-time. */
  created_at: string;
  /** Date-time. */
  updated_at: string;
  next: string | null;
  /** At most 100 items. */
  replies: TicketsGetResultRepliesItem[];
}

/** In the result of tickets.get. */
export interface TicketsGetResultRepliesItem {
  /** At least 1. */
  id: Integer;
  /** One of `"desk"`, `"contact"`. */
  author: "desk" | "contact";
  /** Id of the caller who sent it in. */
  sent_by: string;
  body: string;
  /** Date-time. */
  created_at: string;
  /** What became of its mail; null where it was not mailed. Matches `^(sending|sent|failed)$`. */
  mail?: string | null;
}

/** Params of tickets.history. */
export interface TicketsHistoryParams {
  /** 1 to 9007199254740991. */
  id: Integer;
  /** 1 to 100, default `20`. */
  limit?: Integer;
  /** `next` of the page before. At most 64 characters. */
  after?: string;
}

/** Result of tickets.history. */
export interface TicketsHistoryResult {
  next: string | null;
  /** At most 100 items. */
  events: TicketsHistoryResultEventsItem[];
}

/** In the result of tickets.history. */
export interface TicketsHistoryResultEventsItem {
  /** At least 1. */
  id: Integer;
  /**
   * One of `"opened"`, `"replied"`, `"assigned"`, `"closed"`, `"attached"`, `"mail sent"`,
   * `"mail failed"`.
   */
  event: TicketsHistoryResultEventsItemEvent;
  /** null where it was opened. */
  from_state: string | null;
  /** One of `"open"`, `"pending"`, `"closed"`. */
  to_state: "open" | "pending" | "closed";
  /**
   * The assignee, the reply's author, the reason for closing, the file's name, or why a mail
   * failed.
   */
  detail: string | null;
  /** Id of the caller who took the step. */
  actor: string;
  /** Date-time. */
  created_at: string;
}

export type TicketsHistoryResultEventsItemEvent = "opened" | "replied" | "assigned" | "closed" | "attached" | "mail sent" | "mail failed";

/** Params of tickets.list. */
export interface TicketsListParams {
  /** One of `"open"`, `"pending"`, `"closed"`. */
  state?: "open" | "pending" | "closed";
  /** 1 to 9007199254740991. */
  contact_id?: Integer;
  /** null asks for those that nobody deals with. 1 to 64 characters. */
  assignee?: string | null;
  /** 1 to 100, default `20`. */
  limit?: Integer;
  /** `next` of the page before. At most 64 characters. */
  after?: string;
}

/** Result of tickets.list. */
export interface TicketsListResult {
  next: string | null;
  /** At most 100 items. */
  tickets: TicketsListResultTicketsItem[];
}

/** In the result of tickets.list. */
export interface TicketsListResultTicketsItem {
  /** At least 1. */
  id: Integer;
  /** At least 1. */
  contact_id: Integer;
  subject: string;
  /** One of `"open"`, `"pending"`, `"closed"`. */
  state: "open" | "pending" | "closed";
  assignee: string | null;
  /** Date-time. */
  created_at: string;
  /** Date-time. */
  updated_at: string;
}

/** Params of tickets.mailed. */
export interface TicketsMailedParams {
  /** The delivery's. 1 to 9007199254740991. */
  id: Integer;
  /** 1 to 64 characters. */
  key: string;
  /** At most 64 characters. */
  operation: string;
  ok: boolean;
  /** Of mail.send. */
  result?: Record<string, unknown>;
  error?: TicketsMailedParamsError;
}

/** In the params of tickets.mailed. */
export interface TicketsMailedParamsError {
  /** At most 64 characters. */
  code: string;
  /** At most 100000 characters. */
  message: string;
  /** 0 to 9007199254740991. */
  retry_after_ms?: Integer;
}

/** Result of tickets.mailed. */
export interface TicketsMailedResult {
  /** The ticket's. At least 1. */
  id: Integer;
  /** One of `"sent"`, `"failed"`. */
  mail: "sent" | "failed";
}

/** Params of tickets.open. */
export interface TicketsOpenParams {
  /** 1 to 9007199254740991. */
  contact_id: Integer;
  /** 1 to 200 characters, something to see in it. */
  subject: string;
  /** 1 to 4000 characters, something to see in it. */
  body: string;
  /** Who deals with it; any text id. 1 to 64 characters. */
  assignee?: string;
}

/** Result of tickets.open. */
export interface TicketsOpenResult {
  /** At least 1. */
  id: Integer;
  /** One of `"open"`, `"pending"`, `"closed"`. */
  state: "open" | "pending" | "closed";
}

/** Params of tickets.reply. */
export interface TicketsReplyParams {
  /** The ticket's. 1 to 9007199254740991. */
  id: Integer;
  /** 1 to 4000 characters, something to see in it. */
  body: string;
  /** Whose words these are. One of `"desk"`, `"contact"`, default `"desk"`. */
  author?: "desk" | "contact";
}

/** Result of tickets.reply. */
export interface TicketsReplyResult {
  /** The reply's. At least 1. */
  id: Integer;
  /** The ticket's, now. One of `"open"`, `"pending"`, `"closed"`. */
  state: "open" | "pending" | "closed";
  /**
   * null where it is not mailed: no address, no subscription, or the contact's own words.
   * Matches `^sending$`.
   */
  mail?: string | null;
}

/** Params and result of each action. */
export interface Actions {
  "config.get": { params: ConfigGetParams; result: ConfigGetResult };
  "contacts.add": { params: ContactsAddParams; result: ContactsAddResult };
  "contacts.find": { params: ContactsFindParams; result: ContactsFindResult };
  "contacts.get": { params: ContactsGetParams; result: ContactsGetResult };
  "contacts.import": { params: ContactsImportParams; result: ContactsImportResult };
  "contacts.merge": { params: ContactsMergeParams; result: ContactsMergeResult };
  "contacts.remove": { params: ContactsRemoveParams; result: ContactsRemoveResult };
  "contacts.update": { params: ContactsUpdateParams; result: ContactsUpdateResult };
  "notes.add": { params: NotesAddParams; result: NotesAddResult };
  "notes.list": { params: NotesListParams; result: NotesListResult };
  "notes.remove": { params: NotesRemoveParams; result: NotesRemoveResult };
  "reports.weekly": { params: ReportsWeeklyParams; result: ReportsWeeklyResult };
  "requests.answer": { params: RequestsAnswerParams; result: RequestsAnswerResult };
  "requests.list": { params: RequestsListParams; result: RequestsListResult };
  "requests.show": { params: RequestsShowParams; result: RequestsShowResult };
  "requests.submit": { params: RequestsSubmitParams; result: RequestsSubmitResult };
  "requests.vote": { params: RequestsVoteParams; result: RequestsVoteResult };
  "requests.withdraw": { params: RequestsWithdrawParams; result: RequestsWithdrawResult };
  "support.not_subscribed": { params: SupportNotSubscribedParams; result: SupportNotSubscribedResult };
  "system.describe": { params: SystemDescribeParams; result: SystemDescribeResult };
  "system.origin": { params: SystemOriginParams; result: SystemOriginResult };
  "system.ping": { params: SystemPingParams; result: SystemPingResult };
  "system.whoami": { params: SystemWhoamiParams; result: SystemWhoamiResult };
  "tickets.assign": { params: TicketsAssignParams; result: TicketsAssignResult };
  "tickets.attach": { params: TicketsAttachParams; result: TicketsAttachResult };
  "tickets.attachment": { params: TicketsAttachmentParams; result: TicketsAttachmentResult };
  "tickets.attachments": { params: TicketsAttachmentsParams; result: TicketsAttachmentsResult };
  "tickets.close": { params: TicketsCloseParams; result: TicketsCloseResult };
  "tickets.escalate": { params: TicketsEscalateParams; result: TicketsEscalateResult };
  "tickets.get": { params: TicketsGetParams; result: TicketsGetResult };
  "tickets.history": { params: TicketsHistoryParams; result: TicketsHistoryResult };
  "tickets.list": { params: TicketsListParams; result: TicketsListResult };
  "tickets.mailed": { params: TicketsMailedParams; result: TicketsMailedResult };
  "tickets.open": { params: TicketsOpenParams; result: TicketsOpenResult };
  "tickets.reply": { params: TicketsReplyParams; result: TicketsReplyResult };
}

/** Every action as a method: `await client.contacts.get({ id: 1 })`. */
export class Client extends BaseClient<Actions> {
  /** Actions whose names begin with `config.`. */
  readonly config = {
    /** Read the tenant's config: settings and whitelabel. */
    get: (params: ConfigGetParams = {}, options?: CallOptions): Promise<ConfigGetResult> =>
      this.call("config.get", params, options),
  };
  /** Actions whose names begin with `contacts.`. */
  readonly contacts = {
    /** Add a contact to the tenant's address book. */
    add: (params: ContactsAddParams, options?: CallOptions): Promise<ContactsAddResult> =>
      this.call("contacts.add", params, options),
    /** Find contacts by words of their name, email or company, or list them all; a page, by id. */
    find: (params: ContactsFindParams = {}, options?: CallOptions): Promise<ContactsFindResult> =>
      this.call("contacts.find", params, options),
    /** Show one contact. */
    get: (params: ContactsGetParams, options?: CallOptions): Promise<ContactsGetResult> =>
      this.call("contacts.get", params, options),
    /** Add up to 1,000 contacts at once; rows that are wrong are reported, the others stored. */
    import: (params: ContactsImportParams, options?: CallOptions): Promise<ContactsImportResult> =>
      this.call("contacts.import", params, options),
    /** Make one contact of two: move notes and tickets from one to the other, then remove it. */
    merge: (params: ContactsMergeParams, options?: CallOptions): Promise<ContactsMergeResult> =>
      this.call("contacts.merge", params, options),
    /**
     * Remove a contact and the notes on it; refused (failed_precondition) while it has
     * tickets.
     */
    remove: (params: ContactsRemoveParams, options?: CallOptions): Promise<ContactsRemoveResult> =>
      this.call("contacts.remove", params, options),
    /**
     * Change the given fields of a contact; null empties a field, an absent one stays as it
     * is.
     */
    update: (params: ContactsUpdateParams, options?: CallOptions): Promise<ContactsUpdateResult> =>
      this.call("contacts.update", params, options),
  };
  /** Actions whose names begin with `notes.`. */
  readonly notes = {
    /** Write a note on a contact, signed with the caller's id. */
    add: (params: NotesAddParams, options?: CallOptions): Promise<NotesAddResult> =>
      this.call("notes.add", params, options),
    /** List the notes on one contact, newest first, a page at a time. */
    list: (params: NotesListParams, options?: CallOptions): Promise<NotesListResult> =>
      this.call("notes.list", params, options),
    /** Remove a note for good. */
    remove: (params: NotesRemoveParams, options?: CallOptions): Promise<NotesRemoveResult> =>
      this.call("notes.remove", params, options),
  };
  /** Actions whose names begin with `reports.`. */
  readonly reports = {
    /** Count the tickets of one week: opened, replied to, closed, and closed by whom. */
    weekly: (params: ReportsWeeklyParams = {}, options?: CallOptions): Promise<ReportsWeeklyResult> =>
      this.call("reports.weekly", params, options),
  };
  /** Actions whose names begin with `requests.`. */
  readonly requests = {
    /** Answer a request; people of its own tenant add a comment. */
    answer: (params: RequestsAnswerParams, options?: CallOptions): Promise<RequestsAnswerResult> =>
      this.call("requests.answer", params, options),
    /**
     * List the tenant's requests, or those that every tenant may vote for; developers: of all
     * tenants.
     */
    list: (params: RequestsListParams = {}, options?: CallOptions): Promise<RequestsListResult> =>
      this.call("requests.list", params, options),
    /** Show one request with its answers, links and changes. */
    show: (params: RequestsShowParams, options?: CallOptions): Promise<RequestsShowResult> =>
      this.call("requests.show", params, options),
    /** Submit a request: what you wish the product could do; your tenant votes for it. */
    submit: (params: RequestsSubmitParams, options?: CallOptions): Promise<RequestsSubmitResult> =>
      this.call("requests.submit", params, options),
    /** Give your tenant's one vote to a request, or take it back. */
    vote: (params: RequestsVoteParams, options?: CallOptions): Promise<RequestsVoteResult> =>
      this.call("requests.vote", params, options),
    /**
     * Withdraw a request of your tenant that is no longer wanted; members withdraw their own
     * only.
     */
    withdraw: (params: RequestsWithdrawParams, options?: CallOptions): Promise<RequestsWithdrawResult> =>
      this.call("requests.withdraw", params, options),
  };
  /** Actions whose names begin with `support.`. */
  readonly support = {
    /**
     * Word for end users that their company has not subscribed to a connector. The engine
     * asks.
     */
    not_subscribed: (params: SupportNotSubscribedParams, options?: CallOptions): Promise<SupportNotSubscribedResult> =>
      this.call("support.not_subscribed", params, options),
  };
  /** Actions whose names begin with `system.`. */
  readonly system = {
    /** Ask what you may call here. */
    describe: (params: SystemDescribeParams = {}, options?: CallOptions): Promise<SystemDescribeResult> =>
      this.call("system.describe", params, options),
    /** Ask whether pages of an origin may call the tenant. */
    origin: (params: SystemOriginParams, options?: CallOptions): Promise<SystemOriginResult> =>
      this.call("system.origin", params, options),
    /** Ask whether the server answers. */
    ping: (params: SystemPingParams = {}, options?: CallOptions): Promise<SystemPingResult> =>
      this.call("system.ping", params, options),
    /** Ask whom the token stands for. */
    whoami: (params: SystemWhoamiParams = {}, options?: CallOptions): Promise<SystemWhoamiResult> =>
      this.call("system.whoami", params, options),
  };
  /** Actions whose names begin with `tickets.`. */
  readonly tickets = {
    /**
     * Give a ticket to somebody, or with null to nobody; refused (failed_precondition) once
     * closed.
     */
    assign: (params: TicketsAssignParams, options?: CallOptions): Promise<TicketsAssignResult> =>
      this.call("tickets.assign", params, options),
    /** Keep a file with a ticket, in the tenant's bucket. */
    attach: (params: TicketsAttachParams, options?: CallOptions): Promise<TicketsAttachResult> =>
      this.call("tickets.attach", params, options),
    /** Make a link by which one attached file can be read for a while. */
    attachment: (params: TicketsAttachmentParams, options?: CallOptions): Promise<TicketsAttachmentResult> =>
      this.call("tickets.attachment", params, options),
    /** List the files kept with a ticket, oldest first; a page at a time. */
    attachments: (params: TicketsAttachmentsParams, options?: CallOptions): Promise<TicketsAttachmentsResult> =>
      this.call("tickets.attachments", params, options),
    /** Close a ticket; refused (failed_precondition) where it is closed already. */
    close: (params: TicketsCloseParams, options?: CallOptions): Promise<TicketsCloseResult> =>
      this.call("tickets.close", params, options),
    /** Hand a ticket to a supervisor and mark it urgent. */
    escalate: (params: TicketsEscalateParams, options?: CallOptions): Promise<TicketsEscalateResult> =>
      this.call("tickets.escalate", params, options),
    /** Show one ticket with the replies to it, oldest first, a page of replies at a time. */
    get: (params: TicketsGetParams, options?: CallOptions): Promise<TicketsGetResult> =>
      this.call("tickets.get", params, options),
    /** List every step that a ticket took, oldest first: who, when, from which state to which. */
    history: (params: TicketsHistoryParams, options?: CallOptions): Promise<TicketsHistoryResult> =>
      this.call("tickets.history", params, options),
    /** List tickets, newest first, by state, contact and assignee as given; a page at a time. */
    list: (params: TicketsListParams = {}, options?: CallOptions): Promise<TicketsListResult> =>
      this.call("tickets.list", params, options),
    /** Take the outcome of a reply's mail. The engine calls it. */
    mailed: (params: TicketsMailedParams, options?: CallOptions): Promise<TicketsMailedResult> =>
      this.call("tickets.mailed", params, options),
    /** Open a ticket for a contact. */
    open: (params: TicketsOpenParams, options?: CallOptions): Promise<TicketsOpenResult> =>
      this.call("tickets.open", params, options),
    /** Add what the desk or the contact wrote; the ticket then waits for the other of the two. */
    reply: (params: TicketsReplyParams, options?: CallOptions): Promise<TicketsReplyResult> =>
      this.call("tickets.reply", params, options),
  };
}
