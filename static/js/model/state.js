/** The shape of the page's state, and the questions that several parts of the screen ask of it. Pure. */
import { isDeleted } from "./message.js";

export function initialState(me) {
  return {
    me,
    // The stream: what the page brings back when it reconnects.
    epoch: null,
    since: null,
    cursors: {}, // chatId → seq of the last logged event applied
    starts: {}, // chatId → where the stream of this chat began; a snapshot older than that is stale
    catchUp: null, // between `welcome` and `synced`
    gap: null, // an event that did not follow its cursor: the connection must resume
    server: { instance: null, version: null, channels: null }, // as the last `welcome` said; a server of the first release says neither version nor channels
    connection: { phase: "connecting", inSyncAt: null, brokenAt: null, missed: 0, caughtUp: null },
    // What is known.
    chats: {}, // chatId → ChatView, `unreadSeq`, and `whole` once its watermarks came; `lastMessage` undefined: ask for it
    chatsStatus: "loading",
    timelines: {}, // chatId → see message-timeline.js
    watermarks: {}, // chatId → userId → {seq, messageId, readAt}
    users: {},
    typing: {}, // chatId → userId → until (ms)
    presence: null, // who is online: {online: userId → true, limit, stale}; null: nobody knows. See presence.js
    wanted: {}, // chatId → true: its ChatView must be fetched
    gone: {}, // chatId → the title of a chat that this user is no longer in
    // What this page does.
    outbox: [], // see outbox.js
    aliases: {}, // messageId → key of the outbox item that became it: the bubble stays the same element
    heard: [], // messages by others that have just come, for notifications.js to tell of
    notices: [], // messages in other chats, to be shown as toasts: one for each chat, with `count`
    drafts: {}, // chatId → text
    open: { chatId: null, messageId: null, details: false },
    attentive: false, // the page is visible and has the focus
    atBottom: true, // the newest message of the open chat is in view
    dividers: {}, // chatId → {seq, after, count}: unread from this seq, after this message, when it was opened; null: nothing; undefined: not decided
    editing: null, // id of the message that is being edited
  };
}

export const set = (object, key, value) => (object[key] === value ? object : { ...object, [key]: value });

export function without(object, key) {
  if (!(key in object)) return object;
  const { [key]: _, ...rest } = object;
  return rest;
}

/** Whether two plain objects have the same fields with the same values. */
export const sameFields = (a, b) => {
  const names = Object.keys(b);
  return names.length === Object.keys(a).length && names.every((name) => Object.is(a[name], b[name]));
};

/** Asks for the chat's ChatView to be fetched. */
export const want = (state, chatId) => ({ ...state, wanted: set(state.wanted, chatId, true) });

/** Raises a watermark; it never moves back. */
export function raiseWatermark(state, chatId, userId, mark) {
  const marks = state.watermarks[chatId] ?? {};
  if ((marks[userId]?.seq ?? 0) >= mark.seq) return state;
  return { ...state, watermarks: { ...state.watermarks, [chatId]: { ...marks, [userId]: mark } } };
}

/** Forgets everything about a chat that this user is no longer in (or that must be fetched anew). */
export function dropChat(state, chatId, { left = false } = {}) {
  const chat = state.chats[chatId];
  return {
    ...state,
    chats: without(state.chats, chatId),
    cursors: without(state.cursors, chatId),
    starts: without(state.starts, chatId),
    timelines: without(state.timelines, chatId),
    watermarks: without(state.watermarks, chatId),
    typing: without(state.typing, chatId),
    wanted: without(state.wanted, chatId),
    dividers: without(state.dividers, chatId),
    notices: state.notices.filter((notice) => notice.chatId !== chatId),
    gone: left && chat ? set(state.gone, chatId, chatTitle(state, chat)) : state.gone,
  };
}

/** A chat of a type that this page does not know is shown like a group; what only a group has is not offered there. */
export const isDirect = (chat) => chat.chatType === "direct";
export const isGroup = (chat) => chat.chatType === "group";
export const kindOf = (chat) => (isDirect(chat) ? "Direct chat" : isGroup(chat) ? "Group" : "Chat");

export const nameOf = (state, userId) => state.users[userId]?.displayName ?? null;

/** The other person of a direct chat. */
export const otherOf = (state, chat) => chat.participantIds.find((id) => id !== state.me.id);

/** The chat's title, or null while a name in it is not known yet. */
export function chatTitle(state, chat) {
  if (isDirect(chat)) return nameOf(state, otherOf(state, chat));
  if (chat.name) return chat.name;
  const names = chat.participantIds.filter((id) => id !== state.me.id).slice(0, 3).map((id) => nameOf(state, id));
  if (names.includes(null)) return null;
  return names.join(", ") || "Just you";
}

const activity = (chat) => (chat.lastMessage ? chat.lastMessage.createdAt : chat.createdAt);

const sorted = new WeakMap(); // chats → in order: needed at every rendering, sorted once

/** Chats, the most recently active first. */
export function sortedChats({ chats }) {
  if (!sorted.has(chats)) sorted.set(chats, Object.values(chats).sort((a, b) => (activity(a) < activity(b) ? 1 : activity(a) > activity(b) ? -1 : a.id < b.id ? -1 : 1)));
  return sorted.get(chats);
}

/** Unread messages to show for a chat: none while the reader is looking at the newest one. */
export function unreadOf(state, chat) {
  return state.open.chatId === chat.id && state.attentive && state.atBottom ? 0 : chat.unreadCount;
}

/** Whether a chat is muted: it makes no toast and no sound, and has no part in the total. */
export const isMuted = (state, chatId) => Boolean(state.chats[chatId]?.muted);

/** The number in the tab's title: the unread messages of all chats but the muted ones. */
export const unreadTotal = (state) => Object.values(state.chats).reduce((sum, chat) => sum + (chat.muted ? 0 : unreadOf(state, chat)), 0);

const counted = new WeakMap(); // watermarks → {ids, result}: needed at every rendering, sorted once

/** How many others have read a message of this user: `{total, count(seq)}`. */
export function readersOf(state, chat) {
  const marks = state.watermarks[chat.id] ?? {};
  const before = counted.get(marks);
  if (before?.ids === chat.participantIds) return before.result;
  const others = chat.participantIds.filter((id) => id !== state.me.id);
  const seqs = others.map((id) => marks[id]?.seq ?? 0).sort((a, b) => b - a);
  const count = (seq) => {
    let [low, high] = [0, seqs.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (seqs[middle] >= seq) low = middle + 1;
      else high = middle;
    }
    return low;
  };
  const result = { total: others.length, count };
  counted.set(marks, { ids: chat.participantIds, result });
  return result;
}

export function canDelete(state, message) {
  if (isDeleted(message)) return false;
  return message.senderId === state.me.id || state.chats[message.chatId]?.ownerId === state.me.id;
}

/** Takes the connection's new phase: `connecting`, `live`, `polling`, `reconnecting` or `offline`. `heardAt`: when the server was last heard. */
export function takePhase(state, phase, now, heardAt = now) {
  const was = state.connection;
  if (was.phase === phase) return state;
  if (phase === "live" || phase === "polling") {
    const caughtUp = was.inSyncAt ? { at: now, messages: was.missed, brokenAt: was.brokenAt ?? now } : null;
    return { ...state, connection: { phase, inSyncAt: now, brokenAt: null, missed: 0, caughtUp } };
  }
  const worked = was.phase === "live" || was.phase === "polling";
  const inSyncAt = worked ? heardAt : was.inSyncAt;
  return { ...state, connection: { ...was, phase, inSyncAt, brokenAt: was.brokenAt ?? now, caughtUp: null } };
}
