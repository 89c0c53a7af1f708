import assert from "node:assert/strict";
import { test } from "node:test";
import { shortcutList, shortcutsOf, stepFrom } from "../../static/js/shell/keyboard.js";
import { keycaps, pressed, shortcutOf, SHORTCUTS, writes } from "../../static/js/ui/shortcuts.js";

const key = (key, fields = {}) => ({ key, code: "", ctrlKey: false, metaKey: false, altKey: false, shiftKey: false, ...fields });

test("every shortcut that works anywhere is in the list, and no other", () => {
  assert.deepEqual(Object.keys(shortcutsOf({ store: { state: {} } })).sort(), SHORTCUTS.anywhere.map(({ name }) => name).sort());
});

test("no two rows of a group have the same keys, and names are used once", () => {
  const groups = shortcutList().map(([, rows]) => rows);
  const names = groups.flat().map(({ name }) => name);
  assert.equal(new Set(names).size, names.length);
  for (const group of groups) {
    const keys = group.flatMap((row) => row.keys);
    assert.equal(new Set(keys).size, keys.length);
  }
});

test("keys are told apart by what is held with them", () => {
  const name = (event) => shortcutOf(event, SHORTCUTS.anywhere)?.name;
  assert.equal(name(key("k", { ctrlKey: true })), "switcher");
  assert.equal(name(key("K", { metaKey: true })), "switcher");
  assert.equal(name(key("k")), undefined);
  assert.equal(name(key("F", { ctrlKey: true, shiftKey: true })), "search");
  assert.equal(name(key("f", { ctrlKey: true })), undefined);
  assert.equal(name(key("ArrowUp", { altKey: true })), "previous-chat");
  assert.equal(name(key("ArrowUp", { altKey: true, shiftKey: true })), "previous-unread");
  assert.equal(name(key("ArrowUp")), undefined);
  // Where a sign needs Shift, and where Alt makes a letter another.
  assert.equal(name(key("?", { shiftKey: true })), "shortcuts");
  assert.equal(name(key("/", { shiftKey: true })), "search");
  assert.equal(name(key("˜", { altKey: true, code: "KeyN" })), "new-chat");
});

test("Enter sends and Shift Enter does not", () => {
  assert.ok(pressed(key("Enter"), "send"));
  for (const held of ["shiftKey", "ctrlKey", "altKey", "metaKey"]) assert.ok(!pressed(key("Enter", { [held]: true }), "send"), held);
});

test("a key that writes belongs to the field", () => {
  assert.deepEqual([key("?"), key("/"), key("k", { ctrlKey: true }), key("Escape"), key("n", { altKey: true })].map(writes), [true, true, false, false, false]);
});

test("keys are named as on the device", () => {
  assert.deepEqual(keycaps("Alt+Shift+ArrowUp", false), ["Alt", "Shift", "↑"]);
  assert.deepEqual(keycaps("Ctrl+Shift+F", true), ["⌘", "⇧", "F"]);
});

test("one steps to the neighbour, and to the next that is wanted round the end", () => {
  const chats = ["a", "b", "c", "d"].map((id) => ({ id }));
  const step = (...all) => stepFrom(chats, ...all)?.id ?? null;
  assert.deepEqual([step("b", 1), step("b", -1), step("a", -1), step("d", 1)], ["c", "a", null, null]);
  assert.deepEqual([step(null, 1), step(null, -1)], ["a", "d"]);
  const wanted = (chat) => "ad".includes(chat.id);
  assert.deepEqual([step("b", 1, { wanted, round: true }), step("d", 1, { wanted, round: true }), step("a", 1, { wanted: (chat) => chat.id === "a", round: true })], ["d", "a", null]);
});
