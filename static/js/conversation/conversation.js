/** The frame around the messages of the open chat: its header, who is typing, and what stands there without a chat. */
import { lostDraft, lostDraftOf } from "./lost-drafts.js";
import { newChat } from "../list/new-chat.js";
import { isOnline, onlineIn, onlineKey } from "../model/presence.js";
import { chatTitle, isDirect, nameOf, otherOf } from "../model/state.js";
import { chatAvatar } from "../ui/avatar.js";
import { fill, h, setText } from "../ui/dom.js";
import { icon } from "../ui/icons.js";
import { withDot } from "../ui/online-dot.js";
import { keysOf } from "../ui/shortcuts.js";
import { plural } from "../ui/time.js";

function subtitle(state, chat) {
  if (isDirect(chat)) {
    const user = state.users[otherOf(state, chat)];
    return [isOnline(state, otherOf(state, chat)) && "Online", user?.username && `@${user.username}`].filter(Boolean).join(" · ");
  }
  const online = onlineIn(state, chat);
  return chat.description || plural(chat.participantIds.length, "person", "people") + (online ? ` · ${online.length} online` : "");
}

function typingText(state, now) {
  const people = Object.entries(state.typing[state.open.chatId] ?? {}).filter(([, until]) => until > now);
  const names = people.map(([id]) => nameOf(state, id) ?? "Somebody");
  if (!names.length) return "";
  return names.length === 1 ? `${names[0]} is typing…` : names.length === 2 ? `${names[0]} and ${names[1]} are typing…` : "Several people are typing…";
}

export function mountConversation(services) {
  const { store, navigation, users, wide } = services;
  const app = document.querySelector("#app");
  const frame = document.querySelector("#conversation");
  const header = document.querySelector("#chat-header");
  const blank = document.querySelector("#blank");
  const typing = document.querySelector("#typing");

  const back = h("button", { type: "button", class: "icon-button back", id: "back", "aria-label": "Back to chats", on: { click: () => navigation.list() } }, icon("back"));
  const face = h("span", { class: "header-avatar" });
  const title = h("h1", { class: "header-title", tabindex: "-1", dir: "auto" });
  const muted = h("span", { class: "header-muted", title: "Muted" }, icon("bell-off"), h("span", { class: "visually-hidden" }, "Muted"));
  const under = h("p", { class: "header-subtitle", dir: "auto" });
  const info = h("button", { type: "button", class: "icon-button", id: "show-details", "aria-label": "Details", title: "Details", "aria-controls": "details",
    on: { click: () => navigation.details(!store.state.open.details) } }, icon("info"));
  const search = h("button", { type: "button", class: "icon-button", id: "search-chat", "aria-label": "Search in this chat", title: "Search in this chat", on: { click: () => services.search.open(store.state.open.chatId) } }, icon("find"));
  fill(header, back, face, h("div", { class: "header-text" }, h("div", { class: "header-line" }, title, muted), under), search, info);

  let shown = null;
  function showBlank(state, view) {
    const gone = state.gone[state.open.chatId];
    const left = lostDraftOf(state);
    const key = JSON.stringify([view, gone, left, state.chatsStatus, Object.keys(state.chats).length === 0, state.me.displayName, wide()]);
    if (key === shown) return;
    shown = key;
    const action = (label, run) => h("button", { type: "button", class: "button button-primary", on: { click: run } }, label);
    if (view === "gone") {
      return fill(blank, icon("leave"), h("h2", {}, gone ? `You are no longer in ${gone}` : "This chat is not here"),
        h("p", {}, gone ? "You left it, you were removed, or it was deleted." : "It was deleted, or you are not in it."), action("Back to your chats", () => navigation.list()),
        lostDraft(services, left));
    }
    if (view !== "none") return fill(blank);
    const first = state.chatsStatus === "ready" && !Object.keys(state.chats).length;
    fill(blank, icon("people"), h("h2", {}, first ? `Hello, ${state.me.displayName}` : "Pick a chat"),
      h("p", {}, first ? "Nothing here yet. Write to somebody, or start a group." : "Or start a new one."), first && wide() ? services.invite() : null,
      action("Start a chat", () => newChat(services)),
      h("p", { class: "blank-keys" }, h("kbd", {}, keysOf("switcher")), "go to a chat", h("kbd", {}, "?"), "all shortcuts"));
  }

  store.watch((state) => [state.open, state.chats[state.open.chatId], state.users, state.gone, state.chatsStatus, state.me, onlineKey(state), lostDraftOf(state)], (state) => {
    const { chatId, details } = state.open;
    const chat = state.chats[chatId];
    const view = !chatId ? "none" : chat || !(chatId in state.gone) ? "chat" : "gone";
    app.dataset.pane = !chatId ? "list" : details && chat ? "details" : "chat";
    frame.dataset.view = view;
    info.setAttribute("aria-expanded", String(Boolean(details)));
    muted.hidden = !chat?.muted;
    showBlank(state, view);
    if (!chat) {
      fill(face, h("span", { class: "avatar skeleton" }));
      setText(title, "");
      title.classList.add("skeleton", "w6");
      return setText(under, "");
    }
    users.want(isDirect(chat) ? [otherOf(state, chat)] : []);
    const name = chatTitle(state, chat);
    fill(face, withDot(chatAvatar(state, chat), isDirect(chat) && isOnline(state, otherOf(state, chat))));
    title.classList.toggle("skeleton", name === null);
    title.classList.remove("w6");
    setText(title, name ?? "");
    setText(under, subtitle(state, chat));
  });

  let timer = null;
  store.watch((state) => [state.typing, state.open.chatId, state.users], function show(state) {
    clearTimeout(timer);
    users.want(Object.keys(state.typing[state.open.chatId] ?? {}));
    const text = typingText(state, Date.now());
    setText(typing, text);
    if (text) timer = setTimeout(() => show(store.state), 1000);
  });
}
