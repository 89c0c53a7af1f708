import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { nextPath, parsePath, pathOf } from "../../static/js/model/addresses.js";
import { notify } from "../../static/js/model/arrivals.js";
import { takeChatView, takeMuted } from "../../static/js/model/snapshots.js";
import { isMuted, takePhase } from "../../static/js/model/state.js";
import { pillOf, syncOf } from "../../static/js/shell/connection-pill.js";
import { titleOf } from "../../static/js/shell/tab-title.js";
import { initials } from "../../static/js/ui/avatar.js";
import { dayLabel, shortTime } from "../../static/js/ui/time.js";
import { chat, message, start } from "./build.js";

const root = new URL("../../", import.meta.url);
const text = (path) => readFileSync(new URL(path, root), "utf8");
const files = (folder, kind) => readdirSync(new URL(folder, root), { recursive: true }).filter((name) => name.endsWith(kind));
const modules = files("static/js/", ".js");
const importsOf = (name) => [...text(`static/js/${name}`).matchAll(/from "(\.[^"]+)"/g)].map(([, path]) => new URL(path, `file:///${name}`).pathname.slice(1));

/** All modules that `entry` imports, and those that they import. */
function needed(entry, found = new Set()) {
  for (const name of importsOf(entry)) if (!found.has(name)) needed(name, found.add(name));
  return [...found].sort();
}

test("after two seconds without a connection the pill says so, and since when", () => {
  const broken = { phase: "reconnecting", brokenAt: 10_000, inSyncAt: new Date(2026, 10, 23, 14, 2).getTime() };
  assert.deepEqual(pillOf(broken, 11_999), { again: 1 });
  assert.equal(pillOf(broken, 12_000).text, "Reconnecting… last in sync 14:02");
  assert.equal(pillOf({ ...broken, phase: "offline" }, 12_000).text, "Offline: last in sync 14:02");
  assert.equal(pillOf({ ...broken, phase: "polling" }, 12_000).text, "Connected by polling");
});

test("after half a minute the pill is in earnest and offers to try again now", () => {
  const broken = { phase: "reconnecting", brokenAt: 10_000, inSyncAt: new Date(2026, 10, 23, 14, 2).getTime() };
  assert.deepEqual(pillOf(broken, 39_999), { tone: "warning", text: "Reconnecting… last in sync 14:02", again: 1 });
  assert.deepEqual(pillOf(broken, 40_000), { tone: "bad", text: "No connection: last in sync 14:02", retry: true });
  assert.equal(pillOf({ ...broken, inSyncAt: null }, 40_000).text, "No connection");
  assert.equal(pillOf({ ...broken, phase: "offline" }, 40_000).text, "Offline: last in sync 14:02");
});

test("the dot says how far the open chat is in sync, and what is wrong where something is", () => {
  const state = takePhase(start({ cursors: { c: 1042 }, open: { chatId: "c" } }), "live", 1_000);
  assert.deepEqual(syncOf(state, 1_000), { tone: "good", text: "In sync · #1042" });
  assert.deepEqual(syncOf({ ...state, open: { chatId: null } }, 1_000), { tone: "good", text: "In sync" });
  const broken = takePhase(state, "reconnecting", 5_000);
  assert.deepEqual(syncOf(broken, 5_500), { tone: "warning", text: "Reconnecting…" });
  assert.equal(syncOf(broken, 60_000).tone, "bad");
  assert.equal(syncOf(takePhase(broken, "polling", 6_000), 6_000).text, "Connected by polling");
});

test("after catching up the pill says for three seconds what had been missed", () => {
  let state = takePhase(start(), "live", 1_000);
  state = takePhase(state, "reconnecting", 5_000);
  state = { ...state, connection: { ...state.connection, missed: 7 } };
  state = takePhase(state, "live", 9_000);
  assert.equal(pillOf(state.connection, 11_999).text, "Caught up: 7 messages");
  assert.equal(pillOf(state.connection, 12_000), null);
});

test("the first connection and a short interruption are not worth a word", () => {
  let state = takePhase(start(), "live", 1_000);
  assert.equal(pillOf(state.connection, 1_000), null);
  state = takePhase(takePhase(state, "reconnecting", 5_000), "live", 6_000);
  assert.equal(pillOf(state.connection, 6_000), null);
});

test("the tab tells the unread messages, but not those that are being looked at", () => {
  const chats = { c: chat({ name: "Tea", unreadCount: 2 }), d: chat({ id: "d", unreadCount: 1 }) };
  assert.equal(titleOf(start({ chats })), "(3) Parley");
  assert.equal(titleOf(start({ chats, open: { chatId: "c" }, attentive: true })), "(1) Tea · Parley");
});

test("muted chats have no part in what the tab tells, and make no notices", () => {
  const chats = { c: chat({ unreadCount: 2, muted: true }), d: chat({ id: "d", unreadCount: 1 }) };
  assert.equal(titleOf(start({ chats })), "(1) Parley");
  assert.equal(notify(start({ chats }), message(3)).notices.length, 0);
  assert.equal(notify(start({ chats }), message(3, { chatId: "d" })).notices.length, 1);
});

test("muting takes the notices of the chat away and lasts through snapshots that say so", () => {
  let state = start({ chats: { c: chat() }, notices: [message(1), message(2, { chatId: "d" })] });
  state = takeMuted(state, { chatId: "c", muted: true });
  assert.deepEqual([isMuted(state, "c"), isMuted(state, "d"), state.notices.map((notice) => notice.chatId)], [true, false, ["d"]]);
  assert.equal(takeMuted(state, { chatId: "c", muted: true }), state);
  assert.equal(isMuted(takeChatView(state, chat({ muted: false })), "c"), false);
});

test("after signing in one goes on only to a path of this site", () => {
  const origin = "https://parley.example";
  const next = (path) => nextPath(`?next=${encodeURIComponent(path)}`, origin);
  assert.equal(next("/chats/1?x=1"), "/chats/1?x=1");
  for (const path of ["https://evil.example/", "//evil.example", "/\\evil.example", "javascript:alert(1)", ""]) assert.equal(next(path), "/");
});

test("addresses of chats and messages are read and written", () => {
  for (const path of ["/", "/chats/1", "/chats/1/messages/2"]) assert.equal(pathOf(parsePath(path)), path);
});

test("days are named as people name them", () => {
  const now = new Date(2026, 10, 23, 9);
  const at = (...date) => new Date(...date).toISOString();
  assert.deepEqual([at(2026, 10, 23, 1), at(2026, 10, 22, 23), at(2026, 10, 20), at(2026, 7, 3), at(2025, 7, 3)].map((day) => dayLabel(day, now)),
    ["Today", "Yesterday", "Friday", "Monday 3 August", "3 August 2025"]);
  assert.equal(shortTime(at(2026, 10, 23, 8, 5), now), "08:05");
});

test("initials are whole characters", () => {
  assert.deepEqual(["Ada Lovelace", "bob", "🎉 Party", ""].map(initials), ["AL", "B", "🎉P", "?"]);
});

test("nothing parses HTML, and no module is long", () => {
  for (const name of modules) {
    const source = text(`static/js/${name}`);
    assert.doesNotMatch(source, /innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(/, name);
    assert.ok(source.split("\n").length <= 205, name);
  }
});

test("no page has inline scripts, styles or handlers", () => {
  for (const name of readdirSync(new URL("templates/", root))) {
    assert.doesNotMatch(text(`templates/${name}`), /\sstyle=|\son\w+=|<style|<script>|<script type="module">/, name);
  }
});

test("colours are named in tokens.css only", () => {
  for (const name of files("static/css/", ".css")) {
    if (!name.endsWith("tokens.css")) assert.doesNotMatch(text(`static/css/${name}`), /#[0-9a-f]{3,8}\b|\brgb\(/i, name);
  }
});
