/** Which chat is open: the address bar, the back button, and what has to be fetched for the screen. */
import { parsePath, pathOf } from "../model/addresses.js";
import { PAGE, trim } from "../model/message-timeline.js";
import { set, without } from "../model/state.js";

/** Decides, once each time a chat is opened, where the unread divider stands. Reading is not reported before that. */
export function decideDivider(state) {
  const { chatId } = state.open;
  const chat = state.chats[chatId];
  if (!chat?.whole || state.dividers[chatId] !== undefined) return state;
  const read = state.watermarks[chatId]?.[state.me.id];
  const divider = chat.unreadCount ? { seq: (read?.seq ?? 0) + 1, after: read?.messageId ?? null, count: chat.unreadCount } : null;
  return { ...state, dividers: set(state.dividers, chatId, divider) };
}

/** Keeps one page of the newest messages of a chat that is closed, so that it opens at once the next time. */
function close(state) {
  const { chatId } = state.open;
  const timeline = state.timelines[chatId];
  const timelines = !timeline ? state.timelines : timeline.atEnd ? set(state.timelines, chatId, trim(timeline, "start", PAGE)) : without(state.timelines, chatId);
  return { ...state, timelines, dividers: without(state.dividers, chatId), editing: null };
}

export class Navigation {
  constructor({ store, loading, wide }) {
    Object.assign(this, { store, loading, wide });
    addEventListener("popstate", () => location.pathname === "/settings" || this.#show({ ...parsePath(location.pathname), details: Boolean(history.state?.details) }));
  }

  start() {
    this.#show({ ...parsePath(location.pathname), details: false });
    const select = ({ open, timelines, chats, gone, dividers }) => [open, timelines[open.chatId], chats[open.chatId], gone, dividers];
    this.store.watch(select, (state) => this.#ensure(state));
  }

  open(chatId, { messageId = null } = {}) {
    const { open } = this.store.state;
    const details = this.wide() && open.details && Boolean(chatId);
    const same = open.chatId === chatId && open.messageId === messageId;
    history[same ? "replaceState" : "pushState"]({ details }, "", pathOf({ chatId, messageId }));
    this.#show({ chatId, messageId, details });
  }

  list() {
    this.open(null);
  }

  details(shown) {
    const { open } = this.store.state;
    if (open.details === shown) return;
    if (!shown && history.state?.details && !this.wide()) return history.back();
    history[shown && !this.wide() ? "pushState" : "replaceState"]({ details: shown }, "", pathOf(open));
    this.#show({ ...open, details: shown });
  }

  /** The session has ended. Drafts and the outbox stay in this browser. */
  signIn() {
    location.assign(`/sign-in?next=${encodeURIComponent(location.pathname)}`);
  }

  #show(next) {
    const { open } = this.store.state;
    if (open.chatId !== next.chatId) this.store.update((state) => ({ ...close(state), atBottom: true }));
    this.store.update((state) => decideDivider({ ...state, open: next, notices: state.notices.filter((notice) => notice.chatId !== next.chatId) }));
    const { timelines, chats } = this.store.state;
    if (!next.chatId) return;
    const there = timelines[next.chatId]?.items.some((message) => message.id === next.messageId);
    if (next.messageId && !there) this.loading.open(next.chatId, next.messageId);
    if (open.chatId !== next.chatId && !chats[next.chatId]?.whole) this.loading.chat(next.chatId);
    this.#ensure(this.store.state); // now, and not after the screen has been drawn
  }

  #ensure({ open: { chatId, messageId }, timelines, gone }) {
    this.store.update(decideDivider);
    if (chatId && !timelines[chatId] && !(chatId in gone)) this.loading.open(chatId, messageId);
  }
}
