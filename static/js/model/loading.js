/** Fetching snapshots: the chat list, single chats that the reducers ask for (`wanted`), and pages of messages. */
import { newTimeline, PAGE } from "./message-timeline.js";
import { takeChatsDone, takeChatView, takePage } from "./snapshots.js";
import { dropChat, set, without } from "./state.js";
import { query } from "../net/api.js";
import { backoff } from "../net/backoff.js";

const AT_ONCE = 4;

export class Loading {
  #fetching = new Set();
  #waiting = new Map(); // chatId → failures in a row
  #generation = 0;

  constructor({ store, api }) {
    Object.assign(this, { store, api });
    store.watch((state) => [state.wanted], () => this.#fetchWanted());
  }

  async chats() {
    this.store.update((state) => ({ ...state, chatsStatus: "loading" }));
    try {
      let after = null;
      do {
        const page = await this.api.get(query("/api/chats", { limit: 100, after }));
        this.store.update((state) => page.items.reduce(takeChatView, state));
        after = page.next;
      } while (after);
      this.store.update(takeChatsDone);
    } catch (error) {
      this.store.update((state) => ({ ...state, chatsStatus: "error" }));
    }
  }

  /** Fetches the ChatView with its watermarks; answers whether the chat is there. */
  async chat(chatId) {
    this.#fetching.add(chatId);
    this.store.update((state) => ({ ...state, wanted: without(state.wanted, chatId) }));
    try {
      const view = await this.api.get(`/api/chats/${chatId}`);
      this.#waiting.delete(chatId);
      this.store.update((state) => takeChatView(state, view));
    } catch (error) {
      if (error.status === 404) this.store.update((state) => ({ ...dropChat(state, chatId, { left: true }), gone: { ...state.gone, [chatId]: state.gone[chatId] ?? null } }));
      else this.#later(chatId);
    }
    this.#fetching.delete(chatId);
    this.#fetchWanted();
  }

  #later(chatId) {
    const failures = this.#waiting.get(chatId) ?? 0;
    this.#waiting.set(chatId, failures + 1);
    setTimeout(() => this.store.update((state) => ({ ...state, wanted: set(state.wanted, chatId, true) })), 1000 + backoff(failures + 2));
  }

  #fetchWanted() {
    for (const chatId of Object.keys(this.store.state.wanted)) {
      if (this.#fetching.size >= AT_ONCE) return;
      if (!this.#fetching.has(chatId)) this.chat(chatId);
    }
  }

  /** Begins a window of a chat's messages: the newest page, or the surroundings of one message. */
  open(chatId, around = null) {
    const timeline = newTimeline(++this.#generation, around === null);
    this.store.update((state) => ({ ...state, timelines: set(state.timelines, chatId, timeline) }));
    return this.#page(chatId, around ? "around" : "newest", { around });
  }

  older(chatId) {
    const timeline = this.store.state.timelines[chatId];
    if (timeline?.loaded && !timeline.atStart && !timeline.loading) return this.#page(chatId, "older", { before: timeline.items[0]?.id });
  }

  newer(chatId) {
    const timeline = this.store.state.timelines[chatId];
    if (timeline?.loaded && !timeline.atEnd && !timeline.loading) return this.#page(chatId, "newer", { after: timeline.items.at(-1)?.id });
  }

  /** Loads again what has failed, because the user asks for it. */
  retry(chatId) {
    const timeline = this.store.state.timelines[chatId];
    if (!timeline?.loaded) return this.open(chatId, this.store.state.open.messageId);
    return timeline.error === "newer" ? this.newer(chatId) : this.older(chatId);
  }

  async #page(chatId, kind, where) {
    const { gen } = this.store.state.timelines[chatId];
    const { chats, cursors } = this.store.state;
    const asOf = Math.max(chats[chatId]?.head ?? 0, cursors[chatId] ?? 0);
    this.#mark(chatId, gen, { loading: kind, error: null });
    try {
      const page = await this.api.get(query(`/api/chats/${chatId}/messages`, { limit: PAGE, ...where }));
      this.store.update((state) => takePage(state, chatId, gen, kind, page, asOf));
    } catch (error) {
      this.#mark(chatId, gen, { loading: null, error: error.status === 404 && kind === "around" ? "missing" : kind });
    }
  }

  #mark(chatId, gen, fields) {
    this.store.update((state) => {
      const timeline = state.timelines[chatId];
      return timeline?.gen === gen ? { ...state, timelines: set(state.timelines, chatId, { ...timeline, ...fields }) } : state;
    });
  }
}
