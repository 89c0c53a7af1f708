/** The settings' section of one's own name. */
import { userAvatar } from "../ui/avatar.js";
import { fill, h, setText } from "../ui/dom.js";
import { field, wireForm } from "../ui/form.js";

export function profileSection({ store, users, api, maxNameChars }) {
  const { me } = store.state;
  const face = h("div", { class: "profile-face" });
  const saved = h("span", { class: "saved", role: "status" });
  const form = h("form", { class: "settings-form", novalidate: true },
    field({ name: "displayName", label: "Your name", hint: `How others see you. Your username stays @${me.username}.`, value: me.displayName, autocomplete: "name", maxlength: maxNameChars, required: true }),
    h("p", { class: "form-error", role: "alert", hidden: true }),
    h("div", { class: "settings-buttons" }, h("button", { type: "submit", class: "button button-primary" }, h("span", { class: "button-text" }, "Save name")), saved));
  const show = () => fill(face, userAvatar(store.state, me.id, "avatar-large"));

  wireForm(form, {
    send: (body) => api.patch("/api/me", body),
    done: (user) => {
      users.take([user]);
      form.elements.displayName.value = user.displayName;
      setText(saved, "Saved");
      show();
    },
  });
  form.addEventListener("input", () => setText(saved, ""));
  show();
  return [h("div", { class: "profile" }, face, form)];
}
