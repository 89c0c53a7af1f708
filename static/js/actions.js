/** The small toolbar of one message: one element, put into the row that the pointer or the focus is on. */
import { h } from "./dom.js";
import { icon } from "./icons.js";
import { canDelete } from "./state.js";
import { isDeleted } from "./timeline.js";

const KEYS = { e: "edit", Delete: "delete", Backspace: "delete", r: "reads" };

export function messageActions(log, { store, actions, messageOf }) {
  const button = (action, label, name) => h("button", { type: "button", class: "icon-button", title: label, "aria-label": label, data: { action } }, icon(name));
  const buttons = { edit: button("edit", "Edit", "edit"), delete: button("delete", "Delete", "trash"), reads: button("reads", "Read by", "people") };
  const bar = h("div", { class: "message-actions", role: "group", "aria-label": "Message" }, Object.values(buttons));

  function place(row) {
    const message = messageOf(row);
    if (!message || isDeleted(message) || row.hasAttribute("data-editing")) return bar.remove();
    buttons.edit.hidden = message.senderId !== store.state.me.id;
    buttons.delete.hidden = !canDelete(store.state, message);
    if (!row.contains(bar)) row.querySelector(".bubble-line").append(bar);
  }

  const rowOf = (event) => event.target.closest?.(".message");
  log.addEventListener("pointerover", (event) => event.pointerType === "mouse" && rowOf(event) && place(rowOf(event)));
  log.addEventListener("pointerleave", (event) => event.pointerType === "mouse" && !bar.contains(document.activeElement) && bar.remove());
  log.addEventListener("focusin", (event) => rowOf(event) && event.target.matches(":focus-visible") && place(rowOf(event)));
  log.addEventListener("click", (event) => {
    if (matchMedia("(hover: hover)").matches || event.target.closest("a, button, textarea")) return;
    const row = rowOf(event);
    if (!row || row.contains(bar)) bar.remove();
    else place(row);
  });

  /** Arrow keys walk from message to message; e edits, r shows who has read it, Delete deletes. */
  log.addEventListener("keydown", (event) => {
    if (event.target.closest("textarea") || event.altKey || event.ctrlKey || event.metaKey) return;
    const rows = [...log.querySelectorAll(".message")];
    const row = document.activeElement.closest(".message");
    const step = { ArrowUp: -1, k: -1, ArrowDown: 1, j: 1 }[event.key];
    if (step) {
      const next = row ? rows[rows.indexOf(row) + step] : rows.at(-1);
      if (!next && step < 0) return;
      event.preventDefault();
      (next ?? document.querySelector("#composer-text")).focus();
    } else if (event.key === "Escape") {
      document.querySelector("#composer-text").focus();
    } else if (row && KEYS[event.key] && document.activeElement === row) {
      event.preventDefault();
      actions[KEYS[event.key]](messageOf(row), row);
    }
  });
}
