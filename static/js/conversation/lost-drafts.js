/** What was written for a chat that is gone: it is given back to its writer, and forgotten only when they say so. */
import { h } from "../ui/dom.js";

/** The open chat's texts that were not sent, where it is one that this user is no longer in; else "". Pure. */
export function lostDraftOf(state) {
  const { chatId } = state.open;
  if (!(chatId in state.gone)) return "";
  const waiting = state.outbox.filter((item) => item.chatId === chatId && !item.storedAs).map((item) => item.content);
  return [...waiting, state.drafts[chatId] ?? ""].filter(Boolean).join("\n\n");
}

export function lostDraft({ store, outbox, drafts }, text) {
  if (!text) return null;
  const forget = () => {
    const { open, outbox: items } = store.state;
    for (const item of items) if (item.chatId === open.chatId) outbox.discard(item.key);
    drafts.keep(open.chatId, "");
  };
  const field = h("textarea", { readonly: true, rows: String(Math.min(6, text.split("\n").length)), "aria-label": "Not sent" });
  field.value = text;
  return h("div", { class: "lost-draft", id: "lost-draft" }, h("p", {}, "You had written this, and it was not sent:"), field,
    h("button", { type: "button", class: "button button-small", on: { click: forget } }, "Forget it"));
}
