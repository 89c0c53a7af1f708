/** What an HTTP answer does to the state. Pure. A snapshot never overwrites anything newer that the stream has told. */
import { add, amend, erase, mergePage } from "./message-timeline.js";
import { readMessage } from "./message.js";
import { raiseWatermark, set, want, without } from "./state.js";

/** A ChatView, alone (with `watermarks`) or in the list. */
export function takeChatView(state, view) {
  const { watermarks = [], ...chat } = { ...view, lastMessage: view.lastMessage && readMessage(view.lastMessage) };
  const known = state.chats[chat.id];
  const cursor = state.cursors[chat.id] ?? 0;
  const fresh = chat.head >= cursor && (!known || chat.head >= known.head);
  let merged;
  if (!known) merged = { ...chat, unreadSeq: chat.head, lastMessage: fresh ? chat.lastMessage : undefined };
  else if (fresh) merged = { ...chat, ...countOf(state, known, chat, watermarks) };
  else if (chat.updatedAt >= known.updatedAt) merged = { ...known, ownerId: chat.ownerId };
  else merged = known;
  merged = { ...merged, muted: chat.muted, whole: Boolean(view.watermarks || known?.whole) };
  state = { ...state, chats: set(state.chats, chat.id, merged), gone: without(state.gone, chat.id) };
  for (const { userId, ...mark } of watermarks) state = raiseWatermark(state, chat.id, userId, mark);
  return merged.lastMessage === undefined ? want(state, chat.id) : state;
}

/** The unread count that was counted later: at a higher head, or after reading further. */
function countOf(state, known, chat, watermarks) {
  const read = state.watermarks[chat.id]?.[state.me.id]?.seq ?? 0;
  const readThere = watermarks.find((mark) => mark.userId === state.me.id)?.seq ?? read;
  const older = known.unreadSeq > chat.head || (known.unreadSeq === chat.head && readThere < read);
  return older
    ? { unreadCount: known.unreadCount, unreadSeq: known.unreadSeq }
    : { unreadCount: chat.unreadCount, unreadSeq: chat.head };
}

/** The whole chat list has been fetched: chats that only the stream knows are fetched one by one. */
export function takeChatsDone(state) {
  state = { ...state, chatsStatus: "ready" };
  for (const chatId of Object.keys(state.cursors)) {
    const chat = state.chats[chatId];
    if (!chat || chat.head < state.starts[chatId]) state = want(state, chatId);
  }
  return state;
}

/** A chat that this user has just created or changed: a Chat, without what only a ChatView has. */
export function takeChat(state, chat) {
  const known = state.chats[chat.id];
  if (known && chat.updatedAt < known.updatedAt) return state;
  const view = known ?? { head: 0, unreadCount: 0, unreadSeq: 0, muted: false, lastMessage: null };
  return want({ ...state, chats: { ...state.chats, [chat.id]: { ...view, ...chat } }, gone: without(state.gone, chat.id) }, chat.id);
}

/** This user has muted or unmuted a chat, here or in another tab of this browser. */
export function takeMuted(state, { chatId, muted }) {
  const chat = state.chats[chatId];
  if (!chat || chat.muted === muted) return state;
  const notices = muted ? state.notices.filter((notice) => notice.chatId !== chatId) : state.notices;
  return { ...state, chats: set(state.chats, chatId, { ...chat, muted }), notices };
}

/** A page of messages for the window `gen`; ignored when that window has been replaced since it was asked for. */
export function takePage(state, chatId, gen, kind, page, asOf) {
  const timeline = state.timelines[chatId];
  if (!timeline || timeline.gen !== gen) return state;
  const merged = mergePage(timeline, kind, page, asOf);
  const stale = merged.asOf < (state.starts[chatId] ?? 0);
  return { ...state, timelines: stale ? without(state.timelines, chatId) : set(state.timelines, chatId, merged) };
}

/** An own message that has just been stored. */
export function takeSent(state, data, key) {
  const message = readMessage(data);
  const timeline = state.timelines[message.chatId];
  if (timeline) state = { ...state, timelines: set(state.timelines, message.chatId, add(timeline, message)) };
  const mark = { seq: message.seq, messageId: message.id, readAt: message.createdAt };
  state = raiseWatermark(state, message.chatId, message.senderId, mark);
  const chat = state.chats[message.chatId];
  if (chat && chat.lastMessage !== undefined && (chat.lastMessage?.seq ?? 0) < message.seq) {
    state = { ...state, chats: set(state.chats, chat.id, { ...chat, lastMessage: message }) };
  }
  // A message with the same text, sent in another tab, may have been taken for this one.
  const mistaken = state.outbox.find((item) => item.key === key && item.storedAs && item.storedAs !== message.id)?.storedAs;
  return {
    ...state,
    outbox: state.outbox.filter((item) => item.key !== key),
    aliases: set(without(state.aliases, mistaken), message.id, key),
    dividers: set(state.dividers, message.chatId, null),
  };
}

export function takeEdited(state, data) {
  const message = readMessage(data);
  const timeline = state.timelines[message.chatId];
  return timeline ? { ...state, timelines: set(state.timelines, message.chatId, amend(timeline, message)) } : state;
}

export function takeDeleted(state, { id, chatId }) {
  const timeline = state.timelines[chatId];
  return timeline ? { ...state, timelines: set(state.timelines, chatId, erase(timeline, id)) } : state;
}

export function takeUsers(state, users) {
  const fresh = users.filter((user) => state.users[user.id] !== user);
  if (!fresh.length) return state;
  const self = fresh.find((user) => user.id === state.me.id);
  const me = self ? { ...state.me, displayName: self.displayName } : state.me;
  return { ...state, me, users: { ...state.users, ...Object.fromEntries(fresh.map((user) => [user.id, user])) } };
}
