// Compiled by test_package.py beside the built client: every line below a comment must be an error, no other may be.
import { Client, isCallError } from "./client.js";
import type { AnyCallError, Integer } from "./client.js";

const client = new Client({ url: "https://api.example", tenant: "acme", token: "t" });

export async function desk(): Promise<void> {
  const added = await client.contacts.add({ name: "Ada", email: "ada@example.com" });
  const shown = await client.contacts.get({ id: added.id });
  const id: Integer = shown.id;
  const email: string | null = shown.email;
  await client.contacts.update({ id, email: null }); // null empties
  await client.contacts.find();
  await client.contacts.get({ id: 9007199254740993n }, { timeoutMs: 500, id: "mine" });
  const imported = await client.contacts.import({ rows: [{ name: "Alan" }] });
  const count: number = imported.added + imported.refused;
  console.log(email, count);

  // @ts-expect-error a param is missing
  await client.contacts.add({});
  // @ts-expect-error a param is misspelt
  await client.contacts.add({ name: "Ada", emial: "a" });
  // @ts-expect-error null where it is not allowed
  await client.contacts.add({ name: "Ada", email: null });
  // @ts-expect-error undefined is not absent
  await client.contacts.add({ name: "Ada", email: undefined });
  // @ts-expect-error a param of a call that has none
  await client.system.ping({ loud: true });
  // @ts-expect-error there is no such action
  await client.contacts.fnid();
  // @ts-expect-error it may be beyond what a number holds
  const rounded: number = shown.id;
  // @ts-expect-error it may be null
  const text: string = shown.email;
  console.log(rounded, text);
}

export function words(error: unknown): string {
  if (!isCallError(error)) throw error;
  switch (error.code) {
    case "not_found":
      return "it is gone";
    case "no_answer":
      return `try again with ${error.id}`;
    case "unavailable":
    case "resource_exhausted":
      return `in ${error.retryAfterMs ?? 1000} ms`;
    // @ts-expect-error there is no such code
    case "teapot":
      return "";
    default:
      return error.message;
  }
}

export async function typed(): Promise<void> {
  const reply = await client.request("contacts.get", { id: 1 });
  if (reply.ok) console.log(reply.result.name, reply.meta.replayed);
  else console.log(reply.error satisfies AnyCallError);
  // @ts-expect-error a refusal has no result
  console.log(reply.result);
  // @ts-expect-error the params are those of the action
  await client.call("contacts.get", { name: "Ada" });
}
