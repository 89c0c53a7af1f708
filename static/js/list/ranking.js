/** How well a name matches what was typed. Pure. */
const MARKS = /\p{M}+/gu;

/** Without case and accents: “Zoë” matches “zoe”. */
const folded = (text) => text.normalize("NFD").replace(MARKS, "").toLocaleLowerCase();

/** How many other letters stand between the letters of `wanted` where `text` has them in this order; null where it has not. */
function scattered(wanted, text) {
  let [at, gaps] = [-1, 0];
  for (const letter of wanted) {
    const found = text.indexOf(letter, at + 1);
    if (found < 0) return null;
    if (at >= 0) gaps += found - at - 1;
    at = found;
  }
  return gaps;
}

/** The rank of `text` for `query`, smaller is better: the beginning, the beginnings of words, their initials, within, scattered; null for none. */
export function rankOf(query, text) {
  const [wanted, name] = [folded(query).trim(), folded(text)];
  if (!wanted) return 0;
  if (name === wanted) return 0;
  if (name.startsWith(wanted)) return 1;
  const words = name.split(/[\s\p{P}]+/u);
  const begins = (part) => words.some((word) => word.startsWith(part));
  if (begins(wanted)) return 2;
  if (wanted.split(/\s+/).every(begins)) return 3;
  if (words.map((word) => word[0] ?? "").join("").startsWith(wanted)) return 3;
  if (name.includes(wanted)) return 4;
  const gaps = [...wanted].length > 1 ? scattered(wanted, name) : null;
  return gaps === null || gaps > 2 * wanted.length ? null : 5 + gaps / 100;
}

/** The items that match `query`, best first; equal ones keep their order. `texts(item)` are its names. */
export function ranked(query, items, texts) {
  const ranks = items.map((item) => Math.min(...texts(item).map((text) => rankOf(query, text) ?? Infinity)));
  return items.map((item, index) => ({ item, rank: ranks[index] })).filter(({ rank }) => rank < Infinity)
    .sort((a, b) => a.rank - b.rank).map(({ item }) => item);
}
