/** Who is online, while that is known. Otherwise nothing is shown: no dot is better than a wrong one. */

export const KEEP_MS = 15_000; // how long the list of a lost connection is still believed

/** Whether the user has a window open somewhere; false where that is not known. Pure. */
export const isOnline = (state, userId) =>
  Boolean(state.presence && state.connection.phase !== "polling" && (userId === state.me.id || state.presence.online[userId]));

/** The participants of a chat who are online; null where that is not known. Pure. */
export function onlineIn(state, chat) {
  const { presence } = state;
  if (!presence || state.connection.phase === "polling" || chat.participantIds.length > presence.limit) return null;
  return chat.participantIds.filter((id) => isOnline(state, id));
}

/** A string that changes whenever the open chat's online people do. */
export function onlineKey(state) {
  const chat = state.chats[state.open.chatId];
  return chat ? (onlineIn(state, chat)?.join() ?? null) : null;
}

/** Forgets who is online when no connection has confirmed it for a while: a deploy does not flicker, an outage does not lie. */
export function keepPresence({ store, setTimer = setTimeout, clearTimer = clearTimeout }) {
  let timer = null;
  const doubtful = ({ presence, connection }) => Boolean(presence && (presence.stale || connection.phase !== "live"));
  store.watch((state) => [doubtful(state)], (state) => {
    clearTimer(timer);
    if (doubtful(state)) timer = setTimer(() => doubtful(store.state) && store.update((now) => ({ ...now, presence: null })), KEEP_MS);
  });
}
