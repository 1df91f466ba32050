// Shows openapi.json. Texts are set as text, never as markup.
"use strict";

const list = document.getElementById("actions");
const search = document.getElementById("search");

function element(name, text, kind) {
  const made = document.createElement(name);
  if (text !== undefined) made.textContent = text;
  if (kind) made.className = kind;
  return made;
}

function shown(path, item, schemas) {
  const { post } = item;
  const box = element("details");
  const head = element("summary");
  head.append(element("span", item.get ? "GET, POST" : "POST", "method"), " ", element("code", path));
  head.append(element("span", post.summary, "words"));
  box.append(head, element("p", `for: ${post["x-access"]}; ${post["x-effect"] === "read" ? "reads" : "writes"}`));
  for (const part of ["params", "result"]) {
    box.append(element("h4", part), element("pre", JSON.stringify(schemas[`${post.operationId}.${part}`], null, 2)));
  }
  return box;
}

function filter() {
  const wanted = search.value.toLowerCase();
  for (const box of list.querySelectorAll("details")) {
    box.hidden = !box.firstChild.textContent.toLowerCase().includes(wanted);
  }
}

async function show() {
  const token = document.getElementById("token").value.trim();
  const headers = token ? { Authorization: `Bearer ${token}` } : {};
  try {
    const answer = await fetch("/openapi.json", { headers });
    const document_ = await answer.json();
    if (!answer.ok) throw new Error(document_.error.message);
    const { paths, components: { schemas } } = document_;
    list.replaceChildren(...Object.entries(paths).map(([path, item]) => shown(path, item, schemas)));
    filter();
  } catch (problem) {
    list.replaceChildren(element("p", String(problem.message || problem)));
  }
}

document.getElementById("ask").addEventListener("submit", (event) => { event.preventDefault(); show(); });
search.addEventListener("input", filter);
show();
