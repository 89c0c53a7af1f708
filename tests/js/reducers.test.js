import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { newTimeline } from "../../static/js/model/message-timeline.js";
import { applyFrame, channelReducers } from "../../static/js/model/reducers.js";
import { takeChatsDone, takeChatView, takePage, takeSent } from "../../static/js/model/snapshots.js";
import { added, at, chat, chatObject, event, message, start, stateFrame } from "./build.js";

const apply = (state, ...frames) => frames.reduce((now, frame) => applyFrame(now, frame, 0), state);
const welcome = (heads, epoch = "e") => ({ type: "welcome", userId: "me", epoch, instance: "web.1", heads });
const synced = { type: "synced", heads: {}, at: at(59) };

function inChat(fields = {}, seqs = [1, 2]) {
  let state = start({ cursors: { c: 2 }, open: { chatId: "c" }, attentive: true });
  state = takeChatsDone(takeChatView(state, chat({ head: 2, lastMessage: message(2), ...fields })));
  state = { ...state, timelines: { c: newTimeline(1) } };
  return takePage(state, "c", 1, "newest", { items: seqs.map((seq) => message(seq)), next: null }, 2);
}

const contents = (state) => state.timelines.c.items.map((item) => item.content);

test("there is a reducer for each of the nine channels and for no other", () => {
  const table = readFileSync(new URL("../../docs/channels.md", import.meta.url), "utf8");
  const documented = [...table.matchAll(/^\| `(\w+)` \|.*\| (logged|projection|state) \|$/gm)].map((row) => row[1]);
  assert.equal(documented.length, 9);
  assert.deepEqual(Object.keys(channelReducers).sort(), documented.sort());
});

test("a cursor advances by one with each logged event and not with a repeated one", () => {
  const state = apply(inChat(), added(3), added(4), added(3));
  assert.equal(state.cursors.c, 4);
  assert.deepEqual(contents(state), ["text 1", "text 2", "text 3", "text 4"]);
});

test("an event that does not follow its cursor is not applied and makes the connection resume", () => {
  const state = apply(inChat(), added(5));
  assert.deepEqual(state.gap, { chatId: "c", cursor: 2, seq: 5 });
  assert.equal(state.cursors.c, 2);
  assert.equal(contents(state).length, 2);
  assert.equal(apply(state, welcome({ c: 5 })).gap, null);
});

test("every frame may be applied twice", () => {
  const frames = [
    added(3),
    event("messageUpdated", 4, message(3, { content: "edited", isEdited: true, editedAt: at(30), seq: undefined })),
    event("messageDeleted", 5, { id: "m1", chatId: "c" }),
    stateFrame("messageReadUpdated", 3, { messageId: "m3", userId: "bob", readAt: at(31) }),
    stateFrame("unreadCountUpdated", 5, { chatId: "c", userId: "me", unreadCount: 4 }),
    event("chatUpdated", 6, chatObject({ name: "Tea", updatedAt: at(32) })),
  ];
  const once = apply(inChat(), ...frames);
  const twice = apply(once, ...frames);
  assert.deepEqual({ ...twice, wanted: {} }, { ...once, wanted: {} });
  assert.deepEqual(contents(once), ["", "text 2", "edited"]);
  assert.equal(once.chats.c.lastMessage.content, "edited");
  assert.equal(once.chats.c.lastMessage.seq, 3);
});

test("a channel that this page does not know still moves the cursor", () => {
  assert.equal(apply(inChat(), event("messagePinned", 3, {})).cursors.c, 3);
});

test("a projection does not move the cursor", () => {
  const state = apply(inChat(), added(3), event("chatMessageNotification", 3, { chatId: "c", senderId: "ada", message: message(3) }));
  assert.equal(state.cursors.c, 3);
  assert.equal(state.gap, null);
});

test("a chat without a cursor starts at its head", () => {
  assert.deepEqual(apply(start(), welcome({ c: 7 })).cursors, { c: 7 });
});

test("a snapshot from before the stream began is asked for again", () => {
  const early = takeChatsDone(takeChatView(start(), chat({ head: 5 })));
  assert.equal(apply(early, welcome({ c: 5 })).wanted.c, undefined);
  assert.equal(apply(early, welcome({ c: 6 })).wanted.c, true);
});

test("a page of messages from before the stream began is dropped, also when it arrives late", () => {
  const state = { ...apply(start(), welcome({ c: 6 })), timelines: { c: newTimeline(1) } };
  assert.equal(takePage(state, "c", 1, "newest", { items: [message(4)], next: null }, 5).timelines.c, undefined);
  assert.equal(takePage(state, "c", 1, "newest", { items: [message(6)], next: null }, 0).timelines.c.items.length, 1);
});

test("an older ChatView does not undo what the stream has told since", () => {
  const state = takeChatView(apply(inChat(), added(3)), chat({ head: 2, lastMessage: message(2) }));
  assert.equal(state.chats.c.lastMessage.id, "m3");
  assert.equal(state.chats.c.head, 3);
});

test("deleting the last message shows the one before it, or asks the server where that is not loaded", () => {
  const gone = event("messageDeleted", 3, { id: "m2", chatId: "c" });
  assert.equal(apply(inChat(), gone).chats.c.lastMessage.id, "m1");
  const unloaded = apply({ ...inChat(), timelines: {} }, gone);
  assert.equal(unloaded.chats.c.lastMessage, undefined);
  assert.equal(unloaded.wanted.c, true);
});

test("a message that is replayed as a tombstone is not the last message", () => {
  const state = apply(inChat(), added(3, { content: "" }));
  assert.equal(state.chats.c.lastMessage.id, "m2");
  assert.deepEqual(contents(state), ["text 1", "text 2", ""]);
});

test("being removed, or a chat deleted, forgets the chat and its cursor", () => {
  const removed = apply(inChat({ name: "Tea" }), event("chatUpdated", 3, chatObject({ participantIds: ["ada"], updatedAt: at(9) })), { type: "left", chatId: "c" });
  assert.deepEqual([removed.chats.c, removed.cursors.c, removed.gone.c], [undefined, undefined, "Tea"]);
  const deleted = apply(inChat(), event("chatUpdated", 3, chatObject({ participantIds: [], updatedAt: at(9) })));
  assert.equal(deleted.chats.c, undefined);
});

test("a chat that is missing from the welcome has been left", () => {
  assert.equal(apply(inChat(), welcome({})).chats.c, undefined);
});

test("joining sets the cursor and asks for the chat", () => {
  const state = apply(start({ chatsStatus: "ready" }), { type: "joined", chatId: "d", seq: 4 }, added(5, { chatId: "d" }));
  assert.equal(state.wanted.d, true);
});

test("a reset drops the messages, goes on after the head and asks for the chat", () => {
  const state = apply(inChat(), { type: "reset", chatId: "c", head: 900, reason: "behind" });
  assert.deepEqual([state.timelines.c, state.cursors.c, state.wanted.c], [undefined, 900, true]);
  assert.equal(apply(state, added(901)).cursors.c, 901);
});

test("the newest unread count wins, and a chat of the welcome without one has none", () => {
  const count = (seq, unreadCount) => stateFrame("unreadCountUpdated", seq, { chatId: "c", userId: "me", unreadCount });
  let state = apply(inChat({ unreadCount: 3 }), count(4, 2), count(3, 9));
  assert.equal(state.chats.c.unreadCount, 2);
  state = apply(state, welcome({ c: 4 }), synced);
  assert.equal(state.chats.c.unreadCount, 0);
  state = apply(state, welcome({ c: 5 }), count(5, 6), synced);
  assert.equal(state.chats.c.unreadCount, 6);
});

test("a watermark never moves back, and sending raises the sender's", () => {
  const read = (seq) => stateFrame("messageReadUpdated", seq, { messageId: `m${seq}`, userId: "bob", readAt: at(seq) });
  const state = apply(inChat(), added(3), read(2), read(1));
  assert.equal(state.watermarks.c.bob.seq, 2);
  assert.equal(state.watermarks.c.ada.seq, 3);
});

test("a message in another chat makes one notice; one in the open chat, or an own one, makes none", () => {
  const note = (fields) => event("chatMessageNotification", 3, { chatId: "d", message: message(3, { chatId: "d", ...fields }) }, "d");
  const state = inChat();
  assert.equal(apply(state, note(), note()).notices.length, 1);
  assert.equal(apply(state, note({ senderId: "me" })).notices.length, 0);
  assert.equal(apply({ ...state, open: { chatId: "d" } }, note()).notices.length, 0);
});

test("an own message that comes before its answer is matched with the bubble that is already there", () => {
  const item = { key: "k", chatId: "c", content: "text 3", status: "sending", storedAs: null };
  const state = apply({ ...inChat(), outbox: [item] }, added(3, { senderId: "me" }), added(3, { senderId: "me" }));
  assert.equal(state.outbox[0].storedAs, "m3");
  assert.equal(state.aliases.m3, "k");
});

test("it is matched also after its request has failed, for the answer may have been lost; not after a refusal", () => {
  const item = (error) => ({ key: "k", chatId: "c", content: "text 3", status: "failed", error, storedAs: null });
  const outboxAfter = (error) => apply({ ...inChat(), outbox: [item(error)] }, added(3, { senderId: "me" })).outbox[0].storedAs;
  assert.equal(outboxAfter({ message: "no answer", temporary: true }), "m3");
  assert.equal(outboxAfter({ message: "refused", temporary: false }), null);
});

test("the same words from another tab, taken for the message that waits, are a message of their own once the answer says so", () => {
  const item = { key: "k", chatId: "c", content: "text 3", status: "sending", error: null, storedAs: null };
  const matched = apply({ ...inChat(), outbox: [item] }, added(3, { senderId: "me" }));
  const state = takeSent(matched, message(4, { senderId: "me", content: "text 3" }), "k");
  assert.deepEqual([state.aliases, state.outbox], [{ m4: "k" }, []]);
});

test("messages by others that were missed are counted until the stream is live again", () => {
  const away = { ...inChat(), connection: { phase: "reconnecting", missed: 0 } };
  const state = apply(away, welcome({ c: 5 }), added(3), added(4, { senderId: "me" }), added(5));
  assert.equal(state.connection.missed, 2);
});
