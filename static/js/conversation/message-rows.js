/** What stands in the messages column, from top to bottom. Pure: the state in, a list of rows out.
 *
 * Rows are plain objects with a `kind` and a `key`; two rows with the same fields look the same, so only rows
 * whose fields have changed are touched in the document.
 */
import { readersAt } from "./reader-faces.js";
import { isDeleted } from "../model/message.js";
import { chatTitle, isDirect, nameOf, readersOf } from "../model/state.js";
import { mentionsMe, mentionsOf, userNamed } from "../text/mentions.js";
import { dayKey, dayLabel } from "../ui/time.js";

export const GROUP_MS = 5 * 60_000;

const together = (a, b) => a && b && a.senderId === b.senderId && Math.abs(Date.parse(b.createdAt) - Date.parse(a.createdAt)) <= GROUP_MS;

function top(state, chat, timeline) {
  if (timeline.error === "older") return { kind: "error", key: "top" };
  if (!timeline.atStart) return { kind: "more", key: "more" };
  return { kind: "start", key: "start", chat, title: chatTitle(state, chat), empty: timeline.items.length === 0 };
}

/** The display names of the people whom a message mentions. It is a field of the row, so that the row is drawn again when a name becomes known or changes. */
const named = (state, message) => mentionsOf(message).map((name) => userNamed(state, name)?.displayName ?? "").join("\n");

/** Why a message of the outbox has not gone out: `error` is the server's refusal; `until` says when it is sent again after a 429. */
function trouble(state, item) {
  if (item?.status !== "failed") return { error: null, waits: false, until: null };
  const connected = state.connection.phase === "live" || state.connection.phase === "polling";
  const { temporary, message, until } = item.error ?? {};
  return { error: temporary ? null : message ?? null, waits: Boolean(temporary) && !connected, until: (temporary && until) || null };
}

const faces = (state, seenBy) => ({ seenBy, faces: seenBy && seenBy.split(",", 4).map((id) => nameOf(state, id)).join("\n") });

function receipt(message, readers) {
  const count = readers.count(message.seq);
  return { read: count, of: readers.total, receipt: count === 0 ? "stored" : count < readers.total ? "partly" : "read" };
}

/** The messages of the server, then those that are still in the outbox. */
function entries(state, chat, timeline) {
  const stored = timeline.items.map((message) => ({ message, item: null }));
  if (!timeline.atEnd) return stored;
  const waiting = state.outbox.filter((item) => item.chatId === chat.id && !item.storedAs);
  return [...stored, ...waiting.map((item) => ({ item, message: { id: null, content: item.content, senderId: state.me.id, createdAt: item.createdAt } }))];
}

/** The divider's message, if the window reaches back to where it stands. */
function firstUnread(state, chat, timeline) {
  const divider = state.dividers[chat.id];
  if (!divider || !(timeline.atStart || timeline.items[0]?.seq < divider.seq)) return null;
  return timeline.items.find((message) => message.seq >= divider.seq && message.senderId !== state.me.id && !isDeleted(message));
}

export function rowsOf(state, now = new Date()) {
  const chat = state.chats[state.open.chatId];
  const timeline = state.timelines[state.open.chatId];
  if (!chat || !timeline?.loaded) return [{ kind: timeline?.error ? "failed" : "loading", key: "loading", error: timeline?.error ?? null }];

  const rows = [top(state, chat, timeline)];
  const readers = readersOf(state, chat);
  const all = entries(state, chat, timeline);
  const unreadFrom = firstUnread(state, chat, timeline);
  const seenBy = readersAt(state, chat, timeline);
  let day = null;
  all.forEach(({ message, item }, index) => {
    const before = all[index - 1]?.message;
    const after = all[index + 1]?.message;
    const newDay = !before || dayKey(before.createdAt) !== dayKey(message.createdAt);
    const unread = message === unreadFrom;
    if (newDay) {
      day = dayLabel(message.createdAt, now);
      rows.push({ kind: "day", key: `day ${dayKey(message.createdAt)} ${rows.length === 1}`, label: day });
    }
    if (unread) rows.push({ kind: "divider", key: "divider" });
    const own = message.senderId === state.me.id;
    rows.push({
      kind: "message",
      key: item?.key ?? state.aliases[message.id] ?? message.id,
      message,
      own,
      author: nameOf(state, message.senderId),
      group: !isDirect(chat),
      first: newDay || unread || !together(before, message),
      last: !together(message, after) || (after && dayKey(after.createdAt) !== dayKey(message.createdAt)),
      status: item?.status ?? "stored",
      ...trouble(state, item),
      day,
      mentioned: !item && mentionsMe(state, message),
      named: named(state, message),
      ...faces(state, seenBy.get(message.id) ?? ""),
      editing: state.editing !== null && state.editing === message.id,
      marked: message.id !== null && state.open.messageId === message.id,
      ...(own && !item && !isDeleted(message) ? receipt(message, readers) : { read: 0, of: 0, receipt: null }),
    });
  });
  if (timeline.loading === "newer") rows.push({ kind: "more", key: "newer" });
  if (timeline.error === "newer") rows.push({ kind: "error", key: "bottom" });
  return rows;
}
