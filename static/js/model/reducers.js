/** What a frame of the stream does to the state. Pure: `applyFrame(state, frame)` answers the next state.
 *
 * Every reducer may be applied twice and after a newer snapshot without harm. Cursors advance here and nowhere else.
 */
import { arrived, matchOutbox, notify, placeDivider, stopTyping } from "./arrivals.js";
import { add, amend, erase, isDeleted, PAGE, trim } from "./message-timeline.js";
import { dropChat, set, without } from "./state.js";

const PROJECTIONS = new Set(["chatMessageNotification", "messageUpdateForChatList"]);

/** One entry for each channel of docs/channels.md: `(state, {chatId, seq, data}) → state`. */
export const channelReducers = {
  messageAdded(state, { chatId, seq, data }) {
    const message = { ...data, seq };
    const most = state.open.chatId === chatId ? Infinity : 2 * PAGE; // the open chat's column trims itself
    state = inTimeline(state, chatId, (timeline) => trim(add(timeline, message), "start", most));
    state = raiseWatermark(state, chatId, message.senderId, { seq, messageId: message.id, readAt: message.createdAt });
    state = matchOutbox(state, message);
    state = inSummary(state, chatId, seq, (chat) => (isDeleted(message) ? chat : { ...chat, lastMessage: message }));
    return message.senderId === state.me.id ? state : placeDivider(stopTyping(state, chatId, message.senderId), message);
  },

  messageUpdated(state, { chatId, seq, data }) {
    state = inTimeline(state, chatId, (timeline) => amend(timeline, data));
    return inSummary(state, chatId, seq, (chat) =>
      chat.lastMessage?.id === data.id ? { ...chat, lastMessage: { ...data, seq: chat.lastMessage.seq } } : chat);
  },

  messageDeleted(state, { chatId, seq, data }) {
    state = inTimeline(state, chatId, (timeline) => erase(timeline, data.id));
    state = { ...state, notices: state.notices.filter((notice) => notice.id !== data.id) };
    state = inSummary(state, chatId, seq, (chat) =>
      chat.lastMessage?.id === data.id ? { ...chat, lastMessage: newestOf(state.timelines[chatId]) } : chat);
    return state.chats[chatId]?.lastMessage === undefined ? want(state, chatId) : state;
  },

  chatAdded(state, { chatId, seq, data }) {
    if (state.chats[chatId]) return channelReducers.chatUpdated(state, { chatId, seq, data });
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

  chatMessageNotification(state, { seq, data }) {
    return notify(state, { ...data.message, seq });
  },

  messageUpdateForChatList(state, { chatId, seq, data }) {
    return inSummary(state, chatId, seq, (chat) => ({ ...chat, lastMessage: { ...data.message, seq } }));
  },

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

const frameReducers = {
  welcome(state, { epoch, heads }) {
    for (const chatId of Object.keys(state.cursors)) {
      if (!(chatId in heads)) state = dropChat(state, chatId, { left: true });
    }
    for (const [chatId, head] of Object.entries(heads)) {
      if (!(chatId in state.cursors)) state = startAt(state, chatId, head);
    }
    const presence = state.presence && { ...state.presence, stale: true };
    return { ...state, epoch, gap: null, catchUp: { heads, counted: {} }, presence };
  },

  event(state, frame) {
    const { channel, chatId, seq } = frame;
    const cursor = state.cursors[chatId];
    const logged = !PROJECTIONS.has(channel);
    if (logged && cursor !== undefined && seq > cursor + 1) return { ...state, gap: { chatId, cursor, seq } };
    const news = logged && (cursor === undefined || seq === cursor + 1);
    if (news) state = { ...state, cursors: set(state.cursors, chatId, seq) };
    state = channelReducers[channel]?.(state, frame) ?? state;
    return news && channel === "messageAdded" ? arrived(state, { ...frame.data, seq }) : state;
  },

  state: (state, frame) => channelReducers[frame.channel]?.(state, frame) ?? state,

  joined(state, { chatId, seq }) {
    state = { ...state, gone: without(state.gone, chatId), cursors: without(state.cursors, chatId) };
    return want(startAt(state, chatId, seq), chatId);
  },

  left: (state, { chatId }) => dropChat(state, chatId, { left: true }),

  reset(state, { chatId, head }) {
    const chat = state.chats[chatId];
    state = dropChat(state, chatId);
    if (chat) state = { ...state, chats: { ...state.chats, [chatId]: { ...chat, head: 0, unreadSeq: 0, lastMessage: undefined, whole: false } } };
    return want(startAt(state, chatId, head), chatId);
  },

  synced(state, { at }) {
    const { heads = {}, counted = {} } = state.catchUp ?? {};
    const chats = { ...state.chats };
    for (const [chatId, head] of Object.entries(heads)) {
      const chat = chats[chatId];
      if (chat && !counted[chatId] && chat.unreadSeq <= head && chat.unreadCount !== 0) chats[chatId] = { ...chat, unreadCount: 0, unreadSeq: head };
    }
    return { ...state, chats, since: at ?? state.since, catchUp: null };
  },

  typing(state, { chatId, userId }, now) {
    if (userId === state.me.id) return state;
    return { ...state, typing: { ...state.typing, [chatId]: { ...state.typing[chatId], [userId]: now + 5000 } } };
  },

  presence: (state, frame) => ({ ...state, presence: frame.online && { online: online({}, frame.online, []), limit: frame.limit, stale: false } }),

  presenceChanged: (state, frame) =>
    state.presence && !state.presence.stale
      ? { ...state, presence: { ...state.presence, online: online(state.presence.online, frame.online, frame.offline) } }
      : state,
};

/** The ids of `people`, and `more` of them, and no `fewer`. */
const online = (people, more, fewer) => Object.fromEntries([...Object.keys(people), ...more].filter((id) => !fewer.includes(id)).map((id) => [id, true]));

export function applyFrame(state, frame, now = Date.now()) {
  return frameReducers[frame.type]?.(state, frame, now) ?? state;
}

/** Raises a watermark; it never moves back. */
export function raiseWatermark(state, chatId, userId, mark) {
  const marks = state.watermarks[chatId] ?? {};
  if ((marks[userId]?.seq ?? 0) >= mark.seq) return state;
  return { ...state, watermarks: { ...state.watermarks, [chatId]: { ...marks, [userId]: mark } } };
}

export const want = (state, chatId) => ({ ...state, wanted: set(state.wanted, chatId, true) });

/** The stream of a chat begins at `seq`: what was fetched before that is stale. */
function startAt(state, chatId, seq) {
  state = { ...state, cursors: set(state.cursors, chatId, seq), starts: set(state.starts, chatId, seq) };
  const timeline = state.timelines[chatId];
  if (timeline?.loaded && timeline.asOf < seq) state = { ...state, timelines: without(state.timelines, chatId) };
  const chat = state.chats[chatId];
  const stale = chat ? chat.head < seq : state.chatsStatus === "ready";
  return stale ? want(state, chatId) : state;
}

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
