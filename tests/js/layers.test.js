/** The folders of static/js: each imports only from itself and from those before it, and what is imported is there. */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { dirname, posix } from "node:path";
import { test } from "node:test";

const root = new URL("../../static/js/", import.meta.url);
const text = (name) => readFileSync(new URL(name, root), "utf8");
const modules = readdirSync(root, { recursive: true }).filter((name) => name.endsWith(".js"));

// The entries, which templates load, stand beside the folders. theme-boot.js is a classic script and imports nothing.
const FOLDERS = ["net", "model", "ui", "text", "list", "conversation", "account", "shell", "activity", "."];

function importsOf(name) {
  return [...text(name).matchAll(/^import \{([^}]+)\} from "(\.[^"]+)";$/gm)].map(([, names, path]) => ({
    names: names.split(",").map((one) => one.trim().split(" as ")[0]),
    from: posix.join(dirname(name), path),
  }));
}

test("every folder is known, and imports only from those before it", () => {
  for (const name of modules) {
    const rank = FOLDERS.indexOf(dirname(name));
    assert.notEqual(rank, -1, name);
    for (const { from } of importsOf(name)) assert.ok(FOLDERS.indexOf(dirname(from)) <= rank, `${name} imports ${from}`);
  }
});

test("every import names something that its module exports", () => {
  for (const name of modules) {
    for (const { names, from } of importsOf(name)) {
      for (const one of names) assert.match(text(from), new RegExp(`^export (async )?(const|let|function|class) ${one}\\b`, "m"), `${name} imports ${one} from ${from}`);
    }
    const statements = text(name).match(/^import /gm) ?? [];
    assert.equal(statements.length, importsOf(name).length, `${name} imports in a form that this test does not read`);
  }
});

test("no module imports itself by a detour", () => {
  const done = new Set();
  function visit(name, path) {
    assert.ok(!path.includes(name), [...path, name].join(" → "));
    if (done.has(name)) return;
    for (const { from } of importsOf(name)) visit(from, [...path, name]);
    done.add(name);
  }
  for (const name of modules) visit(name, []);
});
