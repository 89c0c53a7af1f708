/** A card for each instance: how many sockets, its two Redis connections, how long ago its canary was heard and its heads were compared. */
import { clock } from "./event-list.js";
import { h, keyed, setText } from "../ui/dom.js";

const REFRESH_MS = 500;
const ago = (at, now) => (at === null ? "never" : `${Math.max(0, (now - Date.parse(at)) / 1000).toFixed(1)} s`);
const LINKS = { connected: "up", connecting: "down", reconnecting: "down" };

/** Pure: `{name, state, note, sockets, facts: [{name, text, ok}]}` of one instance. */
export function cardOf({ name, report, heardAt }, { silent, here, now, serverNow }) {
  const since = `no word since ${clock(heardAt)}`;
  if (!report) return { name, state: silent ? "silent" : "live", note: silent ? since : "", here, facts: [] };
  const links = [report.publisher, report.subscriber].map((link) => LINKS[link.state]);
  const troubled = report.canary.state !== "heard" || links.includes("down");
  const state = silent ? "silent" : report.draining ? "draining" : troubled ? "degraded" : "live";
  const note = { silent: since, draining: "about to stop", degraded: "no Redis", live: "" }[state];
  return {
    name, state, note, here,
    facts: [
      { name: "Sockets", text: String(report.sockets), ok: true },
      { name: "Publisher", text: links[0], ok: links[0] === "up" },
      { name: "Subscriber", text: links[1], ok: links[1] === "up" },
      { name: "Canary", text: report.canary.state === "heard" ? ago(report.canary.heardAt, serverNow) : "missing", ok: report.canary.state === "heard" },
      { name: "Heads", text: report.behind ? `${report.behind} behind` : ago(report.heads.checkedAt, serverNow), ok: !report.behind },
      { name: "Loop lag", text: `${report.lagMs.toFixed(1)} ms`, ok: report.lagMs < 100 },
    ],
  };
}

/** `kill(name)` where this is a demonstration, else null. */
export function mountCards({ model, kill }) {
  const cards = document.querySelector("#instances");

  function create(card) {
    const parts = { note: h("span", { class: "card-note" }), facts: h("dl", { class: "card-facts" }) };
    const ours = card.here ? h("span", { class: "tag" }, "here") : null;
    const end = kill && h("button", { type: "button", class: "button button-small card-kill", data: { kill: card.name }, on: { click: () => kill(card.name) } }, "Kill");
    const head = h("div", { class: "card-head" }, h("span", { class: "card-dot", "aria-hidden": "true" }), h("h3", {}, card.name), ours, parts.note, end);
    const element = h("li", { class: "card", data: { instance: card.name } }, head, parts.facts);
    return Object.assign(element, { parts });
  }

  function update(element, { state, note, facts }) {
    element.dataset.state = state;
    setText(element.parts.note, note || { live: "live" }[state] || state);
    keyed(element.parts.facts, facts, {
      key: ({ name }) => name,
      create: ({ name }) => h("div", { data: { fact: name } }, h("dt", {}, name), h("dd", {})),
      update: (row, { text, ok }) => {
        row.classList.toggle("is-bad", !ok);
        setText(row.lastChild, text);
      },
      same: (a, b) => a.text === b.text && a.ok === b.ok,
    });
  }

  function refresh() {
    const now = Date.now();
    const items = model.names().map((name) => cardOf(model.instances.get(name),
      { silent: model.isSilent(name, now), here: name === model.instance, now, serverNow: model.serverTime(now) }));
    if (items.length) keyed(cards, items, { key: ({ name, here }) => `${name}/${here}`, create, update, same: () => false });
  }
  setInterval(refresh, REFRESH_MS);
  return { refresh };
}
