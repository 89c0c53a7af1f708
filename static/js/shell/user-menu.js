/** The menu of the signed-in user: settings, shortcuts, signing out. */
import { showShortcuts } from "./keyboard.js";
import { userAvatar } from "../ui/avatar.js";
import { confirm } from "../ui/dialog.js";
import { fill, h } from "../ui/dom.js";
import { plural } from "../ui/time.js";

export function mountUserMenu({ store, api, sessionStore, toast, stream, session, settings, version }) {
  const button = document.querySelector("#you");
  const { me } = store.state;

  async function signOut() {
    const waiting = store.state.outbox.length;
    if (waiting && !(await confirm({ title: "Sign out?", text: `${plural(waiting, "message")} not sent yet. They stay in this browser and are sent when you sign in again.`, yes: "Sign out", danger: false }))) return;
    session.leaving();
    try {
      await api.post("/api/sign-out");
    } catch (error) {
      if (error.code !== "not_signed_in") return toast(`You are still signed in. ${error.message}`);
    }
    stream.stop();
    sessionStore.remove("parley.users");
    location.assign("/sign-in");
  }

  const row = (label, run, id) => h("button", { type: "button", class: "menu-row", id, on: { click: () => (menu.hidePopover(), run()) } }, label);
  const name = h("strong");
  const menu = h("div", { class: "menu user-menu", id: "user-menu", popover: "auto" },
    h("p", { class: "user-menu-name" }, name, h("span", {}, `@${me.username}`)),
    row("Settings", settings.open, "show-settings"), row("Keyboard shortcuts", showShortcuts, "shortcuts"),
    document.body.dataset.mayWatch ? h("a", { class: "menu-row", id: "show-activity", href: "/activity" }, "Activity") : null,
    row("Sign out", signOut, "sign-out"),
    h("p", { class: "menu-foot" }, `Parley ${version}`));
  button.after(menu);
  button.addEventListener("click", () => menu.togglePopover());
  menu.addEventListener("toggle", (event) => button.setAttribute("aria-expanded", String(event.newState === "open")));

  store.watch((state) => [state.me.displayName], (state) => {
    name.textContent = state.me.displayName;
    fill(button, userAvatar(state, me.id));
    button.setAttribute("aria-label", `${state.me.displayName}: your account`);
  });
}
