/** Looks people up by their ids, a few requests at a time, and again when a name may have changed. Names that an earlier page of
 * this tab knew are shown until the answer comes. */
import { takeUsers } from "./snapshots.js";
import { isDirect, otherOf, sameFields, sortedChats } from "./state.js";

export const FRESH_MS = 30_000; // a user is not looked up again sooner
const AT_ONCE = 6;
const RETRY_MS = 5_000;
const FEW = 50; // in larger chats one message would make every page look somebody up at once
const MOST = 30; // how many names are looked up again when the page gets the focus

export class Users {
  #queue = [];
  #asked = new Map(); // id → when (ms)
  #running = 0;
  #earlier; // ids of the users that an earlier page knew

  constructor({ store, api, storage, now = () => Date.now() }) {
    Object.assign(this, { store, api, storage, now });
    const { me } = store.state;
    const earlier = (storage.get("parley.users") ?? []).filter(({ id }) => id !== me.id);
    this.#earlier = new Set(earlier.map(({ id }) => id));
    this.#show(earlier);
    this.#asked.set(me.id, now()); // the page came with one's own name
  }

  /** Takes users from any answer of the server. */
  take(users) {
    for (const { id } of users) this.#asked.set(id, this.now());
    this.#show(users);
  }

  /** Looks up the users that are not known yet. Every part of the screen calls this with the ids that it shows. */
  want(ids) {
    this.#ask(ids, (id) => !this.#asked.has(id) && (!this.store.state.users[id] || this.#earlier.has(id)));
  }

  /** Looks these users up again, unless that was done a moment ago. */
  again(ids) {
    this.#ask(ids, (id) => this.now() - (this.#asked.get(id) ?? -Infinity) >= FRESH_MS);
  }

  #show(users) {
    this.store.update((state) => takeUsers(state, users.filter((user) => !state.users[user.id] || !sameFields(state.users[user.id], user))));
  }

  #ask(ids, wanted) {
    for (const id of ids) {
      if (!id || !wanted(id)) continue;
      this.#asked.set(id, this.now());
      this.#queue.push(id);
    }
    while (this.#running < AT_ONCE && this.#queue.length) this.#fetch(this.#queue.shift());
  }

  async #fetch(id) {
    this.#running += 1;
    try {
      this.take([await this.api.get(`/api/users/${id}`)]);
      this.storage.set("parley.users", Object.values(this.store.state.users).slice(-500));
    } catch (error) {
      if (error.temporary) setTimeout(() => this.#asked.delete(id) && this.want([id]), RETRY_MS);
      else if (!this.store.state.users[id]) this.take([{ id, username: "", displayName: "Somebody", createdAt: null }]);
    }
    this.#running -= 1;
    this.want([]);
  }
}

/** The people whose names are on the screen: those of the open chat, or who wrote last in it, and the direct chats at the top. Pure. */
export function onScreen(state) {
  const chat = state.chats[state.open.chatId];
  const writers = (state.timelines[state.open.chatId]?.items ?? []).map(({ senderId }) => senderId).reverse();
  const here = chat && chat.participantIds.length <= MOST / 2 ? chat.participantIds : writers;
  const direct = sortedChats(state).filter(isDirect).map((one) => otherOf(state, one));
  return [...new Set([state.me.id, ...here, ...direct])].slice(0, MOST);
}

/** The people who have just written, or begun to write, in small chats. Pure. */
export function signsOfLife(state) {
  const small = (chatId) => state.chats[chatId]?.participantIds.length <= FEW;
  const typing = Object.entries(state.typing).filter(([chatId]) => small(chatId)).flatMap(([, people]) => Object.keys(people));
  return [...typing, ...state.heard.filter(({ chatId }) => small(chatId)).map(({ senderId }) => senderId)];
}

/** Keeps names up to date, since nothing announces a new one: looks them up when the page or a chat is opened, and when their owners write. */
export function keepNames({ store, users }) {
  store.watch((state) => [state.attentive, state.open.chatId, state.open.details], (state) => state.attentive && users.again(onScreen(state)));
  store.watch((state) => [state.typing, state.heard], (state) => users.again(signsOfLife(state)));
}
