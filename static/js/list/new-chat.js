/** The dialogs that begin a chat, direct or group, and that add people to a group. */
import { peoplePicker } from "./people-picker.js";
import { openDialog } from "../ui/dialog.js";
import { h } from "../ui/dom.js";

const errorLine = () => h("p", { class: "field-error", role: "alert" });

/** Runs `work` with the button busy; shows what went wrong. */
async function submit(button, error, work) {
  button.disabled = true;
  error.textContent = "";
  try {
    await work();
  } catch (problem) {
    error.textContent = problem.message;
  }
  button.disabled = false;
}

export function newChat(services) {
  const { store, operations, navigation, maxNameChars } = services;
  const error = errorLine();
  const name = h("input", { type: "text", id: "group-name", maxlength: maxNameChars, placeholder: "Name of the group (optional)", "aria-label": "Name of the group", autocomplete: "off" });
  const create = h("button", { type: "submit", class: "button button-primary", id: "create-group" }, "Create group");
  const kind = (value, label, checked) => h("label", { class: "segment" }, h("input", { type: "radio", name: "chatType", value, checked }), h("span", {}, label));
  const kinds = h("div", { class: "segments", role: "radiogroup", "aria-label": "Kind of chat" }, kind("direct", "Direct", true), kind("group", "Group", false));
  const isGroup = () => kinds.querySelector("input:checked").value === "group";

  async function finish(body) {
    const chat = await operations.createChat(body);
    dialog.close();
    navigation.open(chat.id);
  }

  const picker = peoplePicker(services, {
    exclude: [store.state.me.id],
    many: isGroup,
    chosen: (userId) => submit(create, error, () => finish({ chatType: "direct", participantIds: [userId] })),
    changed: (picked) => (create.textContent = picked.length ? `Create group of ${picked.length + 1}` : "Create group"),
  });
  const groupPart = h("div", { class: "group-part" }, name, create);
  const form = h("form", { class: "dialog-form", on: { submit: (event) => {
    event.preventDefault();
    if (!isGroup()) return;
    submit(create, error, () => finish({ chatType: "group", name: name.value.trim() || null, participantIds: [...picker.picked] }));
  } } }, kinds, picker.element, error, groupPart);
  const showKind = () => {
    groupPart.hidden = !isGroup();
    picker.render();
  };
  kinds.addEventListener("change", showKind);
  showKind();
  const dialog = openDialog({ title: "New chat", content: [form], className: "dialog-people" });
  picker.focus();
}

export function addPeople(services, chat) {
  const { operations } = services;
  const error = errorLine();
  const add = h("button", { type: "submit", class: "button button-primary", id: "add-chosen", disabled: true }, "Add");
  const picker = peoplePicker(services, {
    exclude: chat.participantIds,
    changed: (picked) => {
      add.disabled = picked.length === 0;
      add.textContent = picked.length > 1 ? `Add ${picked.length} people` : "Add";
    },
  });
  const form = h("form", { class: "dialog-form", on: { submit: (event) => {
    event.preventDefault();
    if (!picker.picked.length) return;
    submit(add, error, async () => {
      await operations.addPeople(chat.id, [...picker.picked]);
      dialog.close();
    });
  } } }, picker.element, error, add);
  const dialog = openDialog({ title: "Add people", content: [form], className: "dialog-people" });
  picker.focus();
}
