import assert from "node:assert/strict";
import { test } from "node:test";
import { applyFrame } from "../../static/js/model/frame-reducers.js";
import { takePhase } from "../../static/js/model/state.js";
import { createStorage } from "../../static/js/model/storage.js";
import { createLocks } from "../../static/js/net/locks.js";
import { isWorthTelling, preferences, wordsOf } from "../../static/js/shell/notifications.js";
import { added, chat, message, settle, start } from "./build.js";

const chats = { c: chat({ name: "Tea" }), d: chat({ id: "d", chatType: "direct", participantIds: ["ada", "me"] }) };
const state = start({ chats, users: { ada: { id: "ada", displayName: "Ada" } } });
const worth = (fields, about, more = {}) => isWorthTelling({ ...state, ...more }, message(1, fields), { about });

test("which messages are worth telling is chosen", () => {
  assert.equal(worth({}, "all"), true);
  assert.equal(worth({}, "direct"), false);
  assert.equal(worth({ content: "@me come" }, "direct"), true);
  assert.equal(worth({ chatId: "d" }, "direct"), true);
  assert.equal(worth({ chatId: "d" }, "none"), false);
});

test("nobody is told of their own messages, of muted chats, or of chats that they are not in", () => {
  assert.equal(worth({ senderId: "me" }, "all"), false);
  assert.equal(worth({ content: "@me" }, "all", { chats: { c: chat({ muted: true }) } }), false);
  assert.equal(worth({ chatId: "elsewhere" }, "all"), false);
});

test("a notification says who wrote, where, and what", () => {
  assert.deepEqual(wordsOf(state, message(1, { content: "two\nlines" })), { title: "Ada in Tea", body: "two lines" });
  assert.equal(wordsOf(state, message(1, { chatId: "d" })).title, "Ada");
  assert.equal(wordsOf(state, message(1, { senderId: "zoe" })).title, "Somebody in Tea");
});

test("everything is told until something else is chosen, and a broken choice is none", () => {
  assert.deepEqual(preferences(createStorage(null)), { about: "all", sound: true, asked: false });
  assert.equal(preferences(createStorage({ getItem: () => "{" })).about, "all");
});

test("messages that come live are heard once, also in the open chat; own and caught-up ones are not", () => {
  const live = takePhase({ ...state, open: { chatId: "c" } }, "live", 1);
  assert.deepEqual(applyFrame(live, added(1)).heard.map((one) => one.id), ["m1"]);
  assert.deepEqual(applyFrame(live, added(1, { senderId: "me" })).heard, []);
  assert.deepEqual(applyFrame(takePhase(live, "reconnecting", 2), added(1)).heard, []);
});

/** Locks as a browser has them, for all its tabs. */
class Locks {
  held = [];
  async request(name, options, run) {
    const taken = this.held.some((lock) => lock.name === name && (options.mode !== "shared" || lock.mode !== "shared"));
    const lock = options.ifAvailable && taken ? null : { name, mode: options.mode };
    if (lock) this.held.push(lock);
    await run(lock);
    this.held = this.held.filter((one) => one !== lock);
  }
  query = async () => ({ held: this.held });
}

test("one of several tabs may do what is claimed", async () => {
  const locks = new Locks();
  const tabs = [createLocks("me", locks), createLocks("me", locks), createLocks("other", locks)];
  assert.deepEqual(await Promise.all(tabs.map((tab) => tab.acquire("m1", 1))), [true, false, true]);
  assert.equal(await tabs[1].acquire("m2", 1), true);
});

test("every tab knows whether one of them is being looked at", async () => {
  const locks = new Locks();
  const [one, other] = [createLocks("me", locks), createLocks("me", locks)];
  for (const [first, second, attended] of [[true, true, true], [false, true, true], [false, false, false], [true, false, true]]) {
    one.attend(first);
    other.attend(second);
    await settle();
    assert.deepEqual(await Promise.all([one.attended(), other.attended()]), [attended, attended]);
  }
});

test("without locks each tab stands alone", async () => {
  const locks = createLocks("me", null);
  locks.attend(true);
  assert.deepEqual([await locks.acquire("m"), await locks.attended()], [true, false]);
});
