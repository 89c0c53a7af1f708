/** What a user does to chats and messages besides sending: each is one call, repeated with the same key while the
 * reason for its failure may pass. Answers go into the state; the stream confirms them. */
import { takeChat, takeDeleted, takeEdited } from "./snapshots.js";
import { dropChat } from "./state.js";
import { backoff } from "../net/backoff.js";
import { uuid } from "../net/ids.js";

const TRIES = 3;

export class Operations {
  constructor({ store, api }) {
    Object.assign(this, { store, api });
  }

  async #insist(run) {
    const key = uuid();
    for (let attempt = 0; ; attempt += 1) {
      try {
        return await run({ key, deadlineMs: 8000 });
      } catch (error) {
        if (!error.temporary || attempt + 1 === TRIES) throw error;
        await new Promise((resolve) => setTimeout(resolve, Math.max(error.retryAfterMs ?? 0, 300 + backoff(attempt + 1))));
      }
    }
  }

  #take = (reducer, value) => {
    this.store.update((state) => reducer(state, value));
    return value;
  };

  async editMessage({ id }, content) {
    return this.#take(takeEdited, await this.#insist((options) => this.api.patch(`/api/messages/${id}`, { content }, options)));
  }

  async deleteMessage(message) {
    await this.#insist((options) => this.api.delete(`/api/messages/${message.id}`, undefined, options));
    this.#take(takeDeleted, message);
  }

  async createChat(body) {
    return this.#take(takeChat, await this.#insist((options) => this.api.post("/api/chats", body, options)));
  }

  async changeChat(chatId, body) {
    return this.#take(takeChat, await this.#insist((options) => this.api.patch(`/api/chats/${chatId}`, body, options)));
  }

  async addPeople(chatId, userIds) {
    return this.#take(takeChat, await this.#insist((options) => this.api.post(`/api/chats/${chatId}/participants`, { userIds }, options)));
  }

  async removePerson(chatId, userId) {
    await this.#insist((options) => this.api.delete(`/api/chats/${chatId}/participants/${userId}`, undefined, options));
    if (userId === this.store.state.me.id) this.store.update((state) => dropChat(state, chatId, { left: true }));
  }

  muteChat(chatId, muted) {
    return this.#insist((options) => (muted ? this.api.put(`/api/chats/${chatId}/mute`, options) : this.api.delete(`/api/chats/${chatId}/mute`, undefined, options)));
  }

  async deleteChat(chatId) {
    await this.#insist((options) => this.api.delete(`/api/chats/${chatId}`, undefined, options));
    this.store.update((state) => dropChat(state, chatId, { left: true }));
  }

  /** Who has read a message, the first page: `{items: [{userId, readAt}], next}`. */
  reads(messageId) {
    return this.api.get(`/api/messages/${messageId}/reads?limit=100`);
  }
}
