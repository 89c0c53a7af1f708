/** What a message that arrives means beyond the message itself: own bubbles, the divider, notices, what was missed. Pure. */
import { isDeleted } from "./message.js";
import { isMuted, set, without } from "./state.js";

const NOTICES = 4;
const HEARD = 20;

/** The server may have stored it without our knowing: the request is under way, or its answer was lost. */
const perhapsStored = (item) => !item.storedAs && (item.status === "sending" || Boolean(item.error?.temporary));

/** An own message came back before the answer to its request: its bubble is already there, so it is not shown twice. */
export function matchOutbox(state, message) {
  if (message.senderId !== state.me.id) return state;
  if (state.outbox.some((item) => item.storedAs === message.id)) return state;
  const item = state.outbox.find((one) => one.chatId === message.chatId && perhapsStored(one) && one.content === message.content);
  if (!item || state.aliases[message.id]) return state;
  return {
    ...state,
    outbox: state.outbox.map((one) => (one === item ? { ...one, storedAs: message.id } : one)),
    aliases: set(state.aliases, message.id, item.key),
  };
}

/** Puts the unread divider above a message that comes while nobody is looking, if everything before it has been read. */
export function placeDivider(state, message) {
  const { chatId, seq } = message;
  if (state.open.chatId !== chatId || (state.attentive && state.atBottom)) return state;
  const divider = state.dividers[chatId];
  const read = state.watermarks[chatId]?.[state.me.id];
  if (divider && (read?.seq ?? 0) < divider.seq) return state;
  return { ...state, dividers: set(state.dividers, chatId, { seq, after: read?.messageId ?? null, count: 1 }) };
}

export function stopTyping(state, chatId, userId) {
  const people = state.typing[chatId];
  return people && userId in people ? { ...state, typing: { ...state.typing, [chatId]: without(people, userId) } } : state;
}

/** Makes a notice of a message in a chat that is not open: one notice for each chat, with its newest message and their number. */
export function notify(state, message) {
  if (isDeleted(message) || message.senderId === state.me.id || isMuted(state, message.chatId)) return state;
  state = { ...state, heard: [...state.heard, message].slice(-HEARD) };
  const known = state.notices.find((notice) => notice.chatId === message.chatId);
  if (state.open.chatId === message.chatId || known?.seq >= message.seq) return state;
  const notice = { ...message, count: (known?.count ?? 0) + 1 };
  return { ...state, notices: [...state.notices.filter((one) => one !== known), notice].slice(-NOTICES) };
}

/** A message that this page has not had before: told now, or counted as missed while the connection was broken. */
export function arrived(state, message) {
  if (message.senderId === state.me.id || isDeleted(message)) return state;
  const { phase, missed } = state.connection;
  if (phase === "live" || phase === "polling") return notify(state, message);
  return { ...state, connection: { ...state.connection, missed: missed + 1 } };
}
