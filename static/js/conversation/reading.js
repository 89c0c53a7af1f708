/** Tells the server how far this user has read: only while the page is visible, has the focus and shows the message, and only
 * in a chat in which the user stays. */
import { set } from "../model/state.js";

export const DWELL_MS = 1_000; // who leaves a chat sooner has read nothing in it
const SETTLE_MS = 200;
const RETRY_MS = 3_000;
const PASSING = ["Alt", "Control", "Meta", "Shift"]; // pressed alone, they begin a shortcut

export class Reading {
  #seen = null; // newest message by somebody else that is in view
  #stays = null; // from when (ms) the user counts as staying; null: nothing has been seen yet
  #timer = null;
  #asked = new Map(); // chatId → seq that the server has been told

  constructor({ store, api }) {
    Object.assign(this, { store, api });
    store.watch((state) => [state.attentive, state.open.chatId], () => this.#arrived());
    store.watch((state) => [state.connection.phase, state.dividers], () => this.#soon());
  }

  /** The messages column shows `message` (the newest in view that somebody else sent; null for none). */
  saw(message) {
    if (this.#seen?.id === message?.id) return;
    this.#seen = message;
    this.#soon();
  }

  /** Scrolling, pressing or writing in `places` (elements of the open chat) counts as staying at once. */
  listen(...places) {
    const stays = (event) => {
      if (this.#stays === 0 || event.altKey || event.ctrlKey || event.metaKey || PASSING.includes(event.key)) return;
      this.#stays = 0;
      this.#soon();
    };
    for (const place of places) for (const type of ["wheel", "pointerdown", "keydown"]) place.addEventListener(type, stays, { passive: true });
  }

  /** Marks the whole open chat as read, whatever of it is in view, and removes the divider. */
  async everything() {
    const { open, chats } = this.store.state;
    const newest = chats[open.chatId]?.lastMessage;
    this.store.update((state) => ({ ...state, dividers: set(state.dividers, open.chatId, null) }));
    if (newest && chats[open.chatId].unreadCount) await this.api.put(`/api/messages/${newest.id}/read`);
  }

  #arrived() {
    this.#stays = null;
    this.#soon();
  }

  #soon(ms = SETTLE_MS) {
    clearTimeout(this.#timer);
    const { attentive, open } = this.store.state;
    if (!this.#seen || !attentive || open.chatId !== this.#seen.chatId) return;
    this.#stays ??= Date.now() + DWELL_MS;
    this.#timer = setTimeout(() => this.#tell(), Math.max(ms, this.#stays - Date.now()));
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
