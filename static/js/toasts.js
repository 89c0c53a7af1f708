/** Toasts: a message in another chat, and things that did not work. They go by themselves, but not under the pointer. */
import { chatAvatar } from "./avatar.js";
import { h } from "./dom.js";
import { icon } from "./icons.js";
import { chatTitle, nameOf } from "./state.js";
import { oneLine } from "./text.js";

const SHOWN_MS = 6_000;
const MOST = 3;

export function mountToasts({ store, navigation, users }) {
  const place = document.querySelector("#toasts");
  const shown = new Map(); // notice id → its element

  function put(element) {
    let timer = null;
    const end = () => element.remove();
    const start = () => (timer = setTimeout(end, SHOWN_MS));
    for (const type of ["pointerenter", "focusin"]) element.addEventListener(type, () => clearTimeout(timer));
    for (const type of ["pointerleave", "focusout"]) element.addEventListener(type, start);
    place.append(element);
    while (place.children.length > MOST) place.firstElementChild.remove();
    start();
  }

  const closeButton = (close) => h("button", { type: "button", class: "icon-button toast-close", "aria-label": "Dismiss", on: { click: close } }, icon("close"));

  function notice(state, message) {
    const chat = state.chats[message.chatId];
    const name = nameOf(state, message.senderId);
    const from = chat.chatType === "group" ? `${name ?? "…"} in ${chatTitle(state, chat) ?? "…"}` : name ?? "…";
    const dismiss = () => store.update((now) => ({ ...now, notices: now.notices.filter((one) => one.id !== message.id) }));
    const element = h("div", { class: "toast", data: { chatId: chat.id, toast: message.id } },
      h("button", { type: "button", class: "toast-open", on: { click: () => navigation.open(chat.id) } },
        chatAvatar(state, chat), h("span", { class: "toast-text" }, h("strong", {}, from), h("span", { class: "toast-preview", dir: "auto" }, oneLine(message.content)))),
      closeButton(dismiss));
    return element;
  }

  store.watch((state) => [state.notices, state.chats, state.users], (state) => {
    const wanted = new Set(state.notices.map(({ id }) => id));
    for (const [id, element] of shown) {
      if (wanted.has(id)) continue;
      element.remove();
      shown.delete(id);
    }
    for (const message of state.notices) {
      users.want([message.senderId]);
      const known = shown.has(message.id) || !state.chats[message.chatId];
      if (known || nameOf(state, message.senderId) === null) continue;
      const element = notice(state, message);
      shown.set(message.id, element);
      put(element);
    }
  });

  /** Says that something did not work. */
  return (text) => {
    const element = h("div", { class: "toast toast-error" }, icon("warning"), h("p", { class: "toast-text", role: "alert" }, text));
    element.append(closeButton(() => element.remove()));
    put(element);
  };
}
