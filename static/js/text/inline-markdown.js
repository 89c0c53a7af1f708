/** The Markdown within a line: `code`, **bold**, *italic*, links, @mentions. Pure, and linear in the length of the text.
 *
 * `parseInline(text)` → nodes: a string, or `{type: "strong"|"emphasis", children}`, `{type: "code", text}`,
 * `{type: "link", href, text}`, `{type: "mention", name, text}`. Only pairs of markers disappear. There are no
 * escapes, which would eat the arms of ¯\_(ツ)_/¯; a marker after a backslash is not a marker.
 */
const TOKEN = /`+|\*+|_+|@(?=[a-z0-9])|(?:https?:\/\/|mailto:)(?=[^\s<>"'`])/giu;
const LINK = /[^\s<>"'`]*/y;
const NAME = /[a-z0-9][a-z0-9._-]*/iy;
const TRAILING = new Set(".,;:!?)]}»”’*_");
const MAIL = /^mailto:[^@\s]+@[^@\s]+$/i;

// Scripts that put no spaces between words need none around a marker either.
const UNSPACED = /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}\p{Script=Lao}\p{Script=Khmer}\p{Script=Myanmar}]/u;
const LETTER = /[\p{L}\p{N}]/u;

const before = (text, index) => {
  const unit = text.charCodeAt(index - 1);
  return index > 1 && unit >= 0xdc00 && unit <= 0xdfff ? text.slice(index - 2, index) : text.slice(index - 1, index);
};
const after = (text, index) => (index < text.length ? String.fromCodePoint(text.codePointAt(index)) : "");
const isWord = (letter) => LETTER.test(letter) && !UNSPACED.test(letter);
const isGap = (letter) => letter === "" || /\s/.test(letter);

/** The address that `whole` begins with, without the punctuation of the sentence around it; null if there is none. */
function linkIn(whole) {
  let end = whole.length;
  let open = 0;
  for (const letter of whole) open += letter === "(" ? 1 : letter === ")" ? -1 : 0;
  for (; end > 0 && TRAILING.has(whole[end - 1]); end -= 1) {
    if (whole[end - 1] !== ")") continue;
    if (open >= 0) break; // as in https://a.example/b_(c)
    open += 1;
  }
  const href = whole.slice(0, end);
  const good = /^mailto:/i.test(href) ? MAIL.test(href) : URL.canParse(href);
  return good ? { type: "link", href, text: href } : null;
}

/** Where runs of backticks begin, by their length: a run is closed by the next one of the same length. */
function codeRuns(text) {
  const runs = new Map();
  for (const { 0: run, index } of text.matchAll(/`+/g)) {
    if (!runs.has(run.length)) runs.set(run.length, { starts: [], next: 0 });
    runs.get(run.length).starts.push(index);
  }
  return (length, from) => {
    const run = runs.get(length);
    while (run && run.starts[run.next] < from) run.next += 1;
    return run?.starts[run.next];
  };
}

/** Turns runs of `*` and `_` into pairs; a marker that has no partner stays text. Nesting is at most one of each marker deep. */
class Emphasis {
  open = []; // markers that wait for their partners, the innermost last

  read(run, text, index, tokens) {
    const [left, right] = [before(text, index), after(text, index + run.length)];
    const opens = !isGap(right) && !isWord(left) && left !== "\\";
    const closes = !isGap(left) && !isWord(right);
    for (const marker of this.#split(run, closes)) {
      const token = { marker, partner: null };
      tokens.push(token);
      const at = marker.length > 2 ? -1 : this.open.findLastIndex((one) => one.marker === marker);
      if (at >= 0) {
        if (!closes) continue;
        this.open[at].partner = token;
        token.closes = true;
        this.open.length = at;
      } else if (opens && marker.length <= 2) {
        this.open.push(token);
      }
    }
  }

  /** `***` is a `**` and a `*`: when closing, the one that was opened last comes first. */
  #split(run, closes) {
    if (run.length !== 3) return [run];
    const inner = this.open.at(-1)?.marker;
    return closes && inner === run[0] ? [run[0], run.slice(1)] : [run.slice(1), run[0]];
  }
}

function tokensOf(text) {
  const tokens = [];
  const emphasis = new Emphasis();
  const closing = codeRuns(text);
  let last = 0;
  let noLinkBefore = 0; // up to here there is no link; not searched again, which keeps this linear
  const put = (node, from, to) => {
    if (from > last) tokens.push(text.slice(last, from));
    if (node) tokens.push(node);
    last = to;
  };
  TOKEN.lastIndex = 0;
  for (let match; (match = TOKEN.exec(text)); ) {
    const [run] = match;
    const { index } = match;
    if (run[0] === "`") {
      const end = closing(run.length, index + run.length);
      if (end === undefined) continue;
      const inside = text.slice(index + run.length, end);
      const code = /^ .*\S.* $/s.test(inside) ? inside.slice(1, -1) : inside;
      put({ type: "code", text: code }, index, end + run.length);
    } else if (run[0] === "*" || run[0] === "_") {
      put(null, index, index + run.length);
      emphasis.read(run, text, index, tokens);
    } else if (run === "@") {
      NAME.lastIndex = index + 1;
      const name = NAME.exec(text)[0].replace(/[.-]{1,99}$/, "");
      if (!/[\p{L}\p{N}_.@/]/u.test(before(text, index))) put({ type: "mention", name, text: `@${name}` }, index, index + 1 + name.length);
      else continue;
    } else {
      if (index < noLinkBefore || isWord(before(text, index))) continue;
      LINK.lastIndex = index;
      const [whole] = LINK.exec(text);
      const link = linkIn(whole);
      if (!link) {
        noLinkBefore = index + whole.length;
        continue;
      }
      put(link, index, index + link.href.length);
    }
    TOKEN.lastIndex = last;
  }
  put(null, text.length, text.length);
  return tokens;
}

export function parseInline(text) {
  const root = { children: [] };
  const path = [root];
  for (const token of tokensOf(text)) {
    const { children } = path.at(-1);
    if (token.closes) path.pop();
    else if (token.partner) {
      const node = { type: token.marker.length === 2 ? "strong" : "emphasis", children: [] };
      children.push(node);
      path.push(node);
    } else {
      const node = token.marker ?? token;
      if (typeof node === "string" && typeof children.at(-1) === "string") children[children.length - 1] += node;
      else children.push(node);
    }
  }
  return root.children;
}
