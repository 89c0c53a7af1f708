/** A message's Markdown as a small tree: paragraphs, fences, quotes, lists, and inline-markdown.js within them. Pure; no HTML.
 *
 * `parse(text)` → blocks: `{type: "paragraph", children}`, `{type: "fence", language, text}`, `{type: "quote", children: blocks}`,
 * `{type: "list", ordered, start, items: [blocks, …]}`. Linear in the length of the text: each line is read once a level, and there
 * are at most `DEEPEST` levels. Deeper levels, headings, images, tables and HTML stay plain text.
 */
import { parseInline } from "./inline-markdown.js";

const DEEPEST = 4;
const FENCE = /^ {0,3}(```+|~~~+)([^`]*)$/;
const QUOTE = /^ {0,3}>(?: |$)/; // without the space it may be an emoticon: >_<
const ITEM = /^( {0,3}(?:[-*•]|(\d{1,9})[.)]) {1,3})(?=\S)/;

const indentOf = (line) => line.length - line.trimStart().length;
const isBlank = (line) => line.trim() === "";

function fence(lines, at) {
  const opening = FENCE.exec(lines[at]);
  if (!opening) return null;
  const [, marks, info] = opening;
  const closes = (line) => line.trim().length >= marks.length && line.trim() === marks[0].repeat(line.trim().length);
  let end = at + 1;
  while (end < lines.length && !closes(lines[end])) end += 1;
  const language = /^[\w+#.-]{1,20}$/.exec(info.trim())?.[0] ?? null;
  return [{ type: "fence", language, text: lines.slice(at + 1, end).join("\n") }, end + 1];
}

function quote(lines, at, depth) {
  if (!QUOTE.test(lines[at])) return null;
  let end = at + 1;
  while (end < lines.length && QUOTE.test(lines[end])) end += 1;
  const inside = lines.slice(at, end).map((line) => line.replace(QUOTE, ""));
  return [{ type: "quote", children: blocks(inside, depth + 1) }, end];
}

/** Items one after the other; lines that are indented as far as an item's text belong to it. */
function list(lines, at, depth) {
  const first = ITEM.exec(lines[at]);
  if (!first) return null;
  const ordered = first[2] !== undefined;
  const items = [];
  let end = at;
  for (let item = first; item && (item[2] !== undefined) === ordered; item = end < lines.length && ITEM.exec(lines[end])) {
    const inside = [lines[end].slice(item[0].length)];
    const belongs = (line) => !isBlank(line) && indentOf(line) >= Math.min(item[0].length, 2);
    for (end += 1; end < lines.length && belongs(lines[end]); end += 1) inside.push(lines[end].slice(Math.min(item[0].length, indentOf(lines[end]))));
    items.push(blocks(inside, depth + 1));
  }
  return [{ type: "list", ordered, start: ordered ? Number(first[2]) : null, items }, end];
}

function blocks(lines, depth) {
  const found = [];
  let paragraph = [];
  const finish = () => {
    if (paragraph.length) found.push({ type: "paragraph", children: parseInline(paragraph.join("\n")) });
    paragraph = [];
  };
  for (let at = 0; at < lines.length; ) {
    const block = depth < DEEPEST && (fence(lines, at) ?? quote(lines, at, depth) ?? list(lines, at, depth));
    if (block) {
      finish();
      found.push(block[0]);
      at = block[1];
      continue;
    }
    if (isBlank(lines[at])) finish();
    else paragraph.push(lines[at]);
    at += 1;
  }
  finish();
  return found;
}

export const parse = (text) => blocks(text.split(/\r\n?|\n/), 0);

const inlineText = (nodes) => nodes.map((node) => (typeof node === "string" ? node : node.children ? inlineText(node.children) : node.text)).join("");

function blockText(block) {
  if (block.type === "paragraph") return inlineText(block.children);
  if (block.type === "fence") return block.text;
  return (block.type === "list" ? block.items.flat() : block.children).map(blockText).join(" ");
}

/** The text of a message on one line, for lists and notices. Quotes are left out unless there is nothing else. */
export function plain(text) {
  const all = parse(text);
  const said = all.filter((block) => block.type !== "quote");
  const words = (said.length ? said : all).map(blockText).join(" ").replace(/\s+/g, " ").trim();
  return words || text.replace(/\s+/g, " ").trim();
}
