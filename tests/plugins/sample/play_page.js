// Plays a blind test's page by keys or by clicks, in a document that has what the script asks for.
// node play_page.js PAGE STEP…: a STEP is a key (key:1), a key that is held (held:1), or the id of what is
// clicked (click:first), or clicked again at once (again:first).
"use strict";
const fs = require("fs");
const vm = require("vm");
const page = fs.readFileSync(process.argv[2], "utf8");
const [data, script] = [...page.matchAll(/<script[^>]*>([\s\S]*?)<\/script>/g)].map((found) => found[1]);
const elements = {};
for (const [tag, id] of page.matchAll(/<[a-z][^>]*\bid="(\w+)"[^>]*>/g))
  elements[id] = {
    ...{ hidden: / hidden>/.test(tag), textContent: "", value: "", handlers: {} },
    addEventListener(kind, act) { this.handlers[kind] = act; },
    ...{ focus() {}, select() {} },
  };
elements.test.textContent = data;
const keys = [];
let copied = null;
const document = { getElementById: (id) => elements[id], addEventListener: (kind, act) => keys.push(act) };
const navigator = { clipboard: { writeText: (text) => ({ then: (done) => { copied = text; done(); } }) } };
vm.runInNewContext(script, { document, navigator });
const seen = [];
for (const step of process.argv.slice(3)) {
  const [kind, what] = step.split(":");
  if (!elements.asking.hidden) seen.push(["count", "prompt", "text1", "text2"].map((id) => elements[id].textContent));
  if (kind === "key" || kind === "held") keys.forEach((act) => act({ key: what, repeat: kind === "held" }));
  else elements[what].handlers.click({ detail: kind === "again" ? 2 : 1 });
}
const shown = Object.fromEntries(Object.entries(elements).map(([id, at]) => [id, at.hidden ? null : at.textContent]));
console.log(JSON.stringify({ seen, shown, line: elements.line.value, copied }));
