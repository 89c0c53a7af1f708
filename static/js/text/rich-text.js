/** A message's text as elements, made of text nodes only; and small functions on texts. */
import { parse } from "./markdown.js";
import { h } from "../ui/dom.js";

/** `personOf(username)` → `{displayName, me}` where that is somebody in the chat, else null, and `@username` stays text. */
export function inlineNodes(nodes, personOf) {
  return nodes.map((node) => {
    if (typeof node === "string") return node;
    switch (node.type) {
      case "code": return h("code", {}, node.text);
      case "link": return h("a", { href: node.href, target: "_blank", rel: "noopener noreferrer", dir: "ltr" }, node.text);
      case "mention": {
        const person = personOf(node.name);
        return person ? h("span", { class: "mention", title: person.displayName, data: { mention: node.name, ...(person.me && { me: "" }) } }, node.text) : node.text;
      }
      default: return h(node.type === "strong" ? "strong" : "em", {}, inlineNodes(node.children, personOf));
    }
  });
}

function blockNode(block, personOf) {
  switch (block.type) {
    case "fence": return h("pre", { dir: "ltr", tabindex: "0", data: { language: block.language ?? "" } }, h("code", {}, block.text));
    case "quote": return h("blockquote", {}, block.children.map((child) => blockNode(child, personOf)));
    case "list": return h(block.ordered ? "ol" : "ul", { start: block.start !== 1 ? block.start : null },
      block.items.map((item) => h("li", { dir: "auto" }, item.map((child) => blockNode(child, personOf)))));
    default: return h("p", { dir: "auto" }, inlineNodes(block.children, personOf));
  }
}

/** A single paragraph has no element of its own, so that the time can follow its last line; several become blocks. */
export function richText(text, personOf = () => null) {
  const blocks = parse(text);
  if (blocks.length === 1 && blocks[0].type === "paragraph") return inlineNodes(blocks[0].children, personOf);
  return blocks.map((block) => blockNode(block, personOf));
}

const EMOJI = /^(?:\p{Extended_Pictographic}(?:\uFE0F|\p{Emoji_Modifier})?(?:\u200D\p{Extended_Pictographic}(?:\uFE0F|\p{Emoji_Modifier})?)*|\p{Regional_Indicator}{2}){1,3}$/u;

/** One to three emoji and nothing else: shown large. */
export const isEmoji = (text) => text.length <= 40 && EMOJI.test(text.replace(/\s/g, ""));

/** One line for drafts and the like, as they were written; for messages see `plain` in markdown.js. */
export const oneLine = (text) => text.replace(/\s+/g, " ").trim();

/** A text of at most `most` characters: one that is longer ends with an ellipsis. */
export const cut = (text, most) => (length(text) > most ? `${[...text].slice(0, most - 1).join("").trimEnd()}…` : text);

/** The length of a text as the server counts it: in characters, not in UTF-16 units. */
export const length = (text) => [...text].length;
