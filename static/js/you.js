/** The menu of the signed-in user: theme, shortcuts, signing out. */
import { userAvatar } from "./avatar.js";
import { confirm } from "./dialog.js";
import { fill, h } from "./dom.js";
import { showShortcuts } from "./keyboard.js";
import { plural } from "./time.js";
import { chooseTheme, currentTheme, THEMES } from "./theme.js";

export function mountYou({ store, api, storage, sessionStore, toast, stream, version }) {
  const button = document.querySelector("#you");
  const { me } = store.state;
  fill(button, userAvatar(store.state, me.id));
  button.setAttribute("aria-label", `${me.displayName}: your account`);

  async function signOut() {
    const unsent = store.state.outbox.length;
    if (unsent && !(await confirm({ title: "Sign out?", text: `${plural(unsent, "message")} not sent yet. They stay in this browser and are sent when you sign in again.`, yes: "Sign out", danger: false }))) return;
    try {
      await api.post("/api/sign-out");
    } catch (error) {
      if (error.code !== "not_signed_in") return toast(`You are still signed in. ${error.message}`);
    }
    stream.stop();
    sessionStore.remove("parley.users");
    location.assign("/sign-in");
  }

  const theme = h("div", { class: "segments", role: "radiogroup", "aria-label": "Theme" }, THEMES.map(([value, label]) =>
    h("label", { class: "segment" }, h("input", { type: "radio", name: "theme", value, checked: currentTheme() === value, on: { change: () => chooseTheme(value, storage) } }), h("span", {}, label))));
  const row = (label, run, id) => h("button", { type: "button", class: "menu-row", id, on: { click: () => (menu.hidePopover(), run()) } }, label);
  const menu = h("div", { class: "menu", id: "you-menu", popover: "auto" },
    h("p", { class: "menu-you" }, h("strong", {}, me.displayName), h("span", {}, `@${me.username}`)),
    h("p", { class: "menu-label" }, "Theme"), theme,
    row("Keyboard shortcuts", showShortcuts, "shortcuts"), row("Sign out", signOut, "sign-out"),
    h("p", { class: "menu-foot" }, `Parley ${version}`));
  button.after(menu);
  button.addEventListener("click", () => menu.togglePopover());
  menu.addEventListener("toggle", (event) => button.setAttribute("aria-expanded", String(event.newState === "open")));
}
