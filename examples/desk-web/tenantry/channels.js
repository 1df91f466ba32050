// Copied by scripts/schema: change it where it comes from, in the backend's repository.
// The two ways to a gateway: a request of HTTP for each call, and one WebSocket for all.
import { decode } from "./json.js";
/** The attempt had no reply; whether it was served is not known. */
export class Lost extends Error {
    /** Whether nothing came, where a broken connection would have been noticed. */
    isSilence;
    constructor(message, isSilence = false) {
        super(message);
        this.isSilence = isSilence;
    }
}
/** What answered is no gateway, and sending again does not help. */
export class NoGateway extends Error {
}
const CONNECT_MS = 10_000;
/** One request of HTTP for each call. */
export class FetchChannel {
    #url;
    #fetch;
    constructor(url, fetch_) {
        this.#url = url;
        this.#fetch = fetch_;
    }
    async exchange(call, attempt) {
        const stop = new AbortController();
        const forward = () => stop.abort(attempt.signal.reason);
        attempt.signal.addEventListener("abort", forward);
        const silent = setTimeout(() => stop.abort(), attempt.patienceMs);
        try {
            const response = await this.#fetch(this.#address(call), {
                method: "POST",
                headers: headersOf(call, attempt.timeoutMs),
                body: call.params,
                signal: stop.signal,
                cache: "no-store",
                credentials: "omit",
                redirect: "error",
            });
            return readReply(await response.text(), response.status);
        }
        catch (error) {
            if (attempt.signal.aborted)
                throw attempt.signal.reason;
            if (error instanceof NoGateway || error instanceof Lost)
                throw error;
            throw new Lost(stop.signal.aborted ? "nothing came" : "no connection", stop.signal.aborted);
        }
        finally {
            clearTimeout(silent);
            attempt.signal.removeEventListener("abort", forward);
        }
    }
    close() { }
    #address(call) {
        const { tenant, action } = call;
        if (tenant !== undefined)
            return `${this.#url}/v1/${encodeURIComponent(tenant)}/${action}`;
        return `${this.#url}/v1/system/${action.replace(/^system\./, "")}`;
    }
}
function headersOf(call, timeoutMs) {
    return {
        "content-type": "application/json",
        "idempotency-key": call.id,
        "timeout-ms": String(timeoutMs),
        ...(call.token === undefined ? {} : { authorization: `Bearer ${call.token}` }),
    };
}
function readReply(text, status) {
    try {
        const reply = decode(text);
        if (typeof reply.ok === "boolean")
            return reply;
    }
    catch {
        // a page of a proxy, say
    }
    const words = `HTTP ${status} that is no reply of a gateway`;
    throw status >= 500 || status === 429 ? new Lost(words) : new NoGateway(words);
}
/** One WebSocket for all calls, opened when the first of them needs it. */
export class SocketChannel {
    #url;
    #WebSocket;
    #waiters = new Map();
    #underWay = new Map();
    #socket;
    #opening;
    #lastReceived = 0;
    constructor(url, tenant, WebSocket_) {
        const query = tenant === undefined ? "" : `?tenant=${encodeURIComponent(tenant)}`;
        this.#url = `${url.replace(/^http/, "ws")}/v1/ws${query}`;
        this.#WebSocket = WebSocket_;
    }
    async exchange(call, attempt) {
        for (let same; (same = this.#underWay.get(call.id));)
            await same.catch(() => { });
        const exchange = this.#exchange(call, attempt);
        this.#underWay.set(call.id, exchange);
        try {
            return await exchange;
        }
        finally {
            this.#underWay.delete(call.id);
        }
    }
    async #exchange(call, attempt) {
        const socket = await stoppable(this.#open(), attempt.signal);
        const sent = Date.now();
        let timer;
        const reply = new Promise((resolve, reject) => {
            this.#waiters.set(call.id, { resolve, reject });
            timer = setTimeout(() => {
                if (this.#lastReceived < sent)
                    this.#lose(socket, "the WebSocket is silent");
                reject(new Lost("nothing came", true));
            }, attempt.patienceMs);
        });
        try {
            this.#send(socket, call, attempt.timeoutMs);
            return await stoppable(reply, attempt.signal);
        }
        finally {
            clearTimeout(timer);
            this.#waiters.delete(call.id);
        }
    }
    close() {
        if (this.#socket)
            this.#lose(this.#socket, "the client was closed");
    }
    #send(socket, call, timeoutMs) {
        const { id, action, tenant, token } = call;
        const head = JSON.stringify({ id, tenant, action, token, timeout_ms: timeoutMs });
        socket.send(`${head.slice(0, -1)},"params":${call.params}}`);
    }
    #open() {
        this.#opening ??= new Promise((resolve, reject) => {
            const socket = (this.#socket = new this.#WebSocket(this.#url, ["tenantry.v1"]));
            const lose = (words) => {
                clearTimeout(slow);
                reject(new Lost(words));
                this.#lose(socket, words);
            };
            const slow = setTimeout(() => lose("the WebSocket did not open"), CONNECT_MS);
            socket.onerror = () => lose("the WebSocket could not be opened"); // Node 20 sends no close then
            socket.onopen = () => {
                socket.onerror = null;
                clearTimeout(slow);
                resolve(socket);
            };
            socket.onmessage = (event) => this.#receive(String(event.data));
            socket.onclose = (event) => lose(event.reason || `the WebSocket was closed (${event.code})`);
        });
        return this.#opening;
    }
    #receive(text) {
        this.#lastReceived = Date.now();
        const reply = decode(text);
        this.#waiters.get(reply.id)?.resolve(reply);
    }
    /** Forget a socket; what was under way on it is lost. */
    #lose(socket, words) {
        socket.onopen = socket.onerror = socket.onmessage = socket.onclose = null;
        socket.close();
        if (socket !== this.#socket)
            return;
        this.#socket = this.#opening = undefined;
        for (const waiter of this.#waiters.values())
            waiter.reject(new Lost(words));
    }
}
/** The outcome of a promise, or the signal's reason if that comes first. */
export function stoppable(promise, signal) {
    return new Promise((resolve, reject) => {
        const stop = () => reject(signal.reason);
        if (signal.aborted)
            stop();
        signal.addEventListener("abort", stop);
        promise.then(resolve, reject).finally(() => signal.removeEventListener("abort", stop));
    });
}
