/** The shortcuts that work everywhere on the page, and the list of all of them. */
import { MESSAGE_ACTIONS } from "../conversation/message-actions.js";
import { newChat } from "../list/new-chat.js";
import { openSwitcher } from "../list/switcher.js";
import { isMuted, sortedChats, unreadOf } from "../model/state.js";
import { openDialog } from "../ui/dialog.js";
import { h, setText } from "../ui/dom.js";
import { keycaps, shortcutOf, SHORTCUTS, writes } from "../ui/shortcuts.js";

/** What `?` lists: `[title, rows]`, a row `{keys, what}`. Pure. */
export const shortcutList = (actions = MESSAGE_ACTIONS) => [
  ["Anywhere", SHORTCUTS.anywhere],
  ["While writing", SHORTCUTS.writing],
  ["On a message", [...SHORTCUTS.message, ...actions.filter(({ keys }) => keys).map(({ name, keys, label }) => ({ name, keys, what: label }))]],
];

export function showShortcuts() {
  const keys = (combination) => h("span", { class: "keycaps" }, keycaps(combination).map((part) => h("kbd", {}, part)));
  const row = ({ what, keys: all }) => h("div", { class: "shortcut" }, h("dt", {}, what), h("dd", {}, all.map((one, index) => [index ? " or " : null, keys(one)])));
  openDialog({ title: "Keyboard shortcuts", className: "dialog-shortcuts", content: [
    h("div", { class: "shortcuts", tabindex: "0", role: "group", "aria-label": "Shortcuts" }, shortcutList().map(([title, rows]) => h("section", {}, h("h3", {}, title), h("dl", {}, rows.map(row)))))] });
}

/** The next of `chats` after the open one, upwards or downwards, that is `wanted`; with `round`, it goes on at the other end. Pure. */
export function stepFrom(chats, openId, by, { wanted = () => true, round = false } = {}) {
  const at = chats.findIndex((chat) => chat.id === openId);
  const start = at < 0 ? (by > 0 ? -1 : chats.length) : at;
  for (let index = start + by, left = chats.length; left > 0; index += by, left -= 1) {
    if (!round && (index < 0 || index >= chats.length)) return null;
    const chat = chats[(index + chats.length) % chats.length];
    if (chat.id !== openId && wanted(chat)) return chat;
  }
  return null;
}

/** What each shortcut of `anywhere` does, by its name. */
export function shortcutsOf(services) {
  const { store, navigation, composer, messages, reading, attempt, wide } = services;
  const go = (by, options) => {
    const chat = stepFrom(sortedChats(store.state), store.state.open.chatId, by, options);
    if (chat) navigation.open(chat.id);
  };
  const unread = { wanted: (chat) => unreadOf(store.state, chat) > 0 && !isMuted(store.state, chat.id), round: true };

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

  return {
    switcher: () => openSwitcher(services),
    search: () => services.search.open(),
    "previous-chat": () => go(-1),
    "next-chat": () => go(1),
    "previous-unread": () => go(-1, unread),
    "next-unread": () => go(1, unread),
    "new-chat": () => newChat(services),
    details: () => store.state.open.chatId && navigation.details(!store.state.open.details),
    escape,
    shortcuts: showShortcuts,
  };
}

export function mountKeyboard(services) {
  const { store } = services;
  const run = shortcutsOf(services);

  addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.isComposing) return;
    const row = shortcutOf(event, SHORTCUTS.anywhere);
    if (!row || (writes(event) && event.target.closest?.("input, textarea, select"))) return;
    if (document.querySelector("dialog[open], :popover-open")) return; // searches the whole document, so only once a shortcut is certain
    if (row.name !== "escape") event.preventDefault();
    run[row.name]();
  });

  // The first thing that Tab reaches leads past the list, or to it where no chat is open.
  const skip = document.querySelector(".skip-link");
  const target = () => document.querySelector(store.state.open.chatId ? "#composer-text" : "#chat-filter");
  store.watch((state) => [Boolean(state.open.chatId)], ({ open }) => setText(skip, open.chatId ? "Skip to the message field" : "Skip to the chats"));
  skip.addEventListener("click", (event) => {
    event.preventDefault();
    target().focus();
  });
}
