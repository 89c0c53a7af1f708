/** Text that has been typed and not sent, for each chat; survives a reload. */
import { set, without } from "./state.js";

export class Drafts {
  constructor({ store, storage, userId }) {
    Object.assign(this, { store, storage, prefix: `parley.draft.${userId}.` });
    const found = storage.keys(this.prefix).map((key) => [key.slice(this.prefix.length), storage.get(key)]);
    store.update((state) => ({ ...state, drafts: Object.fromEntries(found) }));
  }

  of(chatId) {
    return this.store.state.drafts[chatId] ?? "";
  }

  keep(chatId, text) {
    if (text.trim()) this.storage.set(this.prefix + chatId, text);
    else this.storage.remove(this.prefix + chatId);
    this.store.update((state) => ({ ...state, drafts: text.trim() ? set(state.drafts, chatId, text) : without(state.drafts, chatId) }));
  }
}
