/** Keeps the reader's place in the messages column while rows are added and removed above and below. */
const NEAR = 48;

export class Scroll {
  /** `moved()` is called after every movement, by the reader or by us. */
  constructor(log, list, moved) {
    Object.assign(this, { log, list, moved, stuck: true });
    log.addEventListener("scroll", () => this.#look(), { passive: true });
    const resized = new ResizeObserver(() => this.stuck && this.toBottom());
    for (const element of [log, list]) resized.observe(element);
  }

  #look() {
    const resized = this.height !== this.log.clientHeight;
    this.height = this.log.clientHeight;
    if (resized && this.stuck) this.log.scrollTop = this.log.scrollHeight; // the column was resized; the reader did not scroll
    this.stuck = this.log.scrollHeight - this.log.scrollTop - this.log.clientHeight < NEAR;
    this.moved();
  }

  toBottom() {
    this.stuck = true;
    this.log.scrollTop = this.log.scrollHeight;
    this.moved();
  }

  /** Brings a row into view, `part` of the column's height from its top. */
  to(row, part) {
    this.log.scrollTop = row.offsetTop - this.log.clientHeight * part;
    this.#look();
  }

  /** Runs `change` while what the reader looks at stays in its place, and a reader at the bottom stays at the bottom. */
  hold(change) {
    const anchor = this.stuck ? null : this.#anchor();
    const before = anchor?.getBoundingClientRect().top;
    change();
    if (this.stuck) this.log.scrollTop = this.log.scrollHeight;
    else if (anchor?.isConnected) this.log.scrollTop += anchor.getBoundingClientRect().top - before;
    this.#look();
  }

  /** How many rows begin, or with `whole` end, above `edge` (px from the top of all). */
  #above(edge, whole) {
    const rows = this.list.children;
    let [low, high] = [0, rows.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (rows[middle].offsetTop + (whole ? rows[middle].offsetHeight : 0) <= edge) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** The topmost row that is in view. */
  topmost() {
    return this.list.children[this.#above(this.log.scrollTop, true)] ?? null;
  }

  /** The same, preferring a message, since other rows come and go. */
  #anchor() {
    const top = this.topmost();
    for (let row = top; row; row = row.nextElementSibling) if (row.dataset.key) return row;
    return top;
  }

  /** The last row that is `wanted` and whose beginning is in view. */
  lastInView(wanted) {
    let row = this.list.children[this.#above(this.log.scrollTop + this.log.clientHeight - 8, false) - 1] ?? null;
    while (row && !wanted(row)) row = row.previousElementSibling;
    return row;
  }
}
