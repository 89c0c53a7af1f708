/** The line under a chat's name in the list: its draft, or its last message. Pure. */
import { textOf } from "../model/message.js";
import { isDirect, nameOf } from "../model/state.js";
import { plain } from "../text/markdown.js";

const MOST = 300; // more characters of a message do not fit into one line
const known = new WeakMap(); // message → its text on one line: needed at every rendering, worked out once

const words = (text) => plain(text.slice(0, MOST));

function wordsOf(message) {
  if (!known.has(message)) known.set(message, words(textOf(message)));
  return known.get(message);
}

/** `{lead, kind, text}`: a draft, what waits to be sent, or the last message; `kind` is `draft`, `failed` or empty. */
export function previewOf(state, chat) {
  const draft = state.open.chatId === chat.id ? null : state.drafts[chat.id];
  if (draft) return { lead: "Draft:", kind: "draft", text: words(draft) };
  const waiting = state.outbox.findLast((item) => item.chatId === chat.id && !item.storedAs);
  if (waiting) return waiting.status === "failed" ? { lead: "Not sent:", kind: "failed", text: words(waiting.content) } : { lead: "You:", kind: "", text: words(waiting.content) };
  const message = chat.lastMessage;
  if (!message) return { lead: "", kind: "", text: message === null ? "No messages yet" : "…" };
  const sender = message.senderId === state.me.id ? "You:" : !isDirect(chat) ? `${nameOf(state, message.senderId)?.split(/\s/)[0] ?? "…"}:` : "";
  return { lead: sender, kind: "", text: wordsOf(message) };
}
