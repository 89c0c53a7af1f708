/** Knowing people by their ids: each is asked for once on a page, a few at a time. What an earlier page of this tab knew is
 * shown until the answer comes: somebody may be called otherwise by now. */
import { sameFields } from "./dom.js";
import { takeUsers } from "./snapshots.js";

const AT_ONCE = 6;
const RETRY_MS = 5_000;

export class Users {
  #queue = [];
  #asked = new Set();
  #running = 0;
  #earlier; // ids of those that an earlier page knew

  constructor({ store, api, storage }) {
    Object.assign(this, { store, api, storage });
    // Of oneself, the page knows better.
    const earlier = (storage.get("parley.users") ?? []).filter(({ id }) => id !== store.state.me.id);
    this.#earlier = new Set(earlier.map(({ id }) => id));
    this.take(earlier);
  }

  take(users) {
    this.store.update((state) => takeUsers(state, users.filter((user) => !state.users[user.id] || !sameFields(state.users[user.id], user))));
  }

  /** Asks for the users that are not known yet; the parts of the screen call it with whom they show. */
  want(ids) {
    for (const id of ids) {
      if (!id || this.#asked.has(id) || (this.store.state.users[id] && !this.#earlier.has(id))) continue;
      this.#asked.add(id);
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
