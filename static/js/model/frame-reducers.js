/** What a frame of the stream does to the state. Pure: `applyFrame(state, frame)` answers the next state.
 *
 * Cursors advance here and nowhere else. What this page does not know is no error: releases of different age live together. A
 * frame of an unknown type and a state of an unknown channel are ignored; an event of an unknown channel is a logged one, since
 * only those come without being asked for: it moves the cursor, and no more. Where the *instance* does not know the channel, the
 * event has no data: a page that knows it reads the chat anew.
 */
import { arrived } from "./arrivals.js";
import { channelReducers, isProjection } from "./channel-reducers.js";
import { readMessage } from "./message.js";
import { dropChat, set, want, without } from "./state.js";

const frameReducers = {
  __proto__: null,

  welcome(state, { epoch, heads, instance = null, version = null, channels = null }) {
    for (const chatId of Object.keys(state.cursors)) {
      if (!(chatId in heads)) state = dropChat(state, chatId, { left: true });
    }
    for (const [chatId, head] of Object.entries(heads)) {
      if (!(chatId in state.cursors)) state = startAt(state, chatId, head);
    }
    const presence = state.presence && { ...state.presence, stale: true };
    return { ...state, epoch, server: { instance, version, channels }, gap: null, catchUp: { heads, counted: {} }, presence };
  },

  event(state, frame) {
    const { channel, chatId, seq } = frame;
    const cursor = state.cursors[chatId];
    const logged = !isProjection(channel);
    if (logged && cursor !== undefined && seq > cursor + 1) return { ...state, gap: { chatId, cursor, seq } };
    const news = logged && (cursor === undefined || seq === cursor + 1);
    if (news) state = { ...state, cursors: set(state.cursors, chatId, seq) };
    if (frame.data === null) return news && channelReducers[channel] ? frameReducers.reset(state, { chatId, head: seq }) : state;
    state = channelReducers[channel]?.(state, frame) ?? state;
    return news && channel === "messageAdded" ? arrived(state, readMessage(frame.data, seq)) : state;
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

/** The stream of a chat begins at `seq`: what was fetched before that is stale. */
function startAt(state, chatId, seq) {
  state = { ...state, cursors: set(state.cursors, chatId, seq), starts: set(state.starts, chatId, seq) };
  const timeline = state.timelines[chatId];
  if (timeline?.loaded && timeline.asOf < seq) state = { ...state, timelines: without(state.timelines, chatId) };
  const chat = state.chats[chatId];
  const stale = chat ? chat.head < seq : state.chatsStatus === "ready";
  return stale ? want(state, chatId) : state;
}
