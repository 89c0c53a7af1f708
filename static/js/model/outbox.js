/** Messages that this user has written and the server has not confirmed yet.
 *
 * An item is kept in the browser's storage under its own key until the server has answered, and is sent with the same
 * idempotency key each time: a second try cannot make a second message. One request at a time for each chat keeps
 * the order, and one tab at a time sends an item. Item: `{key, chatId, content, createdAt, status: "queued"|"sending"|"failed", error, storedAs}`;
 * `error` is null, `{message, temporary, until}` otherwise; `until` (ms since 1970) says when it is sent again after a 429.
 */
import { takeSent } from "./snapshots.js";
import { backoff } from "../net/backoff.js";
import { uuid } from "../net/ids.js";
import { alone } from "../net/locks.js";

const FIRST_RETRY = 4; // the shortest automatic retry comes after backoff number 4: up to 8 s

export class Outbox {
  #busy = new Set();
  #attempts = new Map();

  constructor({ store, api, storage, userId, setTimer = (run, ms) => setTimeout(run, ms), random = Math.random, now = () => new Date().toISOString(), inTurn = alone }) {
    Object.assign(this, { store, api, storage, setTimer, random, now, inTurn, prefix: `parley.outbox.${userId}.` });
  }

  /** Takes over the items that an earlier page left in the storage. */
  restore() {
    const items = this.storage.keys(this.prefix).map((key) => this.storage.get(key)).filter(Boolean);
    items.sort((a, b) => (a.createdAt < b.createdAt ? -1 : 1));
    const restored = items.map((item) => ({ ...item, status: item.error && !item.error.temporary ? "failed" : "queued", storedAs: null }));
    this.store.update((state) => ({ ...state, outbox: [...state.outbox, ...restored] }));
    this.flush();
  }

  add(chatId, content) {
    const item = { key: uuid(), chatId, content, createdAt: this.now(), status: "queued", error: null, storedAs: null };
    this.#keep(item);
    this.store.update((state) => ({ ...state, outbox: [...state.outbox, item] }));
    this.flush();
    return item;
  }

  retry(key) {
    this.#change(key, { status: "queued", error: null });
    this.flush();
  }

  /** The user gives a message up, and gets its text back. */
  discard(key) {
    const item = this.#item(key);
    this.#remove(key);
    this.flush();
    return item;
  }

  /** Retries every item whose reason to fail may have passed: called when the connection is back. An item that was sent too fast keeps its time. */
  revive() {
    for (const item of this.store.state.outbox) {
      if (item.status === "failed" && item.error?.temporary && !item.error.until) this.#change(item.key, { status: "queued" });
    }
    this.flush();
  }

  /** Another page of this user has had the item confirmed or discarded. */
  forget(storageKey) {
    if (storageKey.startsWith(this.prefix)) this.#drop(storageKey.slice(this.prefix.length));
  }

  flush() {
    const blocked = new Set(this.#busy);
    for (const item of this.store.state.outbox) {
      if (blocked.has(item.chatId)) continue;
      if (item.status === "queued") this.#send(item);
      if (item.status !== "failed" || item.error?.temporary) blocked.add(item.chatId);
    }
  }

  async #send({ key, chatId, content }) {
    this.#busy.add(chatId);
    this.#change(key, { status: "sending", error: null });
    await this.inTurn(this.prefix + key, async () => {
      if (this.storage.get(this.prefix + key) === null) return this.#drop(key); // another tab has sent it meanwhile
      try {
        const message = await this.api.post(`/api/chats/${chatId}/messages`, { content }, { key });
        this.storage.remove(this.prefix + key);
        this.#attempts.delete(key);
        this.store.update((state) => takeSent(state, message, key));
      } catch (error) {
        this.#failed(key, error);
      }
    });
    this.#busy.delete(chatId);
    this.flush();
  }

  #failed(key, { message, temporary = false, retryAfterMs, status }) {
    const item = this.#item(key);
    if (!item) return;
    const until = status === 429 && retryAfterMs ? Date.parse(this.now()) + retryAfterMs : null;
    this.#change(key, { status: "failed", error: { message, temporary, until }, storedAs: temporary ? item.storedAs : null });
    this.#keep(this.#item(key));
    if (!temporary) return;
    const attempt = this.#attempts.get(key) ?? 0;
    this.#attempts.set(key, attempt + 1);
    // An item that the stream has shown to be stored only lacks its answer, so it is asked for again at once.
    const delay = until ? retryAfterMs : item.storedAs && attempt === 0 ? 500 : 2000 + backoff(attempt + FIRST_RETRY, this.random);
    if (attempt > 0) this.#change(key, { storedAs: null });
    this.setTimer(() => {
      if (this.#item(key)?.status === "failed") this.retry(key);
    }, Math.max(delay, retryAfterMs ?? 0));
  }

  #item(key) {
    return this.store.state.outbox.find((item) => item.key === key);
  }

  #keep({ key, chatId, content, createdAt, error }) {
    this.storage.set(this.prefix + key, { key, chatId, content, createdAt, error });
  }

  #change(key, fields) {
    this.store.update((state) => ({ ...state, outbox: state.outbox.map((item) => (item.key === key ? { ...item, ...fields } : item)) }));
  }

  #drop(key) {
    this.store.update((state) => ({ ...state, outbox: state.outbox.filter((item) => item.key !== key) }));
  }

  #remove(key) {
    this.storage.remove(this.prefix + key);
    this.#drop(key);
  }
}
