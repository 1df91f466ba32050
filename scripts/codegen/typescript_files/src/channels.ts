// Copied by scripts/schema: change it where it comes from, in the backend's repository.
// The two ways to a gateway: a request of HTTP for each call, and one WebSocket for all.

import type { WireError, Meta } from "./errors.js";
import { decode } from "./json.js";

/** One call, ready to be sent any number of times. */
export interface Call {
  readonly id: string;
  readonly action: string;
  readonly tenant: string | undefined;
  readonly token: string | undefined;
  /** JSON. */
  readonly params: string;
}

/** A reply as it travels. */
export interface WireReply {
  id: string;
  ok: boolean;
  result?: unknown;
  message?: string;
  error?: WireError;
  meta?: Meta;
}

/** How often, and how long, one attempt may take. */
export interface Attempt {
  /** Milliseconds that the server is given to begin. */
  readonly timeoutMs: number;
  /** Milliseconds of silence after which the call is sent again. */
  readonly patienceMs: number;
  readonly signal: AbortSignal;
}

/** The attempt had no reply; whether it was served is not known. */
export class Lost extends Error {
  /** Whether nothing came, where a broken connection would have been noticed. */
  readonly isSilence: boolean;

  constructor(message: string, isSilence = false) {
    super(message);
    this.isSilence = isSilence;
  }
}

/** What answered is no gateway, and sending again does not help. */
export class NoGateway extends Error {}

/** A way to a gateway. */
export interface Channel {
  /** Send once and wait for the reply. Lost, NoGateway, or the signal's reason. */
  exchange(call: Call, attempt: Attempt): Promise<WireReply>;
  close(): void;
}

const CONNECT_MS = 10_000;

/** One request of HTTP for each call. */
export class FetchChannel implements Channel {
  readonly #url: string;
  readonly #fetch: typeof fetch;

  constructor(url: string, fetch_: typeof fetch) {
    this.#url = url;
    this.#fetch = fetch_;
  }

  async exchange(call: Call, attempt: Attempt): Promise<WireReply> {
    const stop = new AbortController();
    const forward = (): void => stop.abort(attempt.signal.reason);
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
    } catch (error) {
      if (attempt.signal.aborted) throw attempt.signal.reason;
      if (error instanceof NoGateway || error instanceof Lost) throw error;
      throw new Lost(stop.signal.aborted ? "nothing came" : "no connection", stop.signal.aborted);
    } finally {
      clearTimeout(silent);
      attempt.signal.removeEventListener("abort", forward);
    }
  }

  close(): void {}

  #address(call: Call): string {
    const { tenant, action } = call;
    if (tenant !== undefined) return `${this.#url}/v1/${encodeURIComponent(tenant)}/${action}`;
    return `${this.#url}/v1/system/${action.replace(/^system\./, "")}`;
  }
}

function headersOf(call: Call, timeoutMs: number): Record<string, string> {
  return {
    "content-type": "application/json",
    "idempotency-key": call.id,
    "timeout-ms": String(timeoutMs),
    ...(call.token === undefined ? {} : { authorization: `Bearer ${call.token}` }),
  };
}

function readReply(text: string, status: number): WireReply {
  try {
    const reply = decode(text) as WireReply;
    if (typeof reply.ok === "boolean") return reply;
  } catch {
    // a page of a proxy, say
  }
  const words = `HTTP ${status} that is no reply of a gateway`;
  throw status >= 500 || status === 429 ? new Lost(words) : new NoGateway(words);
}

interface Waiter {
  resolve(reply: WireReply): void;
  reject(error: unknown): void;
}

/** One WebSocket for all calls, opened when the first of them needs it. */
export class SocketChannel implements Channel {
  readonly #url: string;
  readonly #WebSocket: typeof WebSocket;
  readonly #waiters = new Map<string, Waiter>();
  readonly #underWay = new Map<string, Promise<WireReply>>();
  #socket: WebSocket | undefined;
  #opening: Promise<WebSocket> | undefined;
  #lastReceived = 0;

  constructor(url: string, tenant: string | undefined, WebSocket_: typeof WebSocket) {
    const query = tenant === undefined ? "" : `?tenant=${encodeURIComponent(tenant)}`;
    this.#url = `${url.replace(/^http/, "ws")}/v1/ws${query}`;
    this.#WebSocket = WebSocket_;
  }

  async exchange(call: Call, attempt: Attempt): Promise<WireReply> {
    for (let same; (same = this.#underWay.get(call.id)); ) await same.catch(() => {});
    const exchange = this.#exchange(call, attempt);
    this.#underWay.set(call.id, exchange);
    try {
      return await exchange;
    } finally {
      this.#underWay.delete(call.id);
    }
  }

  async #exchange(call: Call, attempt: Attempt): Promise<WireReply> {
    const socket = await stoppable(this.#open(), attempt.signal);
    const sent = Date.now();
    let timer: ReturnType<typeof setTimeout> | undefined;
    const reply = new Promise<WireReply>((resolve, reject) => {
      this.#waiters.set(call.id, { resolve, reject });
      timer = setTimeout(() => {
        if (this.#lastReceived < sent) this.#lose(socket, "the WebSocket is silent");
        reject(new Lost("nothing came", true));
      }, attempt.patienceMs);
    });
    try {
      this.#send(socket, call, attempt.timeoutMs);
      return await stoppable(reply, attempt.signal);
    } finally {
      clearTimeout(timer);
      this.#waiters.delete(call.id);
    }
  }

  close(): void {
    if (this.#socket) this.#lose(this.#socket, "the client was closed");
  }

  #send(socket: WebSocket, call: Call, timeoutMs: number): void {
    const { id, action, tenant, token } = call;
    const head = JSON.stringify({ id, tenant, action, token, timeout_ms: timeoutMs });
    socket.send(`${head.slice(0, -1)},"params":${call.params}}`);
  }

  #open(): Promise<WebSocket> {
    this.#opening ??= new Promise((resolve, reject) => {
      const socket = (this.#socket = new this.#WebSocket(this.#url, ["tenantry.v1"]));
      const lose = (words: string): void => {
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
      socket.onclose = (event) =>
        lose(event.reason || `the WebSocket was closed (${event.code})`);
    });
    return this.#opening;
  }

  #receive(text: string): void {
    this.#lastReceived = Date.now();
    const reply = decode(text) as WireReply;
    this.#waiters.get(reply.id)?.resolve(reply);
  }

  /** Forget a socket; what was under way on it is lost. */
  #lose(socket: WebSocket, words: string): void {
    socket.onopen = socket.onerror = socket.onmessage = socket.onclose = null;
    socket.close();
    if (socket !== this.#socket) return;
    this.#socket = this.#opening = undefined;
    for (const waiter of this.#waiters.values()) waiter.reject(new Lost(words));
  }
}

/** The outcome of a promise, or the signal's reason if that comes first. */
export function stoppable<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const stop = (): void => reject(signal.reason);
    if (signal.aborted) stop();
    signal.addEventListener("abort", stop);
    promise.then(resolve, reject).finally(() => signal.removeEventListener("abort", stop));
  });
}
