/** The latest events, and of the chosen one every step with its time: what the lanes draw, as text. */
import { describe, reached, span, summary, titleOf } from "./event-timeline.js";
import { fill, h, keyed, setText } from "../ui/dom.js";
import { fullTime } from "../ui/time.js";

const SHOWN = 60;
const REFRESH_MS = 400;
const CLOCK = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });
export const clock = (at) => CLOCK.format(new Date(at));

/** `nameOf(chatId)` is the chat's name where the viewer is in it, else null. */
export function mountList({ model, nameOf, selected, select }) {
  const list = document.querySelector("#ways");
  const detail = document.querySelector("#way");
  const empty = document.querySelector("#activity-empty");
  const side = document.querySelector("#activity-side");
  let shown = "";

  const chatName = (timeline) => nameOf(timeline.chatId) ?? `Chat ${timeline.chatId.slice(0, 8)}`;

  function row() {
    const parts = { title: h("span", { class: "timeline-title" }), chat: h("span", { class: "timeline-chat" }), facts: h("span", { class: "timeline-facts" }), at: h("time", { class: "timeline-at" }) };
    const button = h("button", { type: "button", class: "timeline-row" }, parts.title, parts.at, parts.chat, parts.facts);
    return Object.assign(h("li", {}, button), { parts, button });
  }

  function update(element, { timeline, current, facts }) {
    const { title, chat, at } = element.parts;
    setText(title, titleOf(timeline));
    setText(chat, chatName(timeline));
    setText(at, clock(timeline.at));
    at.setAttribute("datetime", new Date(timeline.at).toISOString());
    setText(element.parts.facts, reached(facts, false));
    element.button.classList.toggle("is-repaired", facts.repaired);
    element.button.setAttribute("aria-pressed", String(current));
    element.button.dataset.way = timeline.key;
    element.button.onclick = () => select(current ? null : timeline);
  }

  function showList() {
    const timelines = [...model.timelines.values()].slice(-SHOWN).reverse();
    const items = timelines.map((timeline) => ({ timeline, current: timeline === selected(), facts: summary(timeline), name: chatName(timeline) }));
    keyed(list, items, {
      key: ({ timeline }) => timeline.key, create: row, update,
      same: (a, b) => a.current === b.current && a.name === b.name && JSON.stringify(a.facts) === JSON.stringify(b.facts),
    });
    empty.hidden = timelines.length > 0;
    side.classList.toggle("is-empty", timelines.length === 0);
  }

  function showDetail() {
    const timeline = selected();
    detail.hidden = !timeline;
    const steps = timeline ? describe(timeline, model.timelines.values()) : [];
    const next = timeline ? JSON.stringify([timeline.key, chatName(timeline), steps]) : "";
    if (next === shown) return;
    const another = !shown || !next || JSON.parse(shown)[0] !== timeline.key;
    shown = next;
    if (!timeline) return;
    const longest = Math.max(1, ...steps.filter((one) => one.step !== "read").map((one) => one.after));
    const rows = steps.map(({ step, text, at, after, repair }) => {
      const mark = h("span", { class: "step-mark", "aria-hidden": "true" });
      mark.style.setProperty("--part", String(Math.min(1, after / longest)));
      return h("li", { class: `step${repair ? " is-repair" : ""}${step === "read" ? " is-read" : ""}`, data: { step } },
        h("span", { class: "step-text" }, text), h("time", { class: "step-after", datetime: new Date(at).toISOString(), title: fullTime(at) }, after ? `+${span(after)}` : clock(at)), mark);
    });
    const facts = summary(timeline);
    const close = h("button", { type: "button", class: "link-button", on: { click: () => select(null) } }, "Close");
    fill(detail,
      h("header", { class: "timeline-header" }, h("h2", { tabindex: "-1", id: "timeline-heading" }, titleOf(timeline)), close),
      h("p", { class: "timeline-sub" }, `${chatName(timeline)} · ${clock(timeline.at)}`),
      h("p", { class: "timeline-sum" }, reached(facts, true)),
      h("ol", { class: "steps", "aria-label": "Its timeline" }, rows));
    if (another) detail.scrollTop = 0;
  }

  function refresh() {
    showList();
    showDetail();
  }
  setInterval(refresh, REFRESH_MS);

  return {
    refresh,
    /** Brings the chosen timeline into view and tells it to a screen reader. */
    reveal() {
      refresh();
      document.querySelector("#timeline-heading")?.focus({ preventScroll: true });
      detail.scrollIntoView({ block: "nearest" });
    },
  };
}
