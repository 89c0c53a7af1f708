import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { MESSAGE_ACTIONS, messageActions } from "../../static/js/conversation/message-actions.js";
import { shortcutList } from "../../static/js/shell/keyboard.js";
import { keysText } from "../../static/js/ui/shortcuts.js";
import { at, chat, message, start } from "./build.js";

const key = (key) => ({ key, code: "", ctrlKey: false, metaKey: false, altKey: false, shiftKey: false });
const state = start({ chats: { c: chat({ ownerId: "ada" }) } });
const services = { store: { state } };
const names = (one) => messageActions(services).of(one).map(({ name }) => name);

test("what can be done to a message depends on whose it is and on what it carries", () => {
  assert.deepEqual(names(message(1)), ["reply", "copy", "link", "reads"]);
  assert.deepEqual(names(message(1, { senderId: "me" })), ["reply", "edit", "copy", "link", "reads", "delete"]);
  assert.deepEqual(names(message(1, { senderId: "me", content: "", attachments: [{ name: "cat.png" }] })), ["reply", "link", "reads", "delete"]);
});

test("nothing can be done to a message that is deleted or not stored yet", () => {
  assert.deepEqual(names(message(1, { senderId: "me", content: "", deletedAt: at(2) })), []);
  assert.deepEqual(names(message(1, { id: null, senderId: "me" })), []);
  assert.deepEqual(names(undefined), []);
});

test("one more row is one more entry: in the menu, on its key and in the list of keys", () => {
  const ran = [];
  const pin = { name: "pin", label: "Pin", icon: "pin", keys: ["p"], when: (one) => one.seq > 1, run: (...all) => ran.push(all) };
  const rows = [...MESSAGE_ACTIONS, pin];
  const actions = messageActions(services, rows);
  const second = message(2);
  assert.equal(actions.of(second).at(-1), pin);
  assert.equal(actions.pressed(key("p")), "pin");
  assert.deepEqual([actions.run("pin", message(1)), actions.run("pin", second), ran], [false, true, [[second, services]]]);
  assert.deepEqual(shortcutList(rows).at(-1)[1].at(-1), { name: "pin", keys: ["p"], what: "Pin" });
});

test("every action has an icon that is drawn", () => {
  const drawn = readFileSync(new URL("../../static/js/ui/icons.js", import.meta.url), "utf8");
  for (const { icon } of MESSAGE_ACTIONS) assert.match(drawn, new RegExp(`^  "?${icon}"?: `, "m"));
});

test("an action without a key is in the menu and not in the list of keys", () => {
  const rows = [{ name: "report", label: "Report", icon: "warning", run() {} }];
  assert.equal(messageActions(services, rows).of(message(1)).length, 1);
  assert.equal(messageActions(services, rows).pressed(key("r")), undefined);
  assert.equal(keysText(rows[0]), "");
  assert.deepEqual(shortcutList(rows).at(-1)[1].map(({ name }) => name), ["older", "newer", "menu"]);
});
