/** Knowing people by their ids: asked for a few at a time, and again when there is a reason to look: somebody may be called
 * otherwise by now. What an earlier page of this tab knew is shown until the answer comes. */
import { takeUsers } from "./snapshots.js";
import { isDirect, otherOf, sameFields, sortedChats } from "./state.js";

export const FRESH_MS = 30_000; // nobody is asked for again before that
const AT_ONCE = 6;
const RETRY_MS = 5_000;
const FEW = 50; // in larger chats one message would make everybody ask at once
const MOST = 30; // whose names are looked up when the page is looked at

export class Users {
  #queue = [];
  #asked = new Map(); // id → when (ms)
  #running = 0;
  #earlier; // ids of those that an earlier page knew

  constructor({ store, api, storage, now = () => Date.now() }) {
    Object.assign(this, { store, api, storage, now });
    const { me } = store.state;
    const earlier = (storage.get("parley.users") ?? []).filter(({ id }) => id !== me.id);
    this.#earlier = new Set(earlier.map(({ id }) => id));
    this.#show(earlier);
    this.#asked.set(me.id, now()); // of oneself the page has just told
  }

  /** Takes over what some answer of the server said about people. */
  take(users) {
    for (const { id } of users) this.#asked.set(id, this.now());
    this.#show(users);
  }

  /** Asks for the users that are not known yet; the parts of the screen call it with whom they show. */
  want(ids) {
    this.#ask(ids, (id) => !this.#asked.has(id) && (!this.store.state.users[id] || this.#earlier.has(id)));
  }

  /** Asks for these people again, unless it has just been done. */
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

/** The people who have just written or begun to write, in chats of a few. Pure. */
export function signsOfLife(state) {
  const small = (chatId) => state.chats[chatId]?.participantIds.length <= FEW;
  const typing = Object.entries(state.typing).filter(([chatId]) => small(chatId)).flatMap(([, people]) => Object.keys(people));
  return [...typing, ...state.heard.filter(({ chatId }) => small(chatId)).map(({ senderId }) => senderId)];
}

/** Keeps names true without being told: they are looked up when the page or a chat is looked at, and when their owners write. */
export function keepNames({ store, users }) {
  store.watch((state) => [state.attentive, state.open.chatId, state.open.details], (state) => state.attentive && users.again(onScreen(state)));
  store.watch((state) => [state.typing, state.heard], (state) => users.again(signsOfLife(state)));
}
