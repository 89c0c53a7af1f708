/** Modal dialogs on the native element: Escape and a click beside it close it, and the focus goes back where it was. */
import { h } from "./dom.js";
import { icon } from "./icons.js";

let number = 0;

/** Opens a dialog with `content` (elements); answers `{element, close, closed}`, `closed` a promise of `close(value)`'s value.
 * One that is `staying` is closed by `close` alone. */
export function openDialog({ title, content, className = "", staying = false }) {
  const id = `dialog-title-${++number}`;
  let settle;
  const closed = new Promise((resolve) => (settle = resolve));
  const close = (value) => {
    element.returned = value;
    staying = false;
    element.close();
  };
  const element = h("dialog", { class: `dialog ${className}`, "aria-labelledby": id },
    h("header", { class: "dialog-head" },
      h("h2", { id }, title),
      staying ? null : h("button", { type: "button", class: "icon-button", "aria-label": "Close", on: { click: () => close() } }, icon("close"))),
    content);
  element.addEventListener("pointerdown", (event) => event.target === element && !staying && close());
  // Browsers close a dialog at the second Escape even if `cancel` is prevented, so the key itself is intercepted.
  const hold = (event) => staying && event.key === "Escape" && (event.preventDefault(), event.stopPropagation());
  document.addEventListener("keydown", hold, true);
  element.addEventListener("cancel", (event) => staying && event.preventDefault());
  element.addEventListener("close", () => {
    if (staying) return element.showModal(); // the second gesture of going back closes it as well
    document.removeEventListener("keydown", hold, true);
    element.remove();
    settle(element.returned);
  });
  document.body.append(element);
  element.showModal();
  return { element, close, closed };
}

/** Asks before something that cannot be undone; answers true or false. */
export async function confirm({ title, text, yes, danger = true }) {
  let dialog;
  const content = [
    h("p", { class: "dialog-text" }, text),
    h("div", { class: "dialog-buttons" },
      h("button", { type: "button", class: "button", autofocus: true, on: { click: () => dialog.close(false) } }, "Cancel"),
      h("button", { type: "button", class: `button ${danger ? "button-danger" : "button-primary"}`, data: { confirm: "" }, on: { click: () => dialog.close(true) } }, yes)),
  ];
  dialog = openDialog({ title, content, className: "dialog-confirm" });
  return Boolean(await dialog.closed);
}
