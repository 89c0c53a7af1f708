/** The chat list, newest activity first: all chats, the unread ones, or those whose name matches. */
import { chosen, createRow, rowOf, updateRow } from "./chat-row.js";
import { newChat } from "./new-chat.js";
import { isDirect, otherOf, sameFields, sortedChats } from "../model/state.js";
import { fill, h, keyed, setText } from "../ui/dom.js";

const CHOICE = "parley.chats.show";

export function mountChats(services) {
  const { store, storage, loading, navigation, users } = services;
  const list = document.querySelector("#chats");
  const note = document.querySelector("#chats-note");
  const filter = document.querySelector("#chat-filter");
  const choice = document.querySelector("#chat-choice");
  const unreadChats = document.querySelector("#unread-chats");
  const onlyUnread = () => choice.querySelector("input:checked").value === "unread";

  function choose(value) {
    choice.querySelector(`[value="${value}"]`).checked = true;
    storage.set(CHOICE, value);
    render(store.state);
  }

  const button = (label, run) => h("button", { type: "button", class: "button button-small", on: { click: run } }, label);

  /** What stands below the rows, or in their place. */
  function noteOf({ chatsStatus, connection }, shown, all) {
    if (chatsStatus === "error" || (chatsStatus === "loading" && connection.phase === "offline" && !all)) {
      const text = connection.phase === "offline" ? "You are offline. Your chats come when the connection is back." : all ? "Not all of your chats could be loaded." : "Your chats could not be loaded.";
      return [h("p", {}, text), connection.phase === "offline" ? null : button("Try again", () => loading.chats())];
    }
    if (chatsStatus === "ready" && !all) {
      // On a wide screen the conversation's pane says what to do next.
      const first = h("div", { class: "narrow-only" }, h("p", {}, "Write to somebody, or start a group."), button("Start a chat", () => newChat(services)));
      return [h("p", { class: "note-title" }, "No chats yet"), first, services.wide() ? null : services.invite()];
    }
    if (shown || !all) return null;
    if (filter.value.trim()) return [h("p", {}, onlyUnread() ? "No unread chat of that name." : "No chat of that name."), onlyUnread() ? button("Look in all chats", () => choose("all")) : null];
    return [h("p", { class: "note-title" }, "Nothing unread"), h("p", {}, "You have read everything."), button("Show all chats", () => choose("all"))];
  }

  let noted = null;
  function showNote(state, shown, all) {
    const content = noteOf(state, shown, all);
    const text = content?.map((part) => part?.textContent).join("\n") ?? null;
    if (text === noted) return;
    noted = text;
    note.hidden = !content;
    fill(note, content ?? []);
  }

  function render(state) {
    const chats = sortedChats(state);
    if (state.chatsStatus === "loading" && !chats.length) return showNote(state, 0, 0);
    list.removeAttribute("aria-busy");
    const now = new Date();
    users.want(chats.flatMap((chat) => [...(isDirect(chat) ? [otherOf(state, chat)] : chat.name ? [] : chat.participantIds.slice(0, 4)), chat.lastMessage?.senderId]));
    const all = chats.map((chat) => rowOf(state, chat, now));
    const unread = all.filter((row) => row.unread).length;
    setText(unreadChats, unread ? String(unread > 99 ? "99+" : unread) : "");
    const rows = chosen(all, { name: filter.value, unread: onlyUnread() });
    keyed(list, rows, { key: (row) => row.id, create: createRow, update: (element, row, before) => updateRow(state, element, row, before), same: sameFields });
    showNote(state, rows.length, all.length);
  }

  list.addEventListener("click", (event) => {
    const link = event.target.closest("a[data-chat-id]");
    if (!link || event.button || event.metaKey || event.ctrlKey || event.shiftKey) return;
    event.preventDefault();
    navigation.open(link.dataset.chatId);
  });
  list.addEventListener("keydown", (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!step || event.altKey) return;
    event.preventDefault();
    const links = [...list.querySelectorAll("a")];
    (links[links.indexOf(document.activeElement) + step] ?? (step < 0 ? filter : null))?.focus();
  });
  filter.addEventListener("input", () => render(store.state));
  filter.addEventListener("keydown", (event) => {
    if (event.altKey) return;
    if (event.key === "ArrowDown") list.querySelector("a")?.focus();
    else if (event.key === "Enter" && !event.isComposing) list.querySelector("a")?.click();
    else if (event.key === "Escape") filter.value = "";
    else return;
    event.preventDefault();
    render(store.state);
  });
  choice.addEventListener("change", () => choose(onlyUnread() ? "unread" : "all"));
  document.querySelector("#new-chat").addEventListener("click", () => newChat(services));
  choose(storage.get(CHOICE) === "unread" ? "unread" : "all");
  store.watch((state) => [state.chats, state.chatsStatus, state.users, state.open, state.drafts, state.outbox, state.attentive, state.atBottom, state.presence, state.connection.phase], render);
  setInterval(() => render(store.state), 60_000);
}
