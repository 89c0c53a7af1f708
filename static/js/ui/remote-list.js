/** A list that is fetched when it is shown: skeletons first, then its rows, or what went wrong and a way to try again. */
import { fill, h } from "./dom.js";

/** `fetchItems()` answers the items, `row(item)` an element; `empty` stands there where there are none. Answers `{element, load, show}`. */
export function remoteList({ label, fetchItems, row, empty, skeletons = 2 }) {
  const list = h("ul", { class: "remote-list", "aria-label": label, "aria-busy": "true" });
  const note = h("p", { class: "remote-note", role: "status", hidden: true });
  const skeleton = () => h("li", { class: "remote-row", "aria-hidden": "true" }, h("span", { class: "skeleton remote-icon" }),
    h("span", { class: "remote-text" }, h("span", { class: "skeleton skeleton-line w6" }), h("span", { class: "skeleton skeleton-line w8" })));

  function say(...content) {
    fill(note, ...content);
    note.hidden = content.length === 0;
  }

  function show(items) {
    list.setAttribute("aria-busy", "false");
    fill(list, items.map(row));
    say(...(items.length ? [] : [empty]));
  }

  async function load() {
    if (!list.children.length) fill(list, Array.from({ length: skeletons }, skeleton));
    list.setAttribute("aria-busy", "true");
    say();
    try {
      show(await fetchItems());
    } catch (error) {
      list.setAttribute("aria-busy", "false");
      if (list.querySelector(".skeleton")) fill(list);
      const why = error.status === 0 && !navigator.onLine ? "You are offline." : error.message;
      say(`${label} could not be loaded. ${why} `, h("button", { type: "button", class: "link-button", on: { click: load } }, "Try again"));
    }
  }

  // Away from the screen it is of no use, and a new one is made when it is shown again.
  const online = () => (list.isConnected ? note.hidden || load() : removeEventListener("online", online));
  addEventListener("online", online);
  return { element: h("div", { class: "remote" }, list, note), load, show };
}
