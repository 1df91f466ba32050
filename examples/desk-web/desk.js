// A desk in one page: what is written goes out under one id until it is stored, however long the connection is away.
import { BaseClient } from "./tenantry/runtime.js";
import { isCallError } from "./tenantry/errors.js";

const HALF_A_DAY_MS = 12 * 3600 * 1000; // an id is good for 24 hours

const get = (id) => document.getElementById(id);
const made = (tag, text = "", about = {}) => Object.assign(document.createElement(tag), { textContent: text }, about);
const show = (element, isShown) => (element.hidden = !isShown);
const when = (text) => new Date(text).toLocaleString([], { dateStyle: "medium", timeStyle: "short" });

let client; // holds the token; nothing else does
let waiting = null;
let contact; // the one that is shown
let ticket;
let next = null;
let finding = new AbortController();
const outbox = new Set();

// ---------------------------------------------------------------- signing in and out

get("sign-in").addEventListener("submit", async (event) => {
  event.preventDefault();
  const form = event.target;
  const { url, tenant, token } = Object.fromEntries(new FormData(form));
  const error = form.querySelector(".error");
  error.textContent = "";
  client?.close();
  client = new BaseClient({ url, tenant, token, transport: "websocket", onWaiting });
  try {
    const caller = await client.call("system.whoami", {}, { timeoutMs: 10_000 });
    form.elements.token.value = "";
    enter(caller.tenant ?? tenant);
  } catch (failure) {
    client.close();
    error.textContent = isCallError(failure) && failure.code === "unauthenticated"
      ? "This token is not valid for this tenant."
      : `The gateway did not let this page in. Does it run at ${url}, and does the tenant’s config list ${location.origin} among its origins?`;
  }
});

function enter(tenant) {
  get("tenant").textContent = tenant;
  for (const id of ["door", "desk", "leave", "status"]) show(get(id), id !== "door");
  find();
  renderStatus();
  get("find-text").focus();
}

get("leave").addEventListener("click", () => {
  if (unstored() > 0 && !confirm("Some entries are not stored yet and will be lost. Sign out?")) return;
  outbox.clear();
  location.reload();
});

addEventListener("beforeunload", (event) => {
  if (unstored() > 0) event.preventDefault();
});

// ---------------------------------------------------------------- what the page waits for

function onWaiting(news) {
  waiting = news;
  renderStatus();
}

setInterval(() => waiting && renderStatus(), 1000);

const unstored = () => [...outbox].filter((entry) => !entry.failure).length;

function renderStatus() {
  const status = get("status");
  const words = waiting ? wordsForWaiting() : wordsWhileConnected();
  status.toggleAttribute("data-waits", waiting !== null || outbox.size > unstored());
  if (status.textContent !== words) status.textContent = words;
  renderOutbox();
}

function wordsForWaiting() {
  const seconds = Math.max(0, Math.ceil((waiting.retryAt - Date.now()) / 1000));
  const why = waiting.for === "server" ? "The server asked to wait." : "No connection.";
  const kept = { 0: "", 1: " 1 entry is kept here and sent once." }[unstored()]
    ?? ` ${unstored()} entries are kept here and sent once.`;
  return `${why}${kept} ${seconds > 0 ? `Next try in ${seconds} s.` : "Trying now."}`;
}

function wordsWhileConnected() {
  if (unstored() > 0) return "Storing …";
  return outbox.size > 0 ? "Connected. Something was refused and is not stored." : "Connected. Everything is stored.";
}

function renderOutbox() {
  show(get("outbox"), outbox.size > unstored() || (outbox.size > 0 && waiting !== null));
  const items = [...outbox].map((entry) => {
    const item = made("li", entry.failure ? `${entry.label}: ${entry.failure} ` : entry.label);
    if (entry.failure) item.append(made("button", "Dismiss", { className: "quiet", type: "button", onclick: () => done(entry) }));
    return item;
  });
  const texts = (nodes) => [...nodes].map((node) => node.textContent).join("\n");
  if (texts(items) !== texts(get("entries").children)) get("entries").replaceChildren(...items);
}

function done(entry) {
  outbox.delete(entry);
  renderStatus();
}

/** Store something; its id is made here once. `after` runs with the result. */
async function store(label, action, params, after) {
  const entry = { label };
  outbox.add(entry);
  renderStatus();
  try {
    const result = await client.call(action, params, { timeoutMs: HALF_A_DAY_MS });
    done(entry);
    await after(result);
  } catch (failure) {
    report(failure, entry);
  }
}

function report(failure, entry = { label: "This cannot be shown" }) {
  if (!isCallError(failure)) throw failure;
  entry.failure = failure.userMessage ?? failure.message;
  outbox.add(entry);
  renderStatus();
}

/** Read something for the page; what no longer matters is given up by the signal. */
async function read(action, params, signal) {
  try {
    return await client.call(action, params, signal ? { signal } : {});
  } catch (failure) {
    if (!signal?.aborted) report(failure);
    return undefined;
  }
}

/** The fields of a form that are filled; an empty one is absent. */
function filled(form) {
  return Object.fromEntries([...new FormData(form)].filter(([, value]) => value.trim() !== ""));
}

function onSubmit(id, store) {
  get(id).addEventListener("submit", (event) => {
    event.preventDefault();
    const params = filled(event.target);
    event.target.reset();
    event.target.querySelector("input, textarea").focus();
    store(params);
  });
}

// ---------------------------------------------------------------- contacts

let typing;
get("find-text").addEventListener("input", () => {
  clearTimeout(typing);
  typing = setTimeout(find, 150);
});
get("find").addEventListener("submit", (event) => {
  event.preventDefault();
  find();
});
get("more").addEventListener("click", () => find(next));

async function find(after = null) {
  finding.abort();
  finding = new AbortController();
  const text = get("find-text").value;
  const page = await read("contacts.find", { text, limit: 50, ...(after === null ? {} : { after }) }, finding.signal);
  if (page === undefined) return;
  const items = page.contacts.map((each) =>
    choice(each.name, each.company ?? each.email ?? "", each.id === contact?.id, () => showContact(each)));
  if (after === null) get("found").replaceChildren(...items);
  else get("found").append(...items);
  next = page.next;
  show(get("more"), next !== null);
  show(get("none-found"), get("found").childElementCount === 0);
}

function choice(name, about, isChosen, choose) {
  const button = made("button", "", { type: "button" });
  button.append(made("strong", name), made("span", about));
  if (isChosen) button.setAttribute("aria-current", "true");
  button.addEventListener("click", () => {
    for (const other of button.closest("ul").querySelectorAll("[aria-current]")) other.removeAttribute("aria-current");
    button.setAttribute("aria-current", "true");
    choose();
  });
  const item = made("li");
  item.append(button);
  return item;
}

onSubmit("add", (params) => store(`Contact ${params.name}`, "contacts.add", params, () => find()));

async function showContact(each) {
  contact = each;
  ticket = undefined;
  get("desk").dataset.view = "contact";
  show(get("nothing-chosen"), false);
  show(get("chosen"), true);
  show(get("ticket"), false);
  get("contact-name").textContent = each.name;
  get("contact-about").textContent = [each.company, each.email, each.phone].filter(Boolean).join(" · ");
  get("contact-name").focus();
  get("tickets").replaceChildren();
  await listTickets(each);
}

get("back").addEventListener("click", () => {
  delete get("desk").dataset.view;
  get("find-text").focus();
});

// ---------------------------------------------------------------- tickets

async function listTickets(owner) {
  const page = await read("tickets.list", { contact_id: owner.id, limit: 50 });
  if (page === undefined || owner !== contact) return;
  get("tickets").replaceChildren(...page.tickets.map((each) =>
    choice(each.subject, `${each.state} · ${when(each.updated_at)}`, each.id === ticket?.id, () => showTicket(each))));
  show(get("no-tickets"), page.tickets.length === 0);
}

async function showTicket(each) {
  ticket = each;
  const replies = [];
  let whole;
  for (let after = null; whole === undefined || after !== null; after = whole.next) {
    whole = await read("tickets.get", { id: each.id, limit: 100, ...(after === null ? {} : { after }) });
    if (whole === undefined || ticket !== each) return;
    replies.push(...whole.replies);
  }
  get("ticket-subject").textContent = whole.subject;
  const thread = [{ author: "contact", body: whole.body, created_at: whole.created_at }, ...replies];
  get("thread").replaceChildren(...thread.map(message));
  show(get("ticket"), true);
  get("thread").lastElementChild.scrollIntoView({ block: "nearest" });
}

function message({ author, body, created_at: written }) {
  const item = made("li", body, { className: author });
  item.prepend(made("small", `${author === "desk" ? "Desk" : contact.name}, ${when(written)}`));
  return item;
}

onSubmit("open", (params) => {
  const owner = contact;
  get("opening").open = false;
  return store(`Ticket “${params.subject}” for ${owner.name}`, "tickets.open", { ...params, contact_id: owner.id }, async ({ id }) => {
    if (owner !== contact) return;
    await showTicket({ id });
    await listTickets(owner);
  });
});

onSubmit("reply", (params) => {
  const [owner, answered] = [contact, ticket];
  return store(`Reply to “${get("ticket-subject").textContent}”`, "tickets.reply", { ...params, id: answered.id }, async () => {
    if (answered !== ticket) return;
    await showTicket(answered);
    await listTickets(owner);
  });
});
