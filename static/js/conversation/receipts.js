/** The dialog that says who has read a message and when, and who has not yet. */
import { nameOf } from "../model/state.js";
import { userAvatar } from "../ui/avatar.js";
import { openDialog } from "../ui/dialog.js";
import { fill, h } from "../ui/dom.js";
import { atTime, fullTime } from "../ui/time.js";

const person = (state, userId, note) => h("li", { class: "person", data: { userId } },
  userAvatar(state, userId),
  h("span", { class: "person-name" }, nameOf(state, userId) ?? "…"),
  note);

const waiting = () => [6, 5, 7].map((width) => h("li", { class: "person", "aria-hidden": "true" },
  h("span", { class: "avatar skeleton" }), h("span", { class: `skeleton skeleton-line w${width}` })));

export function showReads(message, { store, operations, users }) {
  const list = h("ul", { class: "people", id: "reads", "aria-busy": "true" }, waiting());
  const dialog = openDialog({ title: "Read by", content: [list], className: "dialog-reads" });
  let reads = null;
  let failed = false;

  function render(state) {
    if (failed) return fill(list, h("li", { class: "people-note", role: "alert" }, "This could not be loaded. ", h("button", { type: "button", class: "link-button", on: { click: load } }, "Try again")));
    if (!reads) return;
    list.removeAttribute("aria-busy");
    const readers = reads.items.filter(({ userId }) => userId !== message.senderId);
    const known = new Set(readers.map(({ userId }) => userId));
    const others = (state.chats[message.chatId]?.participantIds ?? []).filter((id) => id !== message.senderId && !known.has(id));
    const unread = reads.next ? [] : others;
    users.want([...known, ...unread.slice(0, 50)]);
    fill(list,
      readers.length ? null : h("li", { class: "people-note" }, "Nobody has read this yet."),
      readers.map(({ userId, readAt }) => person(state, userId, h("time", { class: "person-note", datetime: readAt, title: fullTime(readAt) }, atTime(readAt)))),
      unread.length && readers.length ? h("li", { class: "people-heading" }, "Not yet") : null,
      unread.slice(0, 50).map((userId) => person(state, userId, null)),
      unread.length > 50 ? h("li", { class: "people-note" }, `and ${unread.length - 50} more`) : null);
  }

  async function load() {
    failed = false;
    try {
      reads = await operations.reads(message.id);
    } catch {
      failed = true;
    }
    render(store.state);
  }

  const stop = store.watch((state) => [state.users, state.chats[message.chatId]], render);
  const stopLoading = store.watch((state) => [state.watermarks[message.chatId]], () => load());
  dialog.closed.then(() => (stop(), stopLoading()));
}
