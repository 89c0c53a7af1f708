/** The beginning of a reply: author and text of a message as a Markdown quote. Pure. */
const MOST_LINES = 4;
const MOST_CHARS = 280;

/** `> **Ann**\n> what she said\n\n`; what she quoted herself is left out. */
export function quoteOf(author, content) {
  const said = content.split(/\r\n?|\n/).filter((line) => !/^ {0,3}>/.test(line)).join("\n").trim();
  const all = (said || content.trim()).split("\n");
  let text = all.slice(0, MOST_LINES).join("\n");
  const letters = [...text];
  if (letters.length > MOST_CHARS) text = letters.slice(0, MOST_CHARS).join("").trimEnd();
  if (all.length > MOST_LINES || letters.length > MOST_CHARS) text += " …";
  const open = (text.match(/^ {0,3}```/gm) ?? []).length % 2 ? `${text}\n\`\`\`` : text;
  return `${[`**${author}**`, ...open.split("\n")].map((line) => (line.trim() ? `> ${line}` : ">")).join("\n")}\n\n`;
}
