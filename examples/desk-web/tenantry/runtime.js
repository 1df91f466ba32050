// Copied by scripts/schema: change it where it comes from, in the backend's repository.
// Calls that keep their id until they have an answer: sent again when a connection breaks or the server asks to wait.
import { FetchChannel, Lost, NoGateway, SocketChannel, stoppable } from "./channels.js";
import { CallError } from "./errors.js";
import { encode, newId } from "./json.js";
const USUAL_TIMEOUT_MS = 30_000;
const LONGEST_TIMEOUT_MS = 600_000;
const MOST_BYTES = 255 * 1024;
const SHORTEST_PAUSE_MS = 250;
const LONGEST_PAUSE_MS = 4_000;
const LONGEST_PATIENCE_MS = 30_000;
/** Reasons for which the client itself ends a call. */
const TIME_IS_UP = Symbol("the timeout is over");
const CLOSED = Symbol("the client was closed");
/** A client without the methods of an index; for one gateway. */
export class BaseClient {
    tenant;
    /** Of the calls made from now on; give another before this one expires. */
    token;
    #timeoutMs;
    #channel;
    #pauses = new Pauses();
    #waits;
    #underWay = new Set();
    #isClosed = false;
    constructor(options) {
        this.tenant = options.tenant;
        this.token = options.token;
        this.#timeoutMs = options.timeoutMs ?? USUAL_TIMEOUT_MS;
        this.#waits = new Waits(options.onWaiting ?? (() => { }));
        this.#channel = channelOf(options);
    }
    /** The result of an action; a CallError is thrown. */
    async call(action, params, options = {}) {
        const reply = await this.request(action, params, options);
        if (reply.ok)
            return reply.result;
        throw reply.error;
    }
    /** The whole reply, with `meta`; a refusal is returned. Throws only the reason of `options.signal`. */
    async request(action, params, options = {}) {
        const id = options.id ?? newId();
        let call;
        try {
            call = this.#timed(id, action, encode(params), options);
        }
        catch (error) {
            return failed(id, "invalid_argument", error.message);
        }
        return typed(id, await this.#attempt(call, options.signal));
    }
    /** End all calls under way with `no_answer`, and the connection. */
    close() {
        this.#isClosed = true;
        for (const stop of this.#underWay)
            stop.abort(CLOSED);
        this.#channel.close();
        this.#pauses.end();
    }
    #timed(id, action, params, options) {
        if (!/^[!-~ ]{1,64}$/.test(id))
            throw new TypeError("id: 1 to 64 printable ASCII characters");
        if (new TextEncoder().encode(params).length > MOST_BYTES)
            throw new TypeError(`params: more than ${MOST_BYTES} bytes`);
        const timeoutMs = options.timeoutMs ?? this.#timeoutMs;
        const tenant = options.tenant ?? this.tenant;
        const token = options.token ?? this.token;
        const deadline = Date.now() + timeoutMs;
        return { id, action, tenant, token, params, timeoutMs, deadline, stop: new AbortController() };
    }
    /** Send until there is a reply, and the call's time is not over. */
    async #attempt(call, signal) {
        const { stop } = call;
        const abort = () => stop.abort(signal?.reason);
        signal?.addEventListener("abort", abort);
        const timer = setTimeout(() => stop.abort(TIME_IS_UP), call.timeoutMs);
        const seen = { lost: "nothing came" };
        this.#underWay.add(stop);
        try {
            if (signal?.aborted)
                throw signal.reason;
            if (this.#isClosed)
                throw CLOSED;
            return await this.#untilAnswered(call, seen);
        }
        catch (error) {
            if (error === TIME_IS_UP)
                return unanswered(call.id, `after ${call.timeoutMs} ms: ${seen.lost}`);
            if (error === CLOSED)
                return unanswered(call.id, String(CLOSED.description));
            if (error instanceof NoGateway)
                return unanswered(call.id, error.message);
            throw error;
        }
        finally {
            clearTimeout(timer);
            signal?.removeEventListener("abort", abort);
            this.#underWay.delete(stop);
            this.#waits.end(call);
        }
    }
    async #untilAnswered(call, seen) {
        for (let silences = 0;;) {
            try {
                const reply = await this.#channel.exchange(call, attemptOf(call, silences));
                this.#pauses.reset();
                const wait = waitOf(reply);
                if (wait === undefined || Date.now() + wait > call.deadline)
                    return reply;
                await this.#wait(call, "server", sleep(wait, call.stop.signal));
            }
            catch (error) {
                if (!(error instanceof Lost))
                    throw error;
                seen.lost = error.message;
                if (error.isSilence)
                    silences += 1;
                else
                    await this.#wait(call, "connection", this.#pauses.next());
            }
        }
    }
    #wait(call, reason, pause) {
        this.#waits.begin(call, reason, pause.at);
        return stoppable(pause.over, call.stop.signal);
    }
}
function channelOf(options) {
    const url = options.url.replace(/\/+$/, "");
    if (options.transport === "websocket")
        return new SocketChannel(url, options.tenant, options.WebSocket ?? WebSocket);
    return new FetchChannel(url, options.fetch ?? ((input, init) => fetch(input, init)));
}
function attemptOf(call, silences) {
    const left = Math.max(1, call.deadline - Date.now());
    const patience = Math.min(call.timeoutMs / 7, 5_000) * 2 ** silences;
    return {
        timeoutMs: Math.ceil(Math.min(left, LONGEST_TIMEOUT_MS)),
        patienceMs: Math.min(patience, LONGEST_PATIENCE_MS),
        signal: call.stop.signal,
    };
}
/** Milliseconds until the call makes sense again, up to twice what the server says; undefined if it is answered. */
function waitOf(reply) {
    const { code = "", retry_after_ms: ms } = reply.error ?? {};
    if (ms === undefined || !["unavailable", "resource_exhausted", "aborted"].includes(code))
        return undefined;
    return ms * (1 + Math.random());
}
function typed(id, reply) {
    const { meta = {}, message, error } = reply;
    if (reply.ok)
        return { ok: true, id, result: reply.result, meta, ...(message === undefined ? {} : { message }) };
    const wire = error ?? { code: "internal", message: "the reply has no error" };
    const failure = new CallError(wire.code, wire, id, meta.trace_id);
    return { ok: false, id, error: failure, meta };
}
function failed(id, code, message) {
    return typed(id, { id, ok: false, error: { code, message } });
}
function unanswered(id, why) {
    const message = `no answer ${why}. Whether it was served is not known; the same call with this id has one effect`;
    return { id, ok: false, error: { code: "no_answer", message } };
}
/** Pauses between connections, the same for all calls, so that they go on in the order they were made. */
class Pauses {
    #failures = 0;
    #current;
    #end = () => { };
    next() {
        if (this.#current)
            return this.#current;
        const usual = Math.min(SHORTEST_PAUSE_MS * 2 ** this.#failures++, LONGEST_PAUSE_MS);
        const ms = usual * (0.5 + Math.random() / 2);
        const over = new Promise((resolve) => {
            const timer = setTimeout(() => this.#end(), ms);
            this.#end = () => {
                clearTimeout(timer);
                globalThis.removeEventListener?.("online", this.#end);
                this.#current = undefined;
                resolve();
            };
            globalThis.addEventListener?.("online", this.#end);
        });
        return (this.#current = { over, at: Date.now() + ms });
    }
    reset() {
        this.#failures = 0;
    }
    end() {
        this.#end();
    }
}
/** Calls that wait, for `onWaiting`. */
class Waits {
    #report;
    #all = new Map();
    constructor(report) {
        this.#report = report;
    }
    begin(call, reason, at) {
        this.#all.set(call, { reason, at });
        const all = [...this.#all.values()];
        const isConnection = all.some((each) => each.reason === "connection");
        const retryAt = Math.min(...all.map((each) => each.at));
        this.#report({ for: isConnection ? "connection" : "server", calls: all.length, retryAt });
    }
    end(call) {
        if (this.#all.delete(call) && this.#all.size === 0)
            this.#report(null);
    }
}
function sleep(ms, signal) {
    const over = new Promise((resolve) => {
        const timer = setTimeout(resolve, ms);
        signal.addEventListener("abort", () => clearTimeout(timer));
    });
    return { over, at: Date.now() + ms };
}
/** An action that is a group, too: call it, or one of its members. */
export function callable(action, members) {
    return Object.defineProperties(action, Object.getOwnPropertyDescriptors(members));
}
