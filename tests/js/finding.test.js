import assert from "node:assert/strict";
import { test } from "node:test";
import { chosen, rowOf } from "../../static/js/list/chat-row.js";
import { previewOf } from "../../static/js/list/previews.js";
import { ranked, rankOf } from "../../static/js/list/ranking.js";
import { resultOf } from "../../static/js/list/search-results.js";
import { choices } from "../../static/js/list/switcher.js";
import { snippetOf } from "../../static/js/text/snippet.js";
import { at, chat, message, start } from "./build.js";

const user = (id, displayName = id) => ({ id, username: id, displayName });

test("names answer to their beginning, to the beginnings of their words, to a part, to scattered letters, in this order", () => {
  const names = ["Sea gulls", "Garden of the sea", "Seaside", "Sea", "overseas", "Spend a lot"];
  assert.deepEqual(ranked("sea", names, (name) => [name]), ["Sea", "Sea gulls", "Seaside", "Garden of the sea", "overseas", "Spend a lot"]);
  assert.deepEqual(ranked("g s", names, (name) => [name]), ["Sea gulls", "Garden of the sea"]);
  assert.equal(rankOf("xyz", "Sea"), null);
});

test("initials lead to a name", () => {
  assert.deepEqual(ranked("ob", ["Bob", "Orchard board", "Old adventures"], (name) => [name]), ["Orchard board", "Bob"]);
});

test("case and accents do not matter", () => {
  assert.equal(rankOf("zoe", "Zoë Müller"), 1);
  assert.equal(rankOf("MUL", "Zoë Müller"), 2);
});

test("equally good names stay in their order, and the best of several names counts", () => {
  assert.deepEqual(ranked("a", [["ab", "x"], ["aa", "y"], ["b", "a"]], (names) => names), [["b", "a"], ["ab", "x"], ["aa", "y"]]);
});

const state = start({
  me: user("me"), users: Object.fromEntries(["me", "ada", "bob", "cem"].map((id) => [id, user(id, id[0].toUpperCase() + id.slice(1))])),
  chats: {
    old: chat({ id: "old", name: "Old adventures", lastMessage: message(1) }),
    ada: chat({ id: "ada", chatType: "direct", participantIds: ["ada", "me"], lastMessage: message(9) }),
    tea: chat({ id: "tea", name: "Tea", lastMessage: message(5) }),
  },
});

test("the switcher begins with the recent chats but the open one", () => {
  const titles = (one, text) => choices(one, text).map((row) => row.title);
  assert.deepEqual(titles(state, ""), ["Ada", "Tea", "Old adventures"]);
  assert.deepEqual(titles({ ...state, open: { chatId: "ada" } }, " "), ["Tea", "Old adventures"]);
});

test("the switcher offers people without a direct chat, and never oneself or anybody twice", () => {
  const found = (text) => choices(state, text).map((row) => `${row.kind} ${row.title}`);
  assert.deepEqual(found("b"), ["person Bob"]);
  assert.deepEqual(found("ad"), ["chat Ada", "chat Old adventures"]);
  assert.deepEqual(found("@cem"), ["person Cem"]);
  assert.deepEqual(found("me"), []);
});

test("a preview is one line without marks, with who said it", () => {
  const preview = (fields, more = {}) => {
    const { lead, text } = previewOf({ ...state, ...more }, chat({ ...fields }));
    return `${lead} ${text}`.trim();
  };
  assert.equal(preview({ lastMessage: message(1, { content: "**Bold** and\n\n- a `list`" }) }), "Ada: Bold and a list");
  assert.equal(preview({ lastMessage: message(1, { content: "mine", senderId: "me" }) }), "You: mine");
  assert.equal(preview({ chatType: "direct", participantIds: ["ada", "me"], lastMessage: message(1) }), "text 1");
  assert.equal(preview({ lastMessage: null }), "No messages yet");
  assert.equal(preview({}, { drafts: { c: "a *thought*" } }), "Draft: a thought");
  const failed = { chatId: "c", status: "failed", content: "lost" };
  assert.equal(preview({}, { outbox: [failed] }), "Not sent: lost");
  assert.equal(preview({ lastMessage: message(1, { senderId: "zoe" }) }, { users: { zoe: { displayName: "Zoe van Dyk" } } }), "Zoe: text 1");
});

test("only unread chats are shown where that is chosen; the open one stays", () => {
  const one = (id, fields) => rowOf({ ...state, open: { chatId: "open" } }, chat({ id, name: id, ...fields }), new Date(at(0)));
  const rows = [one("read"), one("unread", { unreadCount: 2 }), one("open"), one("quiet", { unreadCount: 1, muted: true })];
  const ids = (choice) => chosen(rows, choice).map((row) => row.id);
  assert.deepEqual(ids({}), ["read", "unread", "open", "quiet"]);
  assert.deepEqual(ids({ unread: true }), ["unread", "open", "quiet"]);
  assert.deepEqual(ids({ unread: true, name: " QUI" }), ["quiet"]);
  assert.deepEqual(rows.map((row) => row.muted), [false, false, false, true]);
});

const shown = (content, highlights) => snippetOf(content, highlights).map(({ text, marked }) => (marked ? `[${text}]` : text)).join("");

test("a snippet marks every match and begins a few words before the first", () => {
  assert.equal(shown("Lemon tea, green tea", [[6, 9], [17, 20]]), "Lemon [tea], green [tea]");
  const long = `${"before ".repeat(30)}the tea\n\n\tand ${"after ".repeat(80)}`;
  const start = long.indexOf("tea");
  const text = shown(long, [[start, start + 3]]);
  assert.match(text, /^…(before )+the \[tea\] and after /);
  assert.ok(text.endsWith("…") && text.length < 260);
});

test("a snippet leaves the marks of Markdown out around its results, and every sign within them", () => {
  const content = "> said\n> twice\n\n**green** `tea` > milk";
  assert.equal(shown(content, [[content.indexOf("tea"), content.indexOf("tea") + 3]]), "said twice green [tea] > milk");
  assert.equal(shown("**a**", [[0, 5]]), "[**a**]");
});

test("a snippet cuts no character in two and survives any offsets", () => {
  const content = "👋".repeat(300);
  for (let start = 0; start < 300; start += 7) {
    const text = shown(content, [[2 * start, 2 * start + 2]]);
    assert.ok(text.isWellFormed() && text.includes("[👋]"), text);
  }
  assert.equal(shown("", []), "");
  assert.equal(shown("short", []), "short");
  assert.ok(shown("x".repeat(1000), [[500, 999]]).includes("["));
});

test("a search result says where and by whom, as far as that is known", () => {
  const result = { message: message(1, { senderId: "me", chatId: "tea" }), chatId: "tea", highlights: [] };
  const row = resultOf(state, result, { opened: "m1", now: new Date(at(0)) });
  assert.deepEqual([row.title, row.sender, row.opened], ["Tea", "You", true]);
  const { title, sender } = resultOf(state, { ...result, chatId: "gone", message: message(1, { senderId: "zoe" }) }, { opened: null, now: new Date(at(0)) });
  assert.deepEqual([title, sender], ["…", "…"]);
});
