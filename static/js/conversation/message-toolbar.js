/** The small toolbar beside the message that the pointer or the focus is on, and the keys that walk through the messages. */
import { openMenu } from "./message-menu.js";
import { h } from "../ui/dom.js";
import { icon } from "../ui/icons.js";
import { shortcutOf, SHORTCUTS } from "../ui/shortcuts.js";

export function messageToolbar(log, { actions, messageOf }) {
  const button = (name, label, symbol) => h("button", { type: "button", class: "icon-button", title: label, "aria-label": label, data: { action: name } }, icon(symbol));
  const more = button("more", "More", "more");
  more.setAttribute("aria-haspopup", "menu");
  const bar = h("div", { class: "message-actions", role: "group", "aria-label": "Message" });
  const composer = () => document.querySelector("#composer-text");
  const busy = () => bar.querySelector(":focus-visible") || more.getAttribute("aria-expanded") === "true";

  function place(row) {
    const allowed = actions.of(messageOf(row));
    if (!allowed.length || row.hasAttribute("data-editing")) return bar.remove();
    if (row.contains(bar)) return;
    const shown = allowed.filter(({ inToolbar }) => inToolbar).map((action) => button(action.name, action.label, action.icon));
    bar.replaceChildren(...shown, more);
    row.querySelector(".bubble-line").append(bar);
  }

  const rowOf = (event) => event.target.closest?.(".message");
  // It follows movements of the pointer and not what is under it: rows that shift under a resting pointer must not put another message's toolbar there.
  log.addEventListener("pointermove", (event) => event.pointerType === "mouse" && rowOf(event) && !busy() && place(rowOf(event)));
  log.addEventListener("pointerleave", (event) => event.pointerType === "mouse" && !busy() && bar.remove());
  log.addEventListener("focusin", (event) => rowOf(event) && event.target.matches(":focus-visible") && place(rowOf(event)));
  log.addEventListener("focusout", (event) => !log.contains(event.relatedTarget) && !log.matches(":hover") && bar.remove());
  bar.addEventListener("click", (event) => {
    const pressed = event.target.closest("[data-action]");
    const row = bar.closest(".message");
    if (!pressed || !row) return;
    event.stopPropagation();
    if (pressed === more) openMenu(more, actions, messageOf(row));
    else actions.run(pressed.dataset.action, messageOf(row));
    if (pressed !== more) bar.remove();
  });

  /** Arrow keys walk from message to message; each action may have a key; Enter opens the menu. */
  log.addEventListener("keydown", (event) => {
    if (event.target.closest("textarea, input") || event.altKey || event.ctrlKey || event.metaKey) return;
    const rows = [...log.querySelectorAll(".message")];
    const row = document.activeElement.closest(".message");
    const name = shortcutOf(event, SHORTCUTS.message)?.name ?? actions.pressed(event);
    const step = { older: -1, newer: 1 }[name];
    if (step) {
      const next = row ? rows[rows.indexOf(row) + step] : rows.at(-1);
      if (!next && step < 0) return;
      event.preventDefault();
      (next ?? composer()).focus();
    } else if (event.key === "Escape") {
      event.preventDefault();
      composer().focus();
    } else if (row && document.activeElement === row) {
      if (name === "menu" && row.contains(bar)) openMenu(more, actions, messageOf(row));
      else if (!actions.run(name, messageOf(row))) return;
      event.preventDefault();
    }
  });
}
