/** What is shown of a long message that a search has found: the words around the first match, with every match marked. Pure. */
const BEFORE = 36;
const LENGTH = 240;

/** The text without the most common Markdown markers: nothing is bold or quoted here. */
function bare(content, start, end) {
  const text = content.slice(start, end).replace(/\*\*|`/g, "").replace(/\n[ \t]*>/g, "\n");
  return start === 0 || content[start - 1] === "\n" ? text.replace(/^[ \t]*>[ \t]?/, "") : text;
}

const isLowHalf = (text, index) => index > 0 && index < text.length && /[\uDC00-\uDFFF]/.test(text[index]);

/** `highlights`: `[[start, end], …]` in UTF-16 units. Answers `[{text, marked}]`; what is left out at either end is an ellipsis. */
export function snippetOf(content, highlights) {
  const first = highlights[0]?.[0] ?? 0;
  let from = first <= BEFORE ? 0 : first - BEFORE;
  const space = content.slice(from, first).search(/\s/);
  if (from > 0 && space >= 0) from += space + 1;
  let to = Math.min(content.length, Math.max(from + LENGTH, highlights[0]?.[1] ?? 0));
  if (isLowHalf(content, from)) from += 1;
  if (isLowHalf(content, to)) to -= 1;

  const parts = [];
  const put = (start, end, marked) => {
    const [first, last] = [Math.max(start, from), Math.min(end, to)];
    const text = (marked ? content.slice(first, last) : bare(content, first, last)).replace(/\s+/g, " ");
    if (text) parts.push({ text, marked });
  };
  let last = from;
  for (const [start, end] of highlights) {
    if (start >= to) break;
    put(last, start, false);
    put(start, end, true);
    last = end;
  }
  put(last, to, false);
  if (from > 0) parts.unshift({ text: "…", marked: false });
  if (to < content.length) parts.push({ text: "…", marked: false });
  return parts;
}
