/** One row of the messages column as an element, kept up to date in place. Clicks are heard by messages.js. */
import { editor } from "./message-editor.js";
import { showReaders } from "./reader-faces.js";
import { attachmentNames, isDeleted, textOf } from "../model/message.js";
import { personIn } from "../text/mentions.js";
import { isEmoji, richText } from "../text/rich-text.js";
import { userAvatar } from "../ui/avatar.js";
import { countdown } from "../ui/countdown.js";
import { fill, h, setText } from "../ui/dom.js";
import { icon } from "../ui/icons.js";
import { clockTime, fullTime } from "../ui/time.js";

const parts = new WeakMap();

const SHOWN = ["content", "deletedAt", "attachments"]; // of a message, by showText

export function createMessage() {
  const made = {
    avatar: h("span", { class: "message-avatar" }),
    author: h("span", { class: "message-author", dir: "auto" }),
    text: h("div", { class: "message-text" }),
    edited: h("span", { class: "message-edited" }),
    time: h("time"),
    receipt: h("span", { class: "receipt-place" }),
    note: h("p", { class: "not-sent", role: "alert" }),
    readers: h("span", { class: "readers-place" }),
  };
  made.meta = h("span", { class: "message-meta" }, made.edited, made.time, made.receipt);
  made.bubble = h("div", { class: "bubble", dir: "auto" }, made.text, made.meta);
  const line = h("div", { class: "bubble-line" }, made.bubble);
  const body = h("div", { class: "message-body" }, made.author, line, made.note, made.readers);
  const element = h("li", { class: "message", tabindex: "-1" }, made.avatar, body);
  parts.set(element, made);
  return element;
}

function receiptText({ receipt, read, of }) {
  if (receipt === "stored") return "Stored, not read yet";
  if (of === 1) return "Read";
  return receipt === "read" ? `Read by all ${of}` : `Read by ${read} of ${of}`;
}

function showReceipt(place, row) {
  if (row.status !== "stored") {
    const failed = row.status === "failed" && !row.waits && !row.until; // else it is sent again by itself
    return fill(place, h("span", { class: "receipt", data: { state: failed ? "failed" : "sending" } },
      icon(failed ? "warning" : "clock"), h("span", { class: "visually-hidden" }, failed ? "Not sent" : "Waiting to be sent")));
  }
  if (!row.receipt) return fill(place);
  const text = receiptText(row);
  let button = place.querySelector("button");
  if (!button) fill(place, (button = h("button", { type: "button", class: "receipt", tabindex: "-1" })));
  Object.assign(button.dataset, { action: "reads", state: row.receipt });
  button.title = text;
  button.setAttribute("aria-label", `${text}. Show who`);
  const name = row.receipt === "stored" ? "check" : "checks";
  if (!button.querySelector(`.icon-${name}`)) fill(button, icon(name));
}

function showNote(note, row) {
  note.toggleAttribute("data-waits", row.waits);
  if (row.status !== "failed") return fill(note);
  const said = row.until ? countdown(row.until, (seconds) => `Too fast: sent again in ${seconds} s`)
    : row.waits ? "Will be sent when connected" : row.error ? `Not sent: ${row.error}` : "Not sent";
  const button = (action, label) => [" · ", h("button", { type: "button", class: "link-button", data: { action } }, label)];
  fill(note, h("span", {}, said), button("retry", "Retry"), button("take-back", "Edit"), button("discard", "Delete"));
}

function showText(made, row, services) {
  const { message } = row;
  const { state } = services.store;
  const attachments = attachmentNames(message);
  made.text.toggleAttribute("data-emoji", !row.editing && !attachments.length && isEmoji(message.content));
  if (row.editing) return fill(made.text, editor(message, services));
  if (isDeleted(message)) return fill(made.text, icon("trash"), "Message deleted");
  if (!message.content && !attachments.length) return fill(made.text, h("span", { class: "message-unknown" }, textOf(message)));
  fill(made.text, richText(message.content, personIn(state, state.chats[message.chatId ?? state.open.chatId])),
    attachments.map((name) => h("p", { class: "attachment", dir: "auto" }, icon("file"), name)));
}

/** `services` is what the editor of a message needs: `{store, operations}`. */
export function updateMessage(element, row, before, services) {
  const made = parts.get(element);
  const { message } = row;
  const changed = (...names) => !before || names.some((name) => before[name] !== row[name]);

  const flags = { own: row.own, first: row.first, last: row.last, deleted: isDeleted(message), editing: row.editing, marked: row.marked, mentioned: row.mentioned };
  for (const [name, on] of Object.entries(flags)) element.toggleAttribute(`data-${name}`, Boolean(on));
  Object.assign(element.dataset, { status: row.status, key: row.key, day: row.day });
  if (message.id) Object.assign(element.dataset, { messageId: message.id, seq: message.seq });

  if (changed("author", "first", "own")) {
    const withFace = row.first && !row.own;
    fill(made.avatar, withFace ? userAvatar(services.store.state, message.senderId) : null);
    setText(made.author, row.own ? "You" : row.author ?? "…");
    made.author.classList.toggle("visually-hidden", !(withFace && row.group));
  }
  if (SHOWN.some((name) => before?.message[name] !== message[name]) || changed("editing", "named")) showText(made, row, services);
  setText(made.edited, message.isEdited ? "(edited)" : "");
  made.edited.title = message.isEdited ? `Edited ${fullTime(message.editedAt)}` : "";
  if (before?.message.createdAt !== message.createdAt) {
    made.time.dateTime = message.createdAt;
    made.time.title = fullTime(message.createdAt);
    setText(made.time, clockTime(message.createdAt));
  }
  if (changed("status", "waits", "until", "receipt", "read", "of")) showReceipt(made.receipt, row);
  if (changed("status", "error", "waits", "until")) showNote(made.note, row);
  if (changed("seenBy", "faces")) showReaders(made.readers, services.store.state, row.seenBy);
}
