/** What each channel does to the state: one reducer `(state, {chatId, seq, data}) → state` for each row of docs/channels.md. Pure.
 *
 * Every reducer may be applied twice, and after a newer snapshot, without harm. A new channel is one entry in the table of its
 * kind; what the page asks the server for follows from these tables.
 */
import { matchOutbox, placeDivider, stopTyping } from "./arrivals.js";
import { add, amend, erase, PAGE, trim } from "./message-timeline.js";
import { isDeleted, readMessage } from "./message.js";
import { dropChat, raiseWatermark, set, want } from "./state.js";

/** Events of the log. They come without being asked for and move the chat's cursor. */
const LOGGED = {
  messageAdded(state, { chatId, seq, data }) {
    const message = readMessage(data, seq);
    const most = state.open.chatId === chatId ? Infinity : 2 * PAGE; // the open chat's column trims itself
    state = inTimeline(state, chatId, (timeline) => trim(add(timeline, message), "start", most));
    state = raiseWatermark(state, chatId, message.senderId, { seq, messageId: message.id, readAt: message.createdAt });
    state = matchOutbox(state, message);
    state = inSummary(state, chatId, seq, (chat) => (isDeleted(message) ? chat : { ...chat, lastMessage: message }));
    return message.senderId === state.me.id ? state : placeDivider(stopTyping(state, chatId, message.senderId), message);
  },

  messageUpdated(state, { chatId, seq, data }) {
    const message = readMessage(data); // `seq` is the edit's: the message keeps its own
    state = inTimeline(state, chatId, (timeline) => amend(timeline, message));
    return inSummary(state, chatId, seq, (chat) =>
      chat.lastMessage?.id === message.id ? { ...chat, lastMessage: { ...message, seq: chat.lastMessage.seq } } : chat);
  },

  messageDeleted(state, { chatId, seq, data }) {
    state = inTimeline(state, chatId, (timeline) => erase(timeline, data.id));
    state = { ...state, notices: state.notices.filter((notice) => notice.id !== data.id) };
    state = inSummary(state, chatId, seq, (chat) =>
      chat.lastMessage?.id === data.id ? { ...chat, lastMessage: newestOf(state.timelines[chatId]) } : chat);
    return state.chats[chatId]?.lastMessage === undefined ? want(state, chatId) : state;
  },

  chatAdded(state, { chatId, seq, data }) {
    if (state.chats[chatId]) return LOGGED.chatUpdated(state, { chatId, seq, data });
    const chat = { ...data, ownerId: undefined, head: seq, unreadCount: 0, unreadSeq: 0, muted: false, lastMessage: null };
    return want({ ...state, chats: { ...state.chats, [chatId]: chat } }, chatId);
  },

  chatUpdated(state, { chatId, seq, data }) {
    if (!data.participantIds.includes(state.me.id)) return dropChat(state, chatId, { left: true });
    const known = state.chats[chatId];
    if (!known) return want(state, chatId);
    if (data.updatedAt < known.updatedAt) return state;
    const chat = { ...known, ...data, head: Math.max(known.head, seq) };
    state = { ...state, chats: { ...state.chats, [chatId]: chat } };
    const joined = data.participantIds.some((id) => !known.participantIds.includes(id));
    const ownerGone = chat.ownerId && !data.participantIds.includes(chat.ownerId);
    return joined || ownerGone ? want(state, chatId) : state;
  },
};

/** Absolute values, of which the newest wins. They come to those who ask for them: `wantedChannels`. */
const STATES = {
  unreadCountUpdated(state, { chatId, seq, data }) {
    if (state.catchUp) state = { ...state, catchUp: { ...state.catchUp, counted: { ...state.catchUp.counted, [chatId]: true } } };
    const chat = state.chats[chatId];
    if (!chat || data.userId !== state.me.id || seq < chat.unreadSeq) return state;
    if (chat.unreadCount === data.unreadCount && chat.unreadSeq === seq) return state;
    return { ...state, chats: { ...state.chats, [chatId]: { ...chat, unreadCount: data.unreadCount, unreadSeq: seq } } };
  },

  messageReadUpdated(state, { chatId, seq, data }) {
    return raiseWatermark(state, chatId, data.userId, { seq, messageId: data.messageId, readAt: data.readAt });
  },
};

/** The same facts again, for programs that want nothing else. The page asks for none of them: `messageAdded` has told it already. */
const PROJECTIONS = {
  chatMessageNotification: (state) => state,
  messageUpdateForChatList: (state) => state,
};

// Without a prototype: a channel called "constructor" is as unknown as any other.
export const channelReducers = { __proto__: null, ...LOGGED, ...STATES, ...PROJECTIONS };

/** The channels that the page asks for when it says hello. */
export const wantedChannels = Object.keys(STATES);

export const isProjection = (channel) => Object.hasOwn(PROJECTIONS, channel);

function inTimeline(state, chatId, change) {
  const timeline = state.timelines[chatId];
  return timeline ? { ...state, timelines: set(state.timelines, chatId, change(timeline)) } : state;
}

/** Changes the chat list's entry, unless the snapshot that it came from already had this event. */
function inSummary(state, chatId, seq, change) {
  const chat = state.chats[chatId];
  if (!chat) return state.chatsStatus === "ready" ? want(state, chatId) : state;
  if (seq < chat.head || (seq === chat.head && chat.lastMessage !== undefined)) return state;
  return { ...state, chats: { ...state.chats, [chatId]: { ...change(chat), head: seq } } };
}

const newestOf = (timeline) => (timeline?.atEnd ? timeline.items.findLast((message) => !isDeleted(message)) : undefined);
