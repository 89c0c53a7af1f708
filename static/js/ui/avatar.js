/** Round initials for people, square ones for groups; the colour is derived from the id. */
import { chatTitle, isDirect, nameOf, otherOf } from "../model/state.js";
import { h } from "./dom.js";

const COLOURS = 8;

export function initials(name) {
  const words = name.trim().split(/\s+/);
  const first = [...words[0]][0] ?? "?";
  const last = words.length > 1 ? [...words.at(-1)][0] : "";
  return (first + last).toLocaleUpperCase("en");
}

export function colourOf(id) {
  let sum = 0;
  for (const letter of id) sum = (sum * 31 + letter.codePointAt(0)) >>> 0;
  return sum % COLOURS;
}

function avatar(id, name, extra) {
  if (name === null) return h("span", { class: `avatar skeleton ${extra}`, "aria-hidden": "true" });
  return h("span", { class: `avatar avatar-${colourOf(id)} ${extra}`, "aria-hidden": "true" }, initials(name));
}

export const userAvatar = (state, userId, extra = "") => avatar(userId, nameOf(state, userId), extra);

export function chatAvatar(state, chat, extra = "") {
  if (isDirect(chat)) return userAvatar(state, otherOf(state, chat), extra);
  return avatar(chat.id, chatTitle(state, chat), `avatar-group ${extra}`);
}
