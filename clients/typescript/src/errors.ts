// Copied by scripts/schema: change it where it comes from, in the backend's repository.

/** Codes of the message API, and of this client `no_answer`: whether the call was served is not known. */
export type Code =
  | "aborted"
  | "already_exists"
  | "deadline_exceeded"
  | "failed_precondition"
  | "internal"
  | "invalid_argument"
  | "not_found"
  | "not_subscribed"
  | "permission_denied"
  | "rejected"
  | "resource_exhausted"
  | "unauthenticated"
  | "unavailable"
  | "unimplemented"
  | "no_answer";

/** What is wrong with one field, such as `params.email`; of the whole if it is empty. */
export interface Detail {
  field: string;
  problem: string;
}

/** An error as it travels. */
export interface WireError {
  code: string;
  message: string;
  user_message?: string;
  details?: Detail[];
  retry_after_ms?: number;
}

/** A call that was refused, or that had no answer in time. */
export class CallError<C extends Code = Code> extends Error {
  override readonly name = "CallError";
  readonly code: C;
  /** For end users; `message` is for developers. */
  readonly userMessage: string | undefined;
  readonly details: readonly Detail[];
  /** Milliseconds after which the same id makes sense again; undefined if waiting does not help. */
  readonly retryAfterMs: number | undefined;
  /** The call's id: the same call under it has one effect. */
  readonly id: string;
  readonly traceId: string | undefined;

  constructor(code: C, error: Omit<WireError, "code">, id: string, traceId?: string) {
    super(error.message);
    this.code = code;
    this.userMessage = error.user_message;
    this.details = error.details ?? [];
    this.retryAfterMs = error.retry_after_ms;
    this.id = id;
    this.traceId = traceId;
  }
}

/** Every CallError, told apart by `code`. */
export type AnyCallError = { [C in Code]: CallError<C> }[Code];

/** Whether a thrown value is a CallError; then `switch (error.code)` tells which. */
export function isCallError(error: unknown): error is AnyCallError {
  return error instanceof CallError;
}

/** How a call was answered. */
export interface Meta {
  version?: number;
  state?: string;
  reason?: string;
  /** Present if the id had been answered before. */
  replayed?: true;
  trace_id?: string;
}

/** The whole answer to a call. */
export type Reply<R> =
  | { ok: true; id: string; result: R; message?: string; meta: Meta }
  | { ok: false; id: string; error: AnyCallError; meta: Meta };
