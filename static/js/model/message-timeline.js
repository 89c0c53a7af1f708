/** The loaded window of one chat's messages, sorted by seq. Pure; knows neither the stream nor HTTP.
 *
 * A window may end before the chat's newest message (`atEnd` false) or begin after its first (`atStart` false).
 * While a page is under way, what the stream says about messages that are not loaded is kept in `late`, and is
 * applied to the page when it arrives: it may have been read before the event happened.
 */
import { isDeleted, readMessage, tombstone } from "./message.js";

export const PAGE = 50;
export const MOST = 300;

/** An empty window. `gen` distinguishes answers to this window from answers to an earlier one of the same chat. */
export function newTimeline(gen, atEnd = true) {
  return { gen, items: [], atStart: false, atEnd, loading: null, error: null, loaded: false, asOf: 0, late: {}, newer: 0 };
}

/** The later of two versions of a message. With `live`, equal times mean that `incoming` is the later one. */
export function fresher(known, incoming, live = false) {
  if (!known || isDeleted(known)) return known ?? incoming;
  const seq = known.seq ?? incoming.seq;
  if (isDeleted(incoming)) return { ...tombstone(known, incoming.deletedAt), seq };
  const [before, after] = [known.editedAt ?? "", incoming.editedAt ?? ""];
  const later = after > before || (live && after === before && incoming.content !== known.content);
  return later ? { ...incoming, seq } : known;
}

const lastSeq = (timeline) => timeline.items.at(-1)?.seq ?? 0;
const keepLate = (timeline, id, what) => (timeline.loading ? { ...timeline, late: { ...timeline.late, [id]: what } } : timeline);

function replaceAt(timeline, index, message) {
  if (timeline.items[index] === message) return timeline;
  const items = timeline.items.slice();
  items[index] = message;
  return { ...timeline, items };
}

/** A new message of the stream; not appended to a window that does not reach the newest one. */
export function add(timeline, message) {
  const index = timeline.items.findIndex((item) => item.id === message.id);
  if (index >= 0) return replaceAt(timeline, index, fresher(timeline.items[index], message));
  const beyond = message.seq > lastSeq(timeline);
  if (beyond && !timeline.atEnd) return keepLate({ ...timeline, newer: timeline.newer + 1 }, message.id, { added: message });
  if (!beyond && timeline.loaded && !timeline.atStart && message.seq < timeline.items[0].seq) return timeline;
  const items = timeline.items.slice();
  let at = items.length;
  while (at > 0 && items[at - 1].seq > message.seq) at -= 1;
  items.splice(at, 0, message);
  return { ...timeline, items };
}

/** An edit, from the stream or as the answer to one's own. */
export function amend(timeline, message) {
  const index = timeline.items.findIndex((item) => item.id === message.id);
  if (index < 0) return keepLate(timeline, message.id, { ...timeline.late[message.id], edited: message });
  return replaceAt(timeline, index, fresher(timeline.items[index], message, true));
}

export function erase(timeline, id) {
  const index = timeline.items.findIndex((item) => item.id === id);
  if (index < 0) return keepLate(timeline, id, { ...timeline.late[id], deleted: true });
  return isDeleted(timeline.items[index]) ? timeline : replaceAt(timeline, index, tombstone(timeline.items[index]));
}

function withLate(message, late) {
  if (!late) return message;
  if (late.deleted) return tombstone(message);
  return late.edited ? fresher(message, late.edited, true) : message;
}

/** A page `{items, next}` of HTTP: `kind` is `newest`, `around`, `older` or `newer`; `asOf` a seq that the page is known to include. */
export function mergePage(timeline, kind, page, asOf = 0) {
  const known = new Map(timeline.items.map((message) => [message.id, message]));
  for (const message of page.items.map((item) => readMessage(item))) known.set(message.id, withLate(fresher(known.get(message.id), message), timeline.late[message.id]));
  const reachesEnd = kind === "newest" || (kind === "newer" && page.next === null);
  if (reachesEnd) {
    for (const [id, late] of Object.entries(timeline.late)) {
      if (late.added && !known.has(id)) known.set(id, withLate(late.added, late));
    }
  }
  const reachesStart = (kind === "newest" || kind === "older") && page.next === null;
  return {
    ...timeline,
    items: [...known.values()].sort((a, b) => a.seq - b.seq),
    atStart: reachesStart || timeline.atStart,
    atEnd: reachesEnd || (kind !== "around" && timeline.atEnd),
    newer: reachesEnd ? 0 : timeline.newer,
    asOf: Math.max(timeline.asOf, asOf, kind === "newest" ? page.items.at(-1)?.seq ?? 0 : 0),
    loading: null,
    error: null,
    loaded: true,
    late: {},
  };
}

/** Drops the messages beyond `most` from one end, `"start"` (the oldest) or `"end"`, unless a page that adjoins that end is under way. */
export function trim(timeline, end, most = MOST) {
  const { items, loading } = timeline;
  const free = !loading || loading === (end === "start" ? "newer" : "older");
  if (items.length <= most || !free) return timeline;
  if (end === "start") return { ...timeline, items: items.slice(-most), atStart: false };
  return { ...timeline, items: items.slice(0, most), atEnd: false };
}
