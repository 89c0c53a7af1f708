/** The buttons that lead out of view: down to the newest message, and up to the first unread one. */
import { fill, h } from "../ui/dom.js";
import { icon } from "../ui/icons.js";
import { plural } from "../ui/time.js";

/** `go` has `newest()` and `firstUnread()`. Answers `show(state, timeline)`. */
export function mountJumps(go) {
  const jump = document.querySelector("#jump");
  const bar = document.querySelector("#unread-bar");

  function showJump(state, timeline) {
    jump.hidden = !timeline?.loaded || state.atBottom;
    const count = state.chats[state.open.chatId]?.unreadCount ?? 0;
    fill(jump, icon("down"), count ? `${count} new` : "Newest");
    jump.setAttribute("aria-label", count ? `Jump to ${plural(count, "new message")}` : "Jump to the newest message");
  }

  function showBar(state, timeline) {
    const divider = state.dividers[state.open.chatId];
    const above = divider && timeline?.loaded && timeline.items.length && timeline.items[0].seq > divider.seq && !timeline.atStart;
    bar.hidden = !above;
    if (above) fill(bar, h("button", { type: "button", data: { action: "first-unread" }, on: { click: go.firstUnread } }, icon("up"), `${plural(divider.count, "unread message")}: jump to the first`));
  }

  jump.addEventListener("click", go.newest);
  return (state, timeline) => {
    showJump(state, timeline);
    showBar(state, timeline);
  };
}
