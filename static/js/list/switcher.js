/** The switcher (Ctrl K): goes to a chat or a person by a few letters. */
import { ranked } from "./ranking.js";
import { chatTitle, isDirect, otherOf, sortedChats, unreadOf } from "../model/state.js";
import { query } from "../net/api.js";
import { chatAvatar, userAvatar } from "../ui/avatar.js";
import { openDialog } from "../ui/dialog.js";
import { fill, h } from "../ui/dom.js";
import { icon } from "../ui/icons.js";
import { plural } from "../ui/time.js";

const MOST = 30;
const PAUSE_MS = 150;

/** Chats and people for what was typed: `[{kind: "chat" | "person", id, title, under}]`. With nothing typed, the recent chats but the open one. */
export function choices(state, text) {
  const chats = sortedChats(state).map((chat) => {
    const other = isDirect(chat) ? state.users[otherOf(state, chat)] : null;
    return { kind: "chat", id: chat.id, title: chatTitle(state, chat) ?? "…", under: other?.username ? `@${other.username}` : plural(chat.participantIds.length, "person", "people"), names: [other?.username], other: other?.id };
  });
  if (!text.trim()) return chats.filter((chat) => chat.id !== state.open.chatId).slice(0, MOST);
  const known = new Set([state.me.id, ...chats.map((chat) => chat.other)]);
  const people = Object.values(state.users).filter((user) => user.username && !known.has(user.id))
    .map((user) => ({ kind: "person", id: user.id, title: user.displayName, under: `@${user.username}`, names: [user.username] }))
    .sort((a, b) => a.title.localeCompare(b.title));
  const wanted = text.trim().replace(/^@/, "");
  return ranked(wanted, [...chats, ...people], ({ title, names }) => [title, ...names.filter(Boolean)]).slice(0, MOST);
}

export function openSwitcher(services) {
  const { store, api, users, navigation, operations, attempt } = services;
  let rows = [];
  let active = 0;
  let timer = null;
  let problem = "";

  const field = h("input", { type: "text", id: "switcher-text", enterkeyhint: "go", placeholder: "Go to a chat or a person", "aria-label": "Go to a chat or a person", role: "combobox", "aria-expanded": "true", "aria-controls": "switcher-list", "aria-autocomplete": "list", autocomplete: "off", spellcheck: "false", autofocus: true });
  const list = h("ul", { class: "switcher-list", id: "switcher-list", role: "listbox", "aria-label": "Chats and people" });
  const note = h("p", { class: "people-note", role: "status" });

  function choose(row) {
    if (!row) return;
    dialog.close();
    if (row.kind === "chat") return navigation.open(row.id);
    attempt(async () => navigation.open((await operations.createChat({ chatType: "direct", participantIds: [row.id] })).id), "The chat was not begun.");
  }

  function option(row, index) {
    const { state } = store;
    const chat = state.chats[row.id];
    const unread = chat ? unreadOf(state, chat) : 0;
    return h("li", { class: "switcher-row", id: `switcher-${index}`, role: "option", "aria-selected": String(index === active), data: { [row.kind === "chat" ? "chatId" : "userId"]: row.id }, on: { click: () => choose(row), pointermove: () => index !== active && mark(index) } },
      chat ? chatAvatar(state, chat) : userAvatar(state, row.id),
      h("span", { class: "person-name", dir: "auto" }, row.title, h("span", { class: "person-username" }, row.under)),
      chat?.muted ? icon("bell-off") : null,
      unread ? h("span", { class: "badge" }, unread > 99 ? "99+" : unread, h("span", { class: "visually-hidden" }, " unread")) : null);
  }

  function mark(index) {
    active = index;
    for (const [at, element] of [...list.children].entries()) element.setAttribute("aria-selected", String(at === active));
    field.setAttribute("aria-activedescendant", rows.length ? `switcher-${active}` : "");
    list.children[active]?.scrollIntoView({ block: "nearest" });
  }

  function render(state) {
    const chosen = rows[active]?.id;
    rows = choices(state, field.value);
    fill(list, rows.map(option));
    mark(Math.max(0, rows.findIndex((row) => row.id === chosen)));
    note.textContent = rows.length ? "" : problem || (field.value.trim() ? "No chat and nobody of that name." : "No chats yet. Type a name to find people.");
  }

  async function findPeople() {
    const text = field.value.trim().replace(/^@/, "");
    if (!text) return;
    try {
      users.take((await api.get(query("/api/users", { q: text, limit: MOST }))).items);
      problem = "";
    } catch (error) {
      problem = error.message;
    }
    render(store.state);
  }

  field.addEventListener("input", () => {
    [rows, active, problem] = [[], 0, ""];
    render(store.state);
    clearTimeout(timer);
    timer = setTimeout(findPeople, PAUSE_MS);
  });
  field.addEventListener("keydown", (event) => {
    if (event.isComposing) return;
    const to = { ArrowDown: active + 1, ArrowUp: active - 1, PageDown: Math.min(active + 8, rows.length - 1), PageUp: Math.max(active - 8, 0) }[event.key];
    if (to !== undefined && rows.length) mark((to + rows.length) % rows.length);
    else if (event.key === "Enter") choose(rows[active]);
    else return;
    event.preventDefault();
  });

  const dialog = openDialog({ title: "Go to", content: [h("div", { class: "switcher" }, field, list, note)], className: "dialog-switcher" });
  const forget = store.watch((state) => [state.chats, state.users], render);
  dialog.closed.then(() => (forget(), clearTimeout(timer)));
  field.focus();
}
