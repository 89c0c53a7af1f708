/** The details of the open chat: name and description, its people, adding, removing, leaving, deleting. */
import { addPeople } from "../list/new-chat.js";
import { isOnline, onlineIn, onlineKey } from "../model/presence.js";
import { chatTitle, isDirect, isGroup, kindOf, nameOf } from "../model/state.js";
import { chatAvatar, userAvatar } from "../ui/avatar.js";
import { confirm } from "../ui/dialog.js";
import { fill, h } from "../ui/dom.js";
import { icon } from "../ui/icons.js";
import { withDot } from "../ui/online-dot.js";
import { dayWithin, plural } from "../ui/time.js";

const FIRST = 50;

export function mountDetails(services) {
  const { store, navigation, operations, users, attempt, mute, maxNameChars } = services;
  const pane = document.querySelector("#details");
  let editing = false;
  let shown = FIRST;

  const ask = async (question, work, failure) => (await confirm(question)) && attempt(work, failure);
  const row = (label, name, run, danger) => h("button", { type: "button", class: `details-row ${danger ? "danger" : ""}`, on: { click: run } }, icon(name), label);

  function person(state, chat, id) {
    const user = state.users[id];
    const name = nameOf(state, id) ?? "…";
    const removable = isGroup(chat) && chat.ownerId === state.me.id && id !== state.me.id;
    const remove = () => ask({ title: `Remove ${name}?`, text: `${name} will get no more messages of this chat.`, yes: "Remove" },
      () => operations.removePerson(chat.id, id), `${name} was not removed.`);
    return h("li", { class: "person", data: { userId: id } }, withDot(userAvatar(state, id), isOnline(state, id)),
      h("span", { class: "person-name" }, id === state.me.id ? `${name} (you)` : name, user?.username ? h("span", { class: "person-username" }, `@${user.username}`) : null),
      chat.ownerId === id ? h("span", { class: "tag" }, "Owner") : null,
      removable ? h("button", { type: "button", class: "icon-button", "aria-label": `Remove ${name}`, title: "Remove", data: { remove: id }, on: { click: remove } }, icon("close")) : null);
  }

  function editForm(chat) {
    const name = h("input", { id: "chat-name", type: "text", maxlength: maxNameChars, value: chat.name ?? "", autocomplete: "off" });
    const description = h("textarea", { id: "chat-description", rows: "3", maxlength: 1000 });
    description.value = chat.description ?? "";
    const error = h("p", { class: "field-error", role: "alert" });
    const save = async (event) => {
      event.preventDefault();
      try {
        await operations.changeChat(chat.id, { name: name.value.trim() || null, description: description.value.trim() || null });
        editing = false;
        render(store.state);
      } catch (problem) {
        error.textContent = problem.message;
      }
    };
    return h("form", { class: "details-edit", on: { submit: save } },
      h("label", { for: "chat-name" }, "Name"), name, h("label", { for: "chat-description" }, "Description"), description, error,
      h("div", { class: "editor-buttons" },
        h("button", { type: "button", class: "button button-small", on: { click: () => show(false) } }, "Cancel"),
        h("button", { type: "submit", class: "button button-primary button-small" }, "Save")));
  }

  function show(edit) {
    editing = edit;
    render(store.state);
    pane.querySelector(edit ? "#chat-name" : "#edit-chat")?.focus();
  }

  function about(state, chat) {
    if (editing) return editForm(chat);
    return h("div", { class: "details-about" }, chatAvatar(state, chat, "avatar-large"), h("h2", { dir: "auto" }, chatTitle(state, chat) ?? "…"),
      chat.description ? h("p", { dir: "auto" }, chat.description) : null,
      h("p", { class: "details-since" }, `${kindOf(chat)} since ${dayWithin(chat.createdAt)}`),
      isGroup(chat) ? h("button", { type: "button", class: "button button-small", id: "edit-chat", on: { click: () => show(true) } }, "Edit name and description") : null);
  }

  function ends(state, chat) {
    const title = chatTitle(state, chat);
    const remove = () => ask({ title: `Delete ${title}?`, text: "The chat and its messages disappear for everybody in it. This cannot be undone.", yes: "Delete chat" },
      () => operations.deleteChat(chat.id), "The chat was not deleted.");
    const leave = () => ask({ title: `Leave ${title}?`, text: "You get no more messages of this chat, unless somebody adds you again.", yes: "Leave" },
      () => operations.removePerson(chat.id, state.me.id), "You have not left the chat.");
    return h("div", { class: "details-ends" },
      isGroup(chat) ? row("Leave chat", "leave", leave, true) : null,
      isDirect(chat) || chat.ownerId === state.me.id ? row("Delete chat", "trash", remove, true) : null);
  }

  /** How many there are, and how many of them are online. */
  function count(state, chat) {
    const online = isDirect(chat) ? null : onlineIn(state, chat);
    return plural(chat.participantIds.length, "person", "people") + (online ? ` · ${online.length} online` : "");
  }

  function render(state) {
    const chat = state.chats[state.open.chatId];
    pane.hidden = !chat || !state.open.details;
    if (pane.hidden) return fill(pane);
    const ids = [...chat.participantIds].sort((a, b) => (nameOf(state, a) ?? "").localeCompare(nameOf(state, b) ?? ""));
    users.want(ids.slice(0, shown));
    const focused = pane.contains(document.activeElement) ? document.activeElement.id : null;
    fill(pane,
      h("header", { class: "bar" }, h("button", { type: "button", class: "icon-button", id: "close-details", "aria-label": "Close details", on: { click: () => navigation.details(false) } },
        icon("back"), icon("close")), h("h2", { class: "header-title" }, "Details")),
      h("div", { class: "details-body" }, about(state, chat),
        h("button", { type: "button", class: "details-row", id: "mute", on: { click: () => mute(chat.id, !store.state.chats[chat.id].muted) } },
          icon(chat.muted ? "bell" : "bell-off"), chat.muted ? "Unmute" : "Mute"),
        h("section", { "aria-label": "People" }, h("h3", {}, count(state, chat)),
          isGroup(chat) ? h("button", { type: "button", class: "details-row", id: "add-people", on: { click: () => addPeople(services, store.state.chats[chat.id]) } }, icon("plus"), "Add people") : null,
          h("ul", { class: "people", id: "participants" }, ids.slice(0, shown).map((id) => person(state, chat, id))),
          ids.length > shown ? row(`Show ${Math.min(FIRST, ids.length - shown)} more`, "down", () => ((shown += FIRST), render(store.state))) : null),
        ends(state, chat)));
    if (focused) document.getElementById(focused)?.focus();
  }

  const essence = (state) => {
    const { name, description, participantIds, ownerId, updatedAt, muted } = state.chats[state.open.chatId] ?? {};
    return [state.open, name, description, participantIds, ownerId, updatedAt, muted, state.users, onlineKey(state)];
  };
  store.watch((state) => [state.open.chatId], () => ([editing, shown] = [false, FIRST]));
  store.watch(essence, (state) => editing && !pane.hidden && state.chats[state.open.chatId] && state.open.details ? null : render(state));
}
