/** A chat's last words on one line: what the list shows under its name. Pure. */
import { textOf } from "../model/message.js";
import { isDirect, nameOf } from "../model/state.js";
import { plain } from "../text/markdown.js";

const MOST = 300; // characters of a message that can come to be seen in one line
const known = new WeakMap(); // message → its words: asked for at every rendering, and read once

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
