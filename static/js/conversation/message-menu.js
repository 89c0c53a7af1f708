/** All that can be done to a message: a menu beside its toolbar, or a sheet from below after a long press. */
import { textOf } from "../model/message.js";
import { plain } from "../text/markdown.js";
import { openDialog } from "../ui/dialog.js";
import { h } from "../ui/dom.js";
import { icon } from "../ui/icons.js";
import { keysText } from "../ui/shortcuts.js";

const LONG_MS = 450;
const STILL_PX = 10;
const GAP = 4;

const item = (action, run, role) => h("button", { type: "button", role, class: `menu-item ${action.danger ? "danger" : ""}`, data: { action: action.name }, on: { click: run } },
  icon(action.icon), h("span", {}, action.label), role && action.keys ? h("kbd", { "aria-hidden": "true" }, keysText(action)) : null);

/** The menu at `anchor`, within the window; arrow keys walk, Escape closes it and the focus goes back. */
export function openMenu(anchor, actions, message) {
  const menu = h("div", { class: "menu message-menu", id: "message-menu", role: "menu", popover: "auto", "aria-label": "Message" });
  const close = () => menu.hidePopover();
  menu.append(...actions.of(message).map((action) => item(action, () => (close(), actions.run(action.name, message)), "menuitem")));
  menu.addEventListener("keydown", (event) => {
    const items = [...menu.children];
    const at = items.indexOf(document.activeElement);
    const next = { ArrowDown: items[(at + 1) % items.length], ArrowUp: items.at(at - 1), Home: items[0], End: items.at(-1) }[event.key];
    if (event.key === "Tab") close();
    if (!next) return;
    event.preventDefault();
    next.focus();
  });
  menu.addEventListener("toggle", ({ newState }) => {
    anchor.setAttribute("aria-expanded", String(newState === "open"));
    if (newState === "closed") menu.remove();
  });
  document.body.append(menu);
  menu.showPopover();
  const from = anchor.getBoundingClientRect();
  const below = from.bottom + GAP + menu.offsetHeight < innerHeight;
  menu.style.top = `${Math.max(GAP, below ? from.bottom + GAP : from.top - GAP - menu.offsetHeight)}px`;
  menu.style.left = `${Math.min(Math.max(GAP, from.left), innerWidth - menu.offsetWidth - GAP)}px`;
  menu.firstElementChild.focus();
}

function openSheet(actions, message) {
  const run = (action) => () => {
    sheet.close();
    sheet.closed.then(() => actions.run(action.name, message));
  };
  const content = [h("p", { class: "sheet-preview", dir: "auto" }, plain(textOf(message))), h("div", { class: "sheet-items" }, actions.of(message).map((action) => item(action, run(action), null)))];
  const sheet = openDialog({ title: "Message", content, className: "dialog-sheet" });
}

/** A long press on a message opens its sheet; a finger that moves is scrolling. */
export function longPress(log, { actions, messageOf }) {
  let timer = null;
  let from = null;
  let pressed = false;
  const end = () => clearTimeout(timer);

  log.addEventListener("pointerdown", (event) => {
    end();
    const row = event.target.closest(".message");
    if (event.pointerType === "mouse" || !event.isPrimary || !row || event.target.closest("button, textarea, input")) return;
    from = event;
    timer = setTimeout(() => {
      const message = messageOf(row);
      if (!actions.of(message).length) return;
      pressed = true;
      openSheet(actions, message);
    }, LONG_MS);
  });
  log.addEventListener("pointermove", (event) => from && Math.hypot(event.clientX - from.clientX, event.clientY - from.clientY) > STILL_PX && end());
  for (const type of ["pointerup", "pointercancel"]) log.addEventListener(type, end);
  log.addEventListener("scroll", end, { passive: true });
  // Suppresses what the browser does after a long press: its own menu, and a click on whatever is under the finger at the end.
  log.addEventListener("contextmenu", (event) => event.pointerType === "touch" && event.preventDefault());
  addEventListener("pointerdown", () => (pressed = false), true);
  addEventListener("click", (event) => {
    if (!pressed || event.detail === 0) return;
    event.preventDefault();
    event.stopPropagation();
  }, true);
}
