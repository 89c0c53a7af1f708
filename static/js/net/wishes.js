/** What a hello asks for beyond its cursors, as far as the instances understand it. Pure.
 *
 * An instance of the first release refuses a hello that asks for what it does not know. The next hello then leaves that wish out,
 * and only that one: whoever answers it, later ones ask for everything again. An instance that says its `channels` in `welcome`
 * ignores what it does not know, so one that was asked for less is worth asking again in full.
 */
export class Wishes {
  #all;
  #leftOut = new Set();

  /** `all`: fields of `hello`, each of which the protocol lets a client leave out. */
  constructor(all) {
    this.#all = all;
  }

  /** The fields of the next hello. */
  get asked() {
    return Object.fromEntries(Object.entries(this.#all).filter(([name]) => !this.#leftOut.has(name)));
  }

  /** A hello was refused because of `field`, null where the instance named none. Answers whether the next one asks for less. */
  refused(field) {
    const asked = Object.keys(this.asked);
    for (const name of asked.includes(field) ? [field] : asked) this.#leftOut.add(name);
    return asked.length > 0;
  }

  /** A hello was answered by this `welcome`. Answers whether the same instance would take more. */
  granted({ channels }) {
    const less = this.#leftOut.size > 0;
    this.#leftOut.clear();
    return less && Boolean(channels);
  }

  /** The next hello asks for everything. */
  restore() {
    this.#leftOut.clear();
  }
}
