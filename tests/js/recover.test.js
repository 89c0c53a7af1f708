import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

const text = readFileSync(new URL("../../static/recover.js", import.meta.url), "utf8");

class Script {}
class Link {
  constructor(rel) {
    this.rel = rel;
  }
}

/** One load of a page in a tab whose `sessionStorage` is `storage`. */
function load(storage) {
  const heard = {};
  const page = { delays: [], reloads: 0, fails: (part) => heard.error({ target: part }), loaded: () => heard.load() };
  const globals = {
    addEventListener: (type, listener) => (heard[type] = listener),
    sessionStorage: storage,
    location: { reload: () => page.reloads++ },
    setTimeout: (work, ms) => page.delays.push(ms) && work(),
    HTMLScriptElement: Script,
    HTMLLinkElement: Link,
  };
  new Function(...Object.keys(globals), text)(...Object.values(globals));
  return page;
}

function createStorage() {
  const kept = new Map();
  return { getItem: (key) => kept.get(key) ?? null, setItem: (key, value) => kept.set(key, String(value)), removeItem: (key) => kept.delete(key) };
}

function brokenLoad(storage, ...parts) {
  const page = load(storage);
  (parts.length ? parts : [new Script()]).forEach(page.fails);
  page.loaded();
  return page.delays;
}

test("a page of which a part cannot be had is loaded again, later each time, and eight times at most", () => {
  const storage = createStorage();
  const delays = Array.from({ length: 10 }, () => brokenLoad(storage)).flat();
  assert.deepEqual(delays, [500, 1000, 2000, 4000, 8000, 8000, 8000, 8000]);
});

test("many parts are one reload", () => {
  assert.deepEqual(brokenLoad(createStorage(), new Link("stylesheet"), new Script(), new Script()), [500]);
});

test("a page that is whole begins to count anew", () => {
  const storage = createStorage();
  brokenLoad(storage);
  brokenLoad(storage);
  load(storage).loaded();
  assert.deepEqual(brokenLoad(storage), [500]);
});

test("what the page can do without reloads nothing", () => {
  assert.deepEqual(brokenLoad(createStorage(), new Link("modulepreload"), new Link("icon"), {}), []);
});

test("without a storage, where nobody could count, nothing is loaded again", () => {
  const refusing = { getItem: () => { throw new Error("refused"); }, removeItem: () => { throw new Error("refused"); } };
  assert.deepEqual(brokenLoad(refusing), []);
});
