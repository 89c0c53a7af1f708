/** The counters: what went wrong on the way, what was repaired, and what of it reached this page. */
import { clock } from "./event-list.js";
import { h, setText } from "../ui/dom.js";
import { plural } from "../ui/time.js";

const REFRESH_MS = 400;
const TILES = [
  ["lost", "Lost by Redis", "Redis did not take it"],
  ["doubled", "Doubled", "heard again and dropped"],
  ["reordered", "Out of order", "heard after a later one"],
  ["repaired", "Repaired", "read from PostgreSQL"],
];

/** What the page says about its own stream. Pure. */
export function verdict({ witness, phase, comparedAt }) {
  const { received, replayed, lost, doubled, behind } = witness;
  const wrong = lost + doubled;
  const count = `${plural(received, "event")} received${replayed ? `, ${replayed} of them after a reconnection` : ""}`;
  if (phase !== "live" && phase !== "polling") return { tone: "waiting", title: "Reconnecting…", text: `${count}. What is missed meanwhile is fetched.` };
  if (wrong) return { tone: "bad", title: `${lost} lost, ${doubled} doubled`, text: `${count}.` };
  if (behind) return { tone: "waiting", title: `${plural(behind, "event")} on the way`, text: `${count}.` };
  const compared = comparedAt ? ` Compared with PostgreSQL at ${clock(comparedAt)}.` : "";
  return { tone: "good", title: "Nothing lost, nothing doubled", text: `${count}, all in order.${compared}` };
}

export function mountChecks({ model }) {
  const tiles = document.querySelector("#counts");
  const box = document.querySelector("#verdict");
  const numbers = {};
  for (const [name, label, hint] of TILES) {
    numbers[name] = h("dd", { data: { count: name } }, "0");
    tiles.append(h("div", { class: "tile", title: hint, data: { tile: name } }, h("dt", {}, label), numbers[name]));
  }
  const title = h("p", { class: "verdict-title" });
  const text = h("p", { class: "verdict-text" });
  box.append(h("span", { class: "verdict-mark", "aria-hidden": "true" }), h("div", {}, title, text));
  let told = null;

  function refresh() {
    const counts = model.counts();
    for (const [name] of TILES) {
      setText(numbers[name], String(counts[name]));
      numbers[name].parentElement.classList.toggle("is-counting", counts[name] > 0);
    }
    if (!told) return;
    const said = verdict(told);
    box.dataset.tone = said.tone;
    setText(title, said.title);
    setText(text, said.text);
    Object.assign(box.dataset, { received: told.witness.received, lost: told.witness.lost, doubled: told.witness.doubled });
  }
  setInterval(refresh, REFRESH_MS);
  return { tell: (next) => (told = next) };
}
