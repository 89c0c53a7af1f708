/** Finding and choosing people: a search field, what was found, and the chosen ones as chips. */
import { isOnline } from "../model/presence.js";
import { nameOf } from "../model/state.js";
import { query } from "../net/api.js";
import { userAvatar } from "../ui/avatar.js";
import { fill, h } from "../ui/dom.js";
import { icon } from "../ui/icons.js";
import { withDot } from "../ui/online-dot.js";

const PAUSE_MS = 200;
let number = 0;

/** `exclude`: ids that are not offered. `many`: people are collected; otherwise choosing one calls `chosen(id)` at once. */
export function peoplePicker({ store, api, users }, { exclude = [], many = () => true, chosen = () => {}, changed = () => {} }) {
  const picked = [];
  let found = null;
  let problem = false;
  let asked = 0;
  let timer = null;

  const id = `people-found-${++number}`;
  const field = h("input", { type: "search", class: "people-search", placeholder: "Search people", "aria-label": "Search people", "aria-controls": id, autocomplete: "off", spellcheck: "false", autofocus: true });
  const chips = h("ul", { class: "chips", "aria-label": "Chosen" });
  const list = h("ul", { class: "people", id });
  const note = h("p", { class: "people-note", role: "status" });

  function toggle(userId) {
    if (!many()) return chosen(userId);
    const index = picked.indexOf(userId);
    if (index >= 0) picked.splice(index, 1);
    else picked.push(userId);
    render();
    changed(picked);
  }

  function row(user) {
    const on = many() && picked.includes(user.id);
    return h("li", {}, h("button", { type: "button", class: "person person-button", "aria-pressed": many() ? String(on) : null, data: { userId: user.id }, on: { click: () => toggle(user.id) } },
      withDot(userAvatar(store.state, user.id), isOnline(store.state, user.id)),
      h("span", { class: "person-name" }, user.displayName, h("span", { class: "person-username" }, `@${user.username}`)),
      on ? icon("check") : null));
  }

  function render() {
    chips.hidden = picked.length === 0 || !many();
    fill(chips, picked.map((userId) => h("li", {}, h("button", { type: "button", class: "chip", "aria-label": `Remove ${nameOf(store.state, userId)}`, on: { click: () => toggle(userId) } },
      h("span", { class: "chip-name", dir: "auto" }, nameOf(store.state, userId)), icon("close")))));
    const focused = list.contains(document.activeElement) ? document.activeElement.dataset.userId : null;
    const shown = found?.filter((user) => !exclude.includes(user.id));
    if (shown) fill(list, shown.map(row));
    else fill(list, [6, 5, 7, 6].map((width) => h("li", { class: "person", "aria-hidden": "true" }, h("span", { class: "avatar skeleton" }), h("span", { class: `skeleton skeleton-line w${width}` }))));
    if (focused) list.querySelector(`[data-user-id="${focused}"]`)?.focus();
    note.textContent = problem ? "The people could not be loaded. Try again in a moment." : shown?.length === 0 ? (field.value ? "Nobody of that name." : "Nobody else is here yet.") : "";
  }

  async function search() {
    const turn = ++asked;
    try {
      const page = await api.get(query("/api/users", { q: field.value.trim(), limit: 30 }));
      if (turn !== asked) return;
      [found, problem] = [page.items, false];
      users.take(found);
    } catch {
      if (turn !== asked) return;
      [found, problem] = [found ?? [], true];
    }
    render();
  }

  field.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(search, PAUSE_MS);
  });
  field.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && !event.isComposing) {
      event.preventDefault();
      list.querySelector("button")?.click();
    } else if (event.key === "ArrowDown") {
      event.preventDefault();
      list.querySelector("button")?.focus();
    }
  });
  list.addEventListener("keydown", (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!step) return;
    event.preventDefault();
    const buttons = [...list.querySelectorAll("button")];
    (buttons[buttons.indexOf(document.activeElement) + step] ?? field).focus();
  });
  render();
  search();
  return { element: h("div", { class: "picker" }, field, list, note, chips), picked, render, focus: () => field.focus() };
}
