/** Shortcuts that work everywhere on the page. Those of one message are in toolbar.js and actions.js. */
import { openDialog } from "./dialog.js";
import { h } from "./dom.js";
import { newChat } from "./new-chat.js";
import { openSwitcher } from "./switcher.js";
import { sortedChats, unreadOf } from "./state.js";

const SHORTCUTS = [
  ["Ctrl K", "Go to a chat or a person"],
  ["Ctrl Shift F  or  /", "Search messages"],
  ["Alt ↑  Alt ↓", "Previous, next chat"],
  ["Alt U", "Next unread chat"],
  ["Alt N", "New chat"],
  ["Alt D", "Details of the chat"],
  ["Esc", "Close, or mark the chat as read and go to the message field"],
  ["Enter  Shift Enter", "Send; new line"],
  ["↑", "Edit your last message (in an empty field)"],
  ["↑ ↓  or  k j", "From message to message (in the messages)"],
  ["r  e  Del", "Reply, edit, delete (on a message)"],
  ["c  l  w", "Copy its text, copy its link, who has read it"],
  ["@", "Mention somebody (while writing)"],
  ["?", "This list"],
];

export function showShortcuts() {
  openDialog({ title: "Keyboard shortcuts", className: "dialog-shortcuts", content: [
    h("dl", { class: "shortcuts" }, SHORTCUTS.map(([keys, what]) => [h("dt", {}, keys.split("  ").map((key) => (key === "or" ? " or " : h("kbd", {}, key)))), h("dd", {}, what)]))] });
}

export function mountKeyboard(services) {
  const { store, navigation, composer, messages, reading, attempt, wide } = services;

  function step(by) {
    const chats = sortedChats(store.state);
    const index = chats.findIndex((chat) => chat.id === store.state.open.chatId);
    const next = chats[index < 0 ? 0 : index + by];
    if (next) navigation.open(next.id);
  }

  function nextUnread() {
    const chat = sortedChats(store.state).find((one) => one.id !== store.state.open.chatId && unreadOf(store.state, one));
    if (chat) navigation.open(chat.id);
  }

  const withAlt = { ArrowUp: () => step(-1), ArrowDown: () => step(1), u: nextUnread, n: () => newChat(services), d: () => store.state.open.chatId && navigation.details(!store.state.open.details) };

  function markRead() {
    if (store.state.chats[store.state.open.chatId]?.unreadCount) messages.toNewest();
    attempt(() => reading.everything(), "The chat was not marked as read.");
  }

  function escape() {
    const { open } = store.state;
    if (open.details) navigation.details(false);
    else if (open.chatId && !wide()) navigation.list();
    else if (open.chatId) markRead();
    if (store.state.open.chatId) composer.focus();
  }

  addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.isComposing || document.querySelector("dialog[open], :popover-open")) return;
    const typing = event.target.closest?.("input, textarea, select");
    if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "k") {
      event.preventDefault();
      openSwitcher(services);
    } else if ((event.ctrlKey || event.metaKey) && event.shiftKey && event.key.toLowerCase() === "f" || event.key === "/" && !typing) {
      event.preventDefault();
      services.search.open();
    } else if (event.altKey && !event.ctrlKey && !event.metaKey && withAlt[event.key]) {
      event.preventDefault();
      withAlt[event.key]();
    } else if (event.key === "Escape") {
      escape();
    } else if (event.key === "?" && !typing) {
      showShortcuts();
    }
  });
}
