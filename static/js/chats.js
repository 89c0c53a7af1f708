/** The chat list: newest activity first, last message, unread counts; finding a chat by its name. */
import { chatAvatar } from "./avatar.js";
import { fill, h, keyed, sameFields, setText } from "./dom.js";
import { newChat } from "./new-chat.js";
import { chatTitle, nameOf, otherOf, sortedChats, unreadOf } from "./state.js";
import { oneLine } from "./text.js";
import { fullTime, plural, shortTime } from "./time.js";

function preview(state, chat) {
  const draft = state.open.chatId === chat.id ? null : state.drafts[chat.id];
  if (draft) return { lead: "Draft:", text: oneLine(draft), leadKind: "draft" };
  const waiting = state.outbox.findLast((item) => item.chatId === chat.id && !item.storedAs);
  if (waiting?.status === "failed") return { lead: "Not sent:", text: oneLine(waiting.content), leadKind: "failed" };
  if (waiting) return { lead: "You:", text: oneLine(waiting.content) };
  const message = chat.lastMessage;
  if (!message) return { lead: null, text: message === null ? "No messages yet" : "…" };
  const lead = message.senderId === state.me.id ? "You:" : chat.chatType === "group" ? `${nameOf(state, message.senderId) ?? "…"}:` : null;
  return { lead, text: oneLine(message.content) };
}

function rowOf(state, chat, now) {
  const at = chat.lastMessage?.createdAt ?? chat.createdAt;
  const { lead, text, leadKind = "" } = preview(state, chat);
  const unread = unreadOf(state, chat);
  return { id: chat.id, title: chatTitle(state, chat), at, time: shortTime(at, now), lead, leadKind, text, unread, open: state.open.chatId === chat.id, other: chat.chatType === "direct" ? otherOf(state, chat) : null };
}

function create(row) {
  const link = h("a", { class: "chat", href: `/chats/${row.id}`, data: { chatId: row.id } },
    h("span", { class: "chat-avatar" }), h("span", { class: "chat-title", dir: "auto" }), h("time", { class: "chat-time" }),
    h("span", { class: "chat-preview", dir: "auto" }, h("span", { class: "chat-lead" }), " ", h("span", { class: "chat-text" })),
    h("span", { class: "badge" }));
  return h("li", {}, link);
}

function update(state, element, row, before) {
  const find = (name) => element.querySelector(`.${name}`);
  if (before?.title !== row.title || !before) {
    fill(find("chat-avatar"), chatAvatar(state, state.chats[row.id]));
    find("chat-title").classList.toggle("skeleton", row.title === null);
    setText(find("chat-title"), row.title ?? "");
  }
  find("chat-time").dateTime = row.at;
  find("chat-time").title = fullTime(row.at);
  setText(find("chat-time"), row.time);
  find("chat-lead").dataset.kind = row.leadKind;
  setText(find("chat-lead"), row.lead ?? "");
  setText(find("chat-text"), row.text);
  const link = find("chat");
  const badge = find("badge");
  link.toggleAttribute("data-unread", row.unread > 0);
  badge.hidden = row.unread === 0;
  if (row.unread) fill(badge, h("span", { "aria-hidden": "true" }, row.unread > 99 ? "99+" : row.unread), h("span", { class: "visually-hidden" }, plural(row.unread, "unread message")));
  if (row.open) link.setAttribute("aria-current", "page");
  else link.removeAttribute("aria-current");
}

export function mountChats(services) {
  const { store, loading, navigation, users } = services;
  const list = document.querySelector("#chats");
  const note = document.querySelector("#chats-note");
  const filter = document.querySelector("#chat-filter");

  const matches = (row) => (row.title ?? "").toLocaleLowerCase().includes(filter.value.trim().toLocaleLowerCase());

  function showNote(state, rows, all) {
    const button = (label, run) => h("button", { type: "button", class: "button button-small", on: { click: run } }, label);
    let content = null;
    if (state.chatsStatus === "error" && !all) content = [h("p", {}, "Your chats could not be loaded."), button("Try again", () => loading.chats())];
    else if (state.chatsStatus === "ready" && !all) content = [h("p", { class: "note-title" }, "No chats yet"), h("p", {}, "Write to somebody, or start a group."), button("Start a chat", () => newChat(services))];
    else if (all && !rows.length) content = [h("p", {}, "No chat of that name.")];
    note.hidden = !content;
    fill(note, content ?? []);
  }

  function render(state) {
    const chats = sortedChats(state);
    if (state.chatsStatus === "loading" && !chats.length) return;
    list.removeAttribute("aria-busy");
    const now = new Date();
    users.want(chats.flatMap((chat) => [...(chat.chatType === "direct" ? [otherOf(state, chat)] : chat.name ? [] : chat.participantIds.slice(0, 4)), chat.lastMessage?.senderId]));
    const rows = chats.map((chat) => rowOf(state, chat, now)).filter((row) => !filter.value || matches(row));
    keyed(list, rows, { key: (row) => row.id, create, update: (element, row, before) => update(state, element, row, before), same: sameFields });
    showNote(state, rows, chats.length);
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
    if (event.key === "ArrowDown") list.querySelector("a")?.focus();
    else if (event.key === "Enter" && !event.isComposing) list.querySelector("a")?.click();
    else if (event.key === "Escape") filter.value = "";
    else return;
    event.preventDefault();
    render(store.state);
  });
  document.querySelector("#new-chat").addEventListener("click", () => newChat(services));
  store.watch((state) => [state.chats, state.chatsStatus, state.users, state.open, state.drafts, state.outbox, state.attentive, state.atBottom], render);
  setInterval(() => render(store.state), 60_000);
}
