// Makes the calls that come as JSON. In Node: node driver.mjs MODULES OPTIONS, a call and a reply a line each.
const load = (modules) =>
  Promise.all(["runtime", "json", "errors"].map((name) => import(`${modules}/${name}.js`)));

/** A client, and what makes its calls; `write` gets each reply, and what `onWaiting` was called with. */
export const driven = async (modules, options, write) => {
  const [{ BaseClient }, { decode, encode }, { isCallError }] = await load(modules);
  const onWaiting = (waiting) => write(encode({ waiting }));
  const client = new BaseClient({ ...decode(options), onWaiting });
  const take = async (line) => {
    const { n, action, params, own } = decode(line);
    const { error, ...reply } = await client.request(action, params, own);
    const known = error && { is: isCallError(error), code: error.code, message: error.message };
    const shown = error && { ...known, details: error.details, ms: error.retryAfterMs };
    write(encode({ n, ...reply, error: shown }));
  };
  return { take, close: () => client.close() };
};

if (globalThis.process) {
  const { createInterface } = await import("node:readline");
  const [modules, options] = process.argv.slice(2);
  const { take, close } = await driven(modules, options, (line) => process.stdout.write(`${line}\n`));
  for await (const line of createInterface({ input: process.stdin })) take(line);
  close();
}
