/** Small faces at the message up to which each participant has read. */
import { isDeleted } from "../model/message.js";
import { nameOf } from "../model/state.js";
import { userAvatar } from "../ui/avatar.js";
import { fill, h } from "../ui/dom.js";
import { plural } from "../ui/time.js";

const FACES = 4;

/** `messageId → "userId,userId"`, the latest readers first. Nobody is shown at their own message. Pure. */
export function readersAt(state, chat, timeline) {
  const { items, atEnd } = timeline;
  const found = new Map();
  if (!items.length) return found;
  const marks = state.watermarks[chat.id] ?? {};
  const newest = items.at(-1).seq;
  const readers = chat.participantIds.filter((id) => id !== state.me.id && marks[id]?.seq >= items[0].seq && (atEnd || marks[id].seq <= newest));
  readers.sort((a, b) => ((marks[a].readAt ?? "") < (marks[b].readAt ?? "") ? 1 : -1));
  for (const id of readers) {
    let [low, high] = [0, items.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (items[middle].seq <= marks[id].seq) low = middle + 1;
      else high = middle;
    }
    const message = items[low - 1];
    if (message.senderId === id || isDeleted(message)) continue;
    found.set(message.id, found.has(message.id) ? `${found.get(message.id)},${id}` : id);
  }
  return found;
}

/** Puts the faces of `seenBy` into `place`, which stays empty where nobody has stopped. */
export function showReaders(place, state, seenBy) {
  if (!seenBy) return fill(place);
  const ids = seenBy.split(",");
  const faces = ids.slice(0, FACES);
  const names = faces.map((id) => nameOf(state, id) ?? "…");
  if (ids.length > FACES) names.push(plural(ids.length - FACES, "other"));
  const said = `Read up to here by ${names.length > 1 ? `${names.slice(0, -1).join(", ")} and ${names.at(-1)}` : names[0]}`;
  fill(place, h("button", { type: "button", class: "readers", tabindex: "-1", title: said, "aria-label": `${said}. Show who and when`, data: { action: "reads" } },
    faces.map((id) => userAvatar(state, id, "avatar-tiny")), ids.length > FACES ? h("span", { class: "readers-more" }, `+${ids.length - FACES}`) : null));
}
