/** Toasts: a message in another chat, and things that did not work. They disappear by themselves, but not under the pointer. */
import { textOf } from "../model/message.js";
import { chatTitle, isDirect, nameOf } from "../model/state.js";
import { oneLine } from "../text/rich-text.js";
import { chatAvatar } from "../ui/avatar.js";
import { fill, h } from "../ui/dom.js";
import { icon } from "../ui/icons.js";
import { plural } from "../ui/time.js";

const SHOWN_MS = 6_000;
const MOST = 3;

export function mountToasts({ store, navigation, users }) {
  const place = document.querySelector("#toasts");
  const shown = new Map(); // chatId → {element, id of the message}

  /** Shows `element` for a while, and longer under the pointer or with the focus; then calls `gone()`. */
  function put(element, gone) {
    let timer = null;
    const end = () => (element.remove(), gone());
    const start = () => {
      clearTimeout(timer);
      timer = setTimeout(end, SHOWN_MS);
    };
    for (const type of ["pointerenter", "focusin"]) element.addEventListener(type, () => clearTimeout(timer));
    for (const type of ["pointerleave", "focusout"]) element.addEventListener(type, start);
    place.append(element);
    while (place.children.length > MOST) place.firstElementChild.remove();
    start();
    return start;
  }

  const closeButton = (close) => h("button", { type: "button", class: "icon-button toast-close", "aria-label": "Dismiss", on: { click: close } }, icon("close"));
  const dismiss = (chatId) => store.update((state) => ({ ...state, notices: state.notices.filter((notice) => notice.chatId !== chatId) }));

  function content(state, notice, chat) {
    const name = nameOf(state, notice.senderId);
    const from = isDirect(chat) ? name : `${name} in ${chatTitle(state, chat) ?? "…"}`;
    return [chatAvatar(state, chat), h("span", { class: "toast-text" }, h("strong", { dir: "auto" }, from), h("span", { class: "toast-preview", dir: "auto" }, oneLine(textOf(notice)))),
      notice.count > 1 ? h("span", { class: "badge", title: plural(notice.count, "message") }, notice.count > 99 ? "99+" : notice.count) : null];
  }

  function show(state, notice, chat) {
    const known = shown.get(chat.id);
    if (known?.id === notice.id) return;
    if (known) {
      fill(known.button, content(state, notice, chat));
      known.restart();
      return shown.set(chat.id, { ...known, id: notice.id });
    }
    const button = h("button", { type: "button", class: "toast-open", on: { click: () => navigation.open(chat.id) } }, content(state, notice, chat));
    const element = h("div", { class: "toast", data: { chatId: chat.id } }, button, closeButton(() => dismiss(chat.id)));
    shown.set(chat.id, { id: notice.id, element, button, restart: put(element, () => dismiss(chat.id)) });
  }

  store.watch((state) => [state.notices, state.chats, state.users], (state) => {
    for (const [chatId, { element }] of shown) {
      if (state.notices.some((notice) => notice.chatId === chatId)) continue;
      element.remove();
      shown.delete(chatId);
    }
    users.want(state.notices.map((notice) => notice.senderId));
    for (const notice of state.notices) {
      const chat = state.chats[notice.chatId];
      if (chat && nameOf(state, notice.senderId) !== null) show(state, notice, chat);
    }
  });

  /** Says that something did not work; with `good`, that something did. */
  return (text, { good = false } = {}) => {
    const element = h("div", { class: `toast ${good ? "toast-good" : "toast-error"}` }, icon(good ? "check" : "warning"), h("p", { class: "toast-text", role: good ? null : "alert" }, text));
    element.append(closeButton(() => element.remove()));
    put(element, () => {});
  };
}
