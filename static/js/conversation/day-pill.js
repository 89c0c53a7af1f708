/** The day of the messages at the top of the column, while it is scrolled. */
import { h, setText } from "../ui/dom.js";

const STAYS_MS = 1_200;

/** `topmost()` answers the topmost row in view, null where the pill should not be shown. Answers a function to call after every scroll. */
export function mountDay(column, topmost) {
  const label = h("span");
  const pill = h("div", { class: "day-pill", id: "day", "aria-hidden": "true" }, label);
  column.append(pill);
  let timer = null;
  let frame = null;

  function show() {
    frame = null;
    const row = topmost();
    if (!row?.dataset.day) return pill.removeAttribute("data-shown"); // it is a day's separator, which says the day itself
    setText(label, row.dataset.day);
    pill.toggleAttribute("data-shown", true);
    clearTimeout(timer);
    timer = setTimeout(() => pill.removeAttribute("data-shown"), STAYS_MS);
  }

  return () => (frame ??= requestAnimationFrame(show));
}
