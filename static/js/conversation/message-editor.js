/** Editing a message where it stands: Enter saves, Escape leaves it as it was. */
import { completion } from "./mention-completion.js";
import { length } from "../text/rich-text.js";
import { growField, h } from "../ui/dom.js";
import { plural } from "../ui/time.js";

export function editor(message, services) {
  const { store, operations, maxMessageChars } = services;
  const error = h("p", { class: "field-error", role: "alert" });
  const field = h("textarea", { class: "editor-field", "aria-label": "Edit message", rows: "1" });
  field.value = message.content;
  const form = h("form", { class: "editor" }, field, error,
    h("div", { class: "editor-buttons" },
      h("button", { type: "button", class: "button button-small", on: { click: () => finish() } }, "Cancel"),
      h("button", { type: "submit", class: "button button-primary button-small" }, "Save")));
  const mentions = completion(field, form, services);

  const grow = () => growField(field, form);
  const finish = () => {
    store.update((state) => (state.editing === message.id ? { ...state, editing: null } : state));
    document.querySelector("#composer-text").focus({ preventScroll: true });
  };

  async function save() {
    const content = field.value.trim();
    if (content === message.content) return finish();
    if (!content) return (error.textContent = "A message cannot be empty. Delete it instead.");
    if (length(content) > maxMessageChars) return (error.textContent = `${plural(length(content) - maxMessageChars, "character")} too many.`);
    field.readOnly = true;
    try {
      await operations.editMessage(message, content);
      finish();
    } catch (problem) {
      field.readOnly = false;
      error.textContent = `Not saved. ${problem.message}`;
    }
  }

  field.addEventListener("input", grow);
  field.addEventListener("keydown", (event) => {
    if (event.isComposing || event.keyCode === 229 || mentions.keydown(event)) return;
    if (event.key === "Escape") {
      event.stopPropagation();
      finish();
    } else if (event.key === "Enter" && !event.shiftKey) {
      event.preventDefault();
      save();
    }
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    save();
  });
  requestAnimationFrame(() => {
    grow();
    field.focus();
    field.setSelectionRange(field.value.length, field.value.length);
  });
  return form;
}
