/** Keeps the tabs of one browser in step: what one of them stores, the others show. Messages and reads come from the server. */
import { set, without } from "../model/state.js";
import { showTheme } from "../ui/theme.js";

export function mountSharing({ store, outbox, drafts, composer }) {
  function takeDraft(chatId, text) {
    store.update((state) => ({ ...state, drafts: text ? set(state.drafts, chatId, text) : without(state.drafts, chatId) }));
    // A user who is writing here is not interrupted.
    if (chatId === store.state.open.chatId && !store.state.attentive) composer.show(text);
  }

  addEventListener("storage", ({ key, newValue }) => {
    if (key === null) return; // everything was cleared
    if (key === "parley.theme") showTheme(JSON.parse(newValue) ?? "system");
    else if (key.startsWith(drafts.prefix)) takeDraft(key.slice(drafts.prefix.length), JSON.parse(newValue) ?? "");
    else if (newValue === null) outbox.forget(key);
  });
}
