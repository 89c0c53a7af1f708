/** The tab's title and icon, which say how many messages are unread. */
import { chatTitle, unreadTotal } from "../model/state.js";

/** `(3) Ada · Parley`; pure. */
export function titleOf(state) {
  const count = unreadTotal(state);
  const chat = state.chats[state.open.chatId];
  const name = chat && chatTitle(state, chat);
  return `${count ? `(${count > 99 ? "99+" : count}) ` : ""}${name ? `${name} · ` : ""}Parley`;
}

export function mountTitle({ store }) {
  const icon = document.querySelector("#favicon");
  const plain = icon.getAttribute("href");
  store.watch((state) => [state.chats, state.open, state.users, state.attentive, state.atBottom], (state) => {
    const title = titleOf(state);
    if (document.title === title) return;
    document.title = title;
    const wanted = unreadTotal(state) ? icon.dataset.unread : plain;
    if (icon.getAttribute("href") !== wanted) icon.setAttribute("href", wanted);
  });
}
