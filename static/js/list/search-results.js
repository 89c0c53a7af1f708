/** One message that a search has found: what its row says, and the elements that say it. */
import { pathOf } from "../model/addresses.js";
import { chatTitle, nameOf } from "../model/state.js";
import { snippetOf } from "../text/snippet.js";
import { h, setText } from "../ui/dom.js";
import { fullTime, shortTime } from "../ui/time.js";

/** What a row shows, in fields that can be compared. Pure. */
export function resultOf(state, { message, chatId, highlights }, { opened, now }) {
  const chat = state.chats[chatId];
  const sender = message.senderId === state.me.id ? "You" : nameOf(state, message.senderId) ?? "…";
  return {
    id: message.id, chatId, title: (chat && chatTitle(state, chat)) ?? "…", sender, at: message.createdAt, time: shortTime(message.createdAt, now),
    content: message.content, highlights, opened: opened === message.id,
  };
}

export function createResult(row) {
  return h("li", {}, h("a", { class: "search-result", href: pathOf({ chatId: row.chatId, messageId: row.id }), data: { chatId: row.chatId, messageId: row.id } },
    h("span", { class: "result-head" }, h("span", { class: "result-chat", dir: "auto" }), h("time", { class: "result-time", datetime: row.at, title: fullTime(row.at) })),
    h("span", { class: "result-text", dir: "auto" }, h("span", { class: "result-sender" }), " ", h("span", { class: "result-words" },
      snippetOf(row.content, row.highlights).map(({ text, marked }) => (marked ? h("mark", {}, text) : text))))));
}

export function updateResult(element, row) {
  setText(element.querySelector(".result-chat"), row.title);
  setText(element.querySelector(".result-time"), row.time);
  setText(element.querySelector(".result-sender"), `${row.sender}:`);
  const link = element.querySelector("a");
  if (row.opened) link.setAttribute("aria-current", "true");
  else link.removeAttribute("aria-current");
}
