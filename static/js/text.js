/** A message's text as nodes: links become links, everything else stays text. */
import { h } from "./dom.js";

const LINK = /https?:\/\/[^\s<>"']+/g;
const TRAILING = /[.,;:!?)\]}»”’]+$/;

/** Splits `text` into `{text}` and `{text, href}` parts. Pure. */
export function parts(text) {
  const found = [];
  let last = 0;
  for (const match of text.matchAll(LINK)) {
    let href = match[0].replace(TRAILING, "");
    if (match[0].slice(href.length).startsWith(")") && href.includes("(")) href += ")";
    if (!URL.canParse(href)) continue;
    if (match.index > last) found.push({ text: text.slice(last, match.index) });
    found.push({ text: href, href });
    last = match.index + href.length;
  }
  if (last < text.length) found.push({ text: text.slice(last) });
  return found;
}

export function richText(text) {
  return parts(text).map((part) => (part.href ? h("a", { href: part.href, target: "_blank", rel: "noopener noreferrer" }, part.text) : part.text));
}

/** One line for lists and toasts. */
export const oneLine = (text) => text.replace(/\s+/g, " ").trim();
/** How long the server counts a text: in characters, not in UTF-16 units. */
export const length = (text) => [...text].length;
