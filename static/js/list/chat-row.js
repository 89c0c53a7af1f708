/** One row of the chat list: what it says, and the elements that say it. */
import { previewOf } from "./previews.js";
import { isOnline } from "../model/presence.js";
import { chatTitle, isDirect, otherOf, unreadOf } from "../model/state.js";
import { chatAvatar } from "../ui/avatar.js";
import { fill, h, setText } from "../ui/dom.js";
import { icon } from "../ui/icons.js";
import { withDot } from "../ui/online-dot.js";
import { fullTime, plural, shortTime } from "../ui/time.js";

/** What a row shows, in fields that can be compared. Pure. */
export function rowOf(state, chat, now) {
  const at = chat.lastMessage?.createdAt ?? chat.createdAt;
  const online = isDirect(chat) && isOnline(state, otherOf(state, chat));
  return {
    id: chat.id, title: chatTitle(state, chat), at, time: shortTime(at, now), ...previewOf(state, chat),
    unread: unreadOf(state, chat), muted: Boolean(chat.muted), open: state.open.chatId === chat.id, online,
  };
}

/** Filters the rows by a part of the name, and to chats with unread messages. The open chat stays until it is left. Pure. */
export function chosen(rows, { name = "", unread = false }) {
  const wanted = name.trim().toLocaleLowerCase();
  return rows.filter((row) => (row.title ?? "").toLocaleLowerCase().includes(wanted) && (!unread || row.unread > 0 || row.open));
}

export function createRow(row) {
  const link = h("a", { class: "chat", href: `/chats/${row.id}`, data: { chatId: row.id } },
    h("span", { class: "chat-avatar" }), h("span", { class: "chat-title", dir: "auto" }),
    h("span", { class: "chat-when" }, h("span", { class: "chat-muted", title: "Muted" }, icon("bell-off"), h("span", { class: "visually-hidden" }, "Muted")), h("time", { class: "chat-time" })),
    h("span", { class: "chat-preview", dir: "auto" }, h("span", { class: "chat-lead" }), " ", h("span", { class: "chat-text" })),
    h("span", { class: "badge" }));
  return h("li", {}, link);
}

export function updateRow(state, element, row, before) {
  const find = (name) => element.querySelector(`.${name}`);
  if (!before || before.title !== row.title || before.online !== row.online) {
    fill(find("chat-avatar"), withDot(chatAvatar(state, state.chats[row.id]), row.online));
    find("chat-title").classList.toggle("skeleton", row.title === null);
    setText(find("chat-title"), row.title ?? "");
  }
  find("chat-time").dateTime = row.at;
  find("chat-time").title = fullTime(row.at);
  setText(find("chat-time"), row.time);
  find("chat-muted").hidden = !row.muted;
  find("chat-lead").dataset.kind = row.kind;
  setText(find("chat-lead"), row.lead);
  setText(find("chat-text"), row.text);
  const link = find("chat");
  const badge = find("badge");
  link.toggleAttribute("data-unread", row.unread > 0);
  link.toggleAttribute("data-muted", row.muted);
  badge.hidden = row.unread === 0;
  if (row.unread) fill(badge, h("span", { "aria-hidden": "true" }, row.unread > 99 ? "99+" : row.unread), h("span", { class: "visually-hidden" }, plural(row.unread, "unread message")));
  if (row.open) link.setAttribute("aria-current", "page");
  else link.removeAttribute("aria-current");
}
