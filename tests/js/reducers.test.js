import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { channelReducers, isProjection, wantedChannels } from "../../static/js/model/channel-reducers.js";
import { applyFrame } from "../../static/js/model/frame-reducers.js";
import { newTimeline } from "../../static/js/model/message-timeline.js";
import { attachmentNames, isDeleted, textOf } from "../../static/js/model/message.js";
import { takeChatsDone, takeChatView, takeEdited, takePage, takeSent } from "../../static/js/model/snapshots.js";
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

const table = readFileSync(new URL("../../docs/channels.md", import.meta.url), "utf8");
const documented = [...table.matchAll(/^\| `(\w+)` \|.*\| (logged|projection|state) \|$/gm)].map(([, name, kind]) => ({ name, kind }));
const names = (kind) => documented.filter((row) => !kind || row.kind === kind).map(({ name }) => name).sort();

test("there is a reducer for each documented channel and for no other", () => {
  assert.deepEqual(Object.keys(channelReducers).sort(), names());
});

test("the page asks for every state, and only for states; projections are told from events of the log", () => {
  assert.deepEqual([...wantedChannels].sort(), names("state"));
  assert.deepEqual(names().filter(isProjection), names("projection"));
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

const unknown = ["someLaterChannel", "constructor", "__proto__", "toString"];

/** What the page keeps, without what tells how far it has come. */
const known = ({ cursors, ...rest }) => rest;

test("an event of a channel that this page does not know moves the cursor, and changes nothing else", () => {
  for (const channel of unknown) {
    const before = inChat();
    const after = apply(before, event(channel, 3, { messageId: "m1", by: "ada" }), event(channel, 3, {}));
    assert.deepEqual([after.cursors, known(after)], [{ c: 3 }, known(before)], channel);
    assert.deepEqual(contents(apply(after, added(4))), ["text 1", "text 2", "text 4"]);
  }
  assert.deepEqual(apply(inChat(), event("someLaterChannel", 5, {})).gap, { chatId: "c", cursor: 2, seq: 5 });
});

test("a message that consists of something else than text is not deleted", () => {
  const state = apply(inChat(), added(3, { content: "", attachments: [{ name: "plan.pdf" }], deletedAt: undefined }));
  assert.equal(isDeleted(state.timelines.c.items.at(-1)), false);
  assert.equal(textOf(state.timelines.c.items.at(-1)), "plan.pdf");
});

test("an event that its instance does not know moves the cursor, and a page that knows the channel reads the chat anew", () => {
  for (const channel of ["messageAdded", "chatUpdated"]) {
    const state = apply(inChat(), { ...event(channel, 3, {}), data: null });
    assert.equal(state.cursors.c, 3);
    assert.deepEqual(state.wanted, { c: true });
    assert.equal(apply(state, { ...event(channel, 3, {}), data: null }).cursors.c, 3);
  }
  const state = inChat();
  assert.deepEqual(apply(state, { ...event("someLaterChannel", 3, {}), data: null }), { ...state, cursors: { c: 3 } });
});

test("a state of a channel that this page does not know, and a frame of an unknown type, change nothing", () => {
  const before = inChat();
  for (const name of unknown) {
    assert.equal(apply(before, stateFrame(name, 9, { chatId: "c", messageId: "m1" })), before, name);
    assert.equal(apply(before, { type: name, chatId: "c", seq: 9, heads: {} }), before, name);
  }
});

test("what is unknown is passed over in a replay and in what polling answers too", () => {
  const frames = [{ ...welcome({ c: 5 }), epoch: "e" }, event("someLaterChannel", 3, {}), { type: "notice" }, stateFrame("pinsUpdated", 4, {}), added(4), event("messageUnpinned", 5, {}), synced];
  const state = apply(inChat(), ...frames);
  assert.deepEqual([state.gap, state.cursors.c, contents(state)], [null, 5, ["text 1", "text 2", "text 4"]]);
});

test("fields that this page does not know do not matter", () => {
  const more = (frame) => ({ ...frame, timeline: 3, data: { ...frame.data, replyTo: null, weight: { of: "it" } } });
  const state = apply(inChat(), more(added(3)), more(stateFrame("messageReadUpdated", 3, { messageId: "m3", userId: "bob", readAt: at(31) })));
  assert.deepEqual([state.cursors.c, contents(state).at(-1), state.watermarks.c.bob.seq], [3, "text 3", 3]);
});

test("the page keeps which instance greeted it, of which version, and which channels it knows", () => {
  const state = apply(start(), { ...welcome({}), version: "1.1.0", channels: ["messageAdded", "someLaterChannel"] });
  assert.deepEqual(state.server, { instance: "web.1", version: "1.1.0", channels: ["messageAdded", "someLaterChannel"] });
  assert.deepEqual(apply(state, welcome({})).server, { instance: "web.1", version: null, channels: null });
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
  const state = apply(inChat(), added(3, { content: "", deletedAt: at(9) }));
  assert.equal(state.chats.c.lastMessage.id, "m2");
  assert.deepEqual(contents(state), ["text 1", "text 2", ""]);
});

test("a message without text is a deleted one only where the server does not say", () => {
  const last = (fields) => apply(inChat(), added(3, { content: "", ...fields })).timelines.c.items.at(-1);
  assert.equal(isDeleted(last({ deletedAt: null })), false);
  assert.equal(isDeleted(last({ deletedAt: at(9) })), true);
  assert.equal(isDeleted(last({ deletedAt: undefined })), true);
  assert.equal(isDeleted(last({ deletedAt: undefined, content: "text" })), false);
});

/** One message as each of the places has it that messages come from. */
function everywhere(one) {
  const bare = (({ seq: _, ...rest }) => rest)(one);
  const opened = { ...start({ cursors: { c: 2 } }), timelines: { c: newTimeline(1) } };
  const last = (state) => state.timelines.c.items.at(-1);
  return [
    last(takePage(opened, "c", 1, "newest", { items: [one], next: null }, 3)),
    last(takeSent(inChat(), one, "k")),
    last(takeEdited(takeSent(inChat(), message(3), "k"), { ...one, editedAt: at(30) })),
    last(apply(inChat(), event("messageAdded", 3, bare))),
    last(apply(inChat(), added(3), event("messageUpdated", 4, { ...bare, editedAt: at(30) }))),
    apply(inChat(), event("messageAdded", 3, bare)).chats.c.lastMessage,
    takeChatView(start(), chat({ head: 3, lastMessage: one })).chats.c.lastMessage,
  ];
}

test("every place that a message comes from reads it alike", () => {
  const file = message(3, { content: "", attachments: [{ kind: "hologram", name: "cat.holo" }] });
  for (const one of everywhere(file)) assert.deepEqual([one.deletedAt, textOf(one), one.seq], [null, "cat.holo", 3]);
  for (const one of everywhere(message(3, { deletedAt: undefined }))) assert.deepEqual([one.deletedAt, textOf(one), one.seq], [null, "text 3", 3]);
});

test("nothing is left of what a deleted message carried", () => {
  const file = message(2, { attachments: [{ name: "secret.pdf" }], replyTo: "m1" });
  let state = { ...inChat(), timelines: { c: newTimeline(1) } };
  state = takePage(state, "c", 1, "newest", { items: [message(1), file], next: null }, 2);
  const erased = apply(state, event("messageDeleted", 3, { id: "m2", chatId: "c" })).timelines.c.items[1];
  assert.deepEqual([isDeleted(erased), attachmentNames(erased), erased.replyTo, erased.seq], [true, [], undefined, 2]);
  assert.equal(takePage(state, "c", 1, "older", { items: [{ ...file, content: "", deletedAt: at(9) }], next: null }, 2).timelines.c.items[1].deletedAt, at(9));
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
  const state = { ...inChat(), connection: { ...inChat().connection, phase: "live" } };
  const elsewhere = (fields) => added(3, { chatId: "d", ...fields });
  const projection = event("chatMessageNotification", 3, { chatId: "d", senderId: "ada", message: message(3, { chatId: "d" }) }, "d");
  const there = { ...elsewhere(), chatId: "d" };
  const after = apply(state, there, there, projection);
  assert.deepEqual([after.notices.length, after.notices[0].count, after.heard.length], [1, 1, 1]);
  assert.equal(apply(state, { ...elsewhere({ senderId: "me" }), chatId: "d" }).notices.length, 0);
  assert.equal(apply({ ...state, open: { chatId: "d" } }, there).notices.length, 0);
});

test("what is replayed while the connection is not there yet is counted, and makes no notice", () => {
  const state = { ...inChat(), connection: { ...inChat().connection, phase: "reconnecting" } };
  const after = apply(state, { ...added(3, { chatId: "d" }), chatId: "d" });
  assert.deepEqual([after.notices.length, after.heard.length, after.connection.missed], [0, 0, 1]);
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
