import assert from "node:assert/strict";
import { test } from "node:test";
import { rowsOf } from "../../static/js/conversation/message-rows.js";
import { newTimeline } from "../../static/js/model/message-timeline.js";
import { decideDivider } from "../../static/js/shell/navigation.js";
import { at, chat, message, start } from "./build.js";

const NOW = new Date("2026-11-23T12:00:00.000Z");
const minute = (minutes) => new Date(Date.parse("2026-11-23T10:00:00.000Z") + minutes * 60_000).toISOString();

function show(items, fields = {}) {
  const timeline = { ...newTimeline(1), loaded: true, atStart: true, items };
  const state = start({ open: { chatId: "c", messageId: null }, chats: { c: chat({ whole: true }) }, timelines: { c: timeline }, ...fields });
  return rowsOf(state, NOW);
}
const messages = (rows) => rows.filter((row) => row.kind === "message");

test("messages of one sender within five minutes are one group", () => {
  const at = (seq, minutes, senderId) => message(seq, { createdAt: minute(minutes), senderId });
  const rows = messages(show([at(1, 0, "ada"), at(2, 4, "ada"), at(3, 10, "ada"), at(4, 11, "bob")]));
  assert.deepEqual(rows.map((row) => [Boolean(row.first), Boolean(row.last)]), [[true, false], [false, true], [true, true], [true, true]]);
});

test("a new day has a separator and begins a group", () => {
  const rows = show([message(1, { createdAt: "2026-11-21T10:00:00.000Z" }), message(2, { createdAt: "2026-11-23T10:00:00.000Z" })]);
  assert.deepEqual(rows.map((row) => row.label ?? row.kind), ["start", "Saturday", "message", "Today", "message"]);
});

test("the divider stands above the first unread message of somebody else", () => {
  const items = [message(1), message(2, { senderId: "me" }), message(3, { content: "", deletedAt: at(9) }), message(4), message(5)];
  const kinds = show(items, { dividers: { c: { seq: 2 } } }).map((row) => row.message?.id ?? row.kind);
  assert.deepEqual(kinds, ["start", "day", "m1", "m2", "m3", "divider", "m4", "m5"]);
});

test("the divider is decided once the watermarks are known, and stays where it is", () => {
  const marks = { c: { me: { seq: 3, messageId: "m3" } } };
  const state = start({ open: { chatId: "c" }, chats: { c: chat({ unreadCount: 2 }) }, watermarks: marks });
  assert.equal(decideDivider(state).dividers.c, undefined);
  const decided = decideDivider({ ...state, chats: { c: chat({ unreadCount: 2, whole: true }) } });
  assert.deepEqual(decided.dividers.c, { seq: 4, after: "m3", count: 2 });
  assert.deepEqual(decideDivider({ ...decided, watermarks: {} }).dividers, decided.dividers);
});

test("own messages say whether nobody, some or all have read them", () => {
  const mark = (seq) => ({ seq });
  const items = [1, 2, 3].map((seq) => message(seq, { senderId: "me" }));
  const rows = messages(show(items, { watermarks: { c: { ada: mark(2), bob: mark(1), me: mark(3) } } }));
  assert.deepEqual(rows.map((row) => [row.receipt, row.read, row.of]), [["read", 2, 2], ["partly", 1, 2], ["stored", 0, 2]]);
});

test("what is in the outbox stands after the stored messages, and not at all once the stream has shown it", () => {
  const item = (key, fields) => ({ key, chatId: "c", content: key, createdAt: minute(5), status: "sending", error: null, storedAs: null, ...fields });
  const rows = messages(show([message(1)], { outbox: [item("k1"), item("k2", { storedAs: "m1" }), item("k3", { chatId: "d" })] }));
  assert.deepEqual(rows.map((row) => row.key), ["m1", "k1"]);
});

test("a message keeps the row of the bubble that it was while it was sent", () => {
  const [row] = messages(show([message(1, { senderId: "me" })], { aliases: { m1: "k1" } }));
  assert.equal(row.key, "k1");
});

test("a window that does not reach the newest message shows nothing from the outbox below it", () => {
  const timeline = { ...newTimeline(1, false), loaded: true, items: [message(1)] };
  const item = { key: "k", chatId: "c", content: "k", createdAt: minute(5), status: "sending" };
  assert.equal(messages(show([], { timelines: { c: timeline }, outbox: [item] })).length, 1);
});

test("a message that was not sent says why: refused, without a connection, or too fast and until when", () => {
  const item = (error) => ({ key: "k", chatId: "c", content: "k", createdAt: minute(5), status: "failed", error, storedAs: null });
  const why = (error, phase) => {
    const row = messages(show([], { outbox: [item(error)], connection: { phase } }))[0];
    return [row.error, row.waits, row.until];
  };
  assert.deepEqual(why({ message: "No.", temporary: false, until: null }, "live"), ["No.", false, null]);
  assert.deepEqual(why({ message: "Gone.", temporary: true, until: null }, "offline"), [null, true, null]);
  assert.deepEqual(why({ message: "Gone.", temporary: true, until: null }, "live"), [null, false, null]);
  assert.deepEqual(why({ message: "Slow.", temporary: true, until: 7 }, "live"), [null, false, 7]);
});

test("a row is another one when somebody whom it mentions becomes known or is called otherwise", () => {
  const items = [message(1, { content: "ask @bob" })];
  const known = (displayName) => ({ bob: { id: "bob", username: "bob", displayName } });
  assert.deepEqual([{}, known("Bob"), known("Robert")].map((users) => messages(show(items, { users }))[0].named), ["", "Bob", "Robert"]);
});
