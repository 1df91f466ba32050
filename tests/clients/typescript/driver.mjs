// Makes the calls that come as lines of JSON, and writes each reply as a line: node driver.mjs MODULES OPTIONS
import { createInterface } from "node:readline";
const [modules, options] = process.argv.slice(2);
const { BaseClient } = await import(`${modules}/runtime.js`);
const { decode, encode } = await import(`${modules}/json.js`);
const { isCallError } = await import(`${modules}/errors.js`);

const write = (value) => process.stdout.write(`${encode(value)}\n`);
const onWaiting = (waiting) => write({ waiting });
const client = new BaseClient({ ...decode(options), onWaiting });

for await (const line of createInterface({ input: process.stdin })) {
  const { n, action, params, own } = decode(line);
  client.request(action, params, own).then(({ error, ...reply }) => {
    const known = error && { is: isCallError(error), code: error.code, message: error.message };
    write({ n, ...reply, error: error && { ...known, details: error.details, ms: error.retryAfterMs } });
  });
}
client.close();
