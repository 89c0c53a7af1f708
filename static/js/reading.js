/** Telling the server how far this user has read: only while the page is visible, focused and shows the message. */
import { set } from "./state.js";

const SETTLE_MS = 200;
const RETRY_MS = 3_000;

export class Reading {
  #seen = null; // newest message by somebody else that is in view
  #timer = null;
  #asked = new Map(); // chatId → seq that the server has been told

  constructor({ store, api }) {
    Object.assign(this, { store, api });
    store.watch((state) => [state.attentive, state.connection.phase, state.open.chatId, state.dividers], () => this.#soon(SETTLE_MS));
  }

  /** The messages column shows `message` (the newest in view that somebody else sent; null for none). */
  saw(message) {
    if (this.#seen?.id === message?.id) return;
    this.#seen = message;
    this.#soon(SETTLE_MS);
  }

  /** The user says that all of the open chat is read, whatever of it is in view; the divider has done its work. */
  async everything() {
    const { open, chats } = this.store.state;
    const newest = chats[open.chatId]?.lastMessage;
    this.store.update((state) => ({ ...state, dividers: set(state.dividers, open.chatId, null) }));
    if (newest && chats[open.chatId].unreadCount) await this.api.put(`/api/messages/${newest.id}/read`);
  }

  #soon(ms) {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#tell(), ms);
  }

  async #tell() {
    const message = this.#seen;
    const { attentive, open, watermarks, dividers, me } = this.store.state;
    if (!message || !attentive || open.chatId !== message.chatId || dividers[message.chatId] === undefined) return;
    const known = Math.max(watermarks[message.chatId]?.[me.id]?.seq ?? 0, this.#asked.get(message.chatId) ?? 0);
    if (known >= message.seq) return;
    this.#asked.set(message.chatId, message.seq);
    try {
      await this.api.put(`/api/messages/${message.id}/read`);
    } catch (error) {
      this.#asked.delete(message.chatId);
      if (error.temporary) this.#soon(Math.max(RETRY_MS, error.retryAfterMs ?? 0));
    }
  }
}
