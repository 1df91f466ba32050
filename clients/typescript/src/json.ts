// Copied by scripts/schema: change it where it comes from, in the backend's repository.
// JSON without rounding: JavaScript's numbers are doubles, the API's integers have 64 bits.

/** An integer: a number where that is exact, a bigint beyond Number.MAX_SAFE_INTEGER. */
export type Integer = number | bigint;

const TOKEN = /"[^"\\]*(?:\\.[^"\\]*)*"|-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?/g;
const SIXTEEN_DIGITS = /\d{16}/;
const MARKED = /^\0-?\d+$/; // no text of the API holds U+0000

/** The value of a text; integers that a number would round are bigints. */
export function decode(text: string): unknown {
  if (!SIXTEEN_DIGITS.test(text)) return JSON.parse(text);
  const marked = text.replace(TOKEN, (token) => (isLarge(token) ? `"\\u0000${token}"` : token));
  return JSON.parse(marked, (_, value: unknown) =>
    typeof value === "string" && MARKED.test(value) ? BigInt(value.slice(1)) : value,
  );
}

function isLarge(token: string): boolean {
  return /^-?\d+$/.test(token) && !Number.isSafeInteger(Number(token));
}

/** The text of a value. TypeError for what would arrive as something else: NaN, a rounded integer. */
export function encode(value: unknown): string {
  const mark = newId();
  let isMarked = false;
  const text = JSON.stringify(value, function (this: unknown, key: string, each: unknown) {
    const written = asWritten(each, key, Array.isArray(this));
    if (written === undefined) return each;
    isMarked = true;
    return mark + written;
  });
  return isMarked ? text.replace(new RegExp(`"${mark}([^"]+)"`, "g"), "$1") : text;
}

/** The digits of a number that JSON.stringify does not write as it is meant; undefined for all others. */
function asWritten(value: unknown, key: string, isInList: boolean): string | undefined {
  if (typeof value === "bigint") return value.toString();
  if (isInList && ["undefined", "function", "symbol"].includes(typeof value))
    throw new TypeError(`${key}: ${typeof value} in a list would arrive as null`);
  if (typeof value !== "number") return undefined;
  if (!Number.isFinite(value)) throw new TypeError(`${key}: ${value} is no number of JSON`);
  if (!Number.isInteger(value) || Number.isSafeInteger(value)) return undefined;
  if (Math.abs(value) < 2 ** 63)
    throw new TypeError(`${key}: ${value} may have been rounded; give a bigint, ${BigInt(value)}n`);
  return value.toExponential(); // no integer of 64 bits: JSON.stringify would write one
}

/**
 * A new id: 32 hexadecimal digits, of which 12 are the milliseconds since 1970 and 20 random.
 * Ids that begin with the time lie together in the server's index of replies, which costs it less.
 */
export function newId(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(10));
  const random = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return Date.now().toString(16).padStart(12, "0") + random;
}
