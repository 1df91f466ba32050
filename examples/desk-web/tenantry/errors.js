// Copied by scripts/schema: change it where it comes from, in the backend's repository.
/** A call that was refused, or that had no answer in time. */
export class CallError extends Error {
    name = "CallError";
    code;
    /** For end users; `message` is for developers. */
    userMessage;
    details;
    /** Milliseconds after which the same id makes sense again; undefined if waiting does not help. */
    retryAfterMs;
    /** The call's id: the same call under it has one effect. */
    id;
    traceId;
    constructor(code, error, id, traceId) {
        super(error.message);
        this.code = code;
        this.userMessage = error.user_message;
        this.details = error.details ?? [];
        this.retryAfterMs = error.retry_after_ms;
        this.id = id;
        this.traceId = traceId;
    }
}
/** Whether a thrown value is a CallError; then `switch (error.code)` tells which. */
export function isCallError(error) {
    return error instanceof CallError;
}
