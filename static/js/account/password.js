/** The settings' section of one's password. */
import { h, setText } from "../ui/dom.js";
import { field, wireForm } from "../ui/form.js";
import { plural } from "../ui/time.js";

export function passwordSection({ store, api, minPasswordChars, maxPasswordChars }) {
  const common = { type: "password", maxlength: maxPasswordChars, required: true };
  const saved = h("span", { class: "saved", role: "status" });
  const form = h("form", { class: "settings-form", novalidate: true },
    // For password managers: whose password this is.
    h("input", { type: "text", name: "username", autocomplete: "username", value: store.state.me.username, readonly: true, hidden: true }),
    field({ name: "currentPassword", label: "Current password", autocomplete: "current-password", ...common }),
    field({ name: "newPassword", label: "New password", hint: `At least ${plural(minPasswordChars, "character")}. You stay signed in here, and are signed out everywhere else.`, autocomplete: "new-password", minlength: minPasswordChars, ...common }),
    h("p", { class: "form-error", role: "alert", hidden: true }),
    h("div", { class: "settings-buttons" }, h("button", { type: "submit", class: "button button-primary" }, h("span", { class: "button-text" }, "Change password")), saved));

  wireForm(form, {
    send: ({ currentPassword, newPassword }) => api.put("/api/me/password", { body: { currentPassword, newPassword } }),
    done: () => {
      form.reset();
      setText(saved, "Changed");
      form.dispatchEvent(new Event("sessionschange", { bubbles: true }));
    },
  });
  form.addEventListener("input", () => setText(saved, ""));
  return [form];
}
