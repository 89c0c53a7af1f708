/** The settings: one dialog over the chats, with an address of its own, made of sections. */
import { invitationsSection } from "../account/invitations.js";
import { passwordSection } from "../account/password.js";
import { profileSection } from "../account/profile.js";
import { sessionsSection } from "../account/sessions.js";
import { pathOf } from "../model/addresses.js";
import { notificationsSection } from "./notifications.js";
import { openDialog } from "../ui/dialog.js";
import { fill, h } from "../ui/dom.js";
import { themeSection } from "../ui/theme.js";

export const PATH = "/settings";

/** In order: the section's id, its heading, and a function of the services that answers its elements; nothing where it does not apply. */
const SECTIONS = [
  ["settings-profile", "You", profileSection],
  ["settings-theme", "Appearance", themeSection],
  ["settings-notifications", "Notifications", notificationsSection],
  ["settings-password", "Password", passwordSection],
  ["settings-sessions", "Where you are signed in", sessionsSection],
  ["settings-invitations", "Invitations", (services) => (services.isOwner ? invitationsSection(services) : [])],
];

export function mountSettings(services) {
  const { store } = services;
  let dialog = null;

  function section([id, title, content]) {
    const children = content(services);
    return children.length ? h("section", { class: "settings-section", id, "aria-labelledby": `${id}-title` }, h("h3", { id: `${id}-title` }, title), children) : null;
  }

  function show() {
    if (dialog) return;
    const body = h("div", { class: "settings", tabindex: "-1", autofocus: true });
    dialog = openDialog({ title: "Settings", className: "dialog-settings", content: body });
    dialog.element.id = "settings";
    fill(body, SECTIONS.map(section));
    dialog.closed.then(left);
  }

  function left() {
    dialog = null;
    if (location.pathname !== PATH) return;
    if (history.state?.settings) history.back();
    else history.replaceState({}, "", pathOf(store.state.open));
  }

  function open() {
    if (location.pathname !== PATH) history.pushState({ settings: true }, "", PATH);
    show();
  }

  addEventListener("popstate", () => (location.pathname === PATH ? show() : dialog?.close()));
  // Another chat was opened meanwhile, for example by a notification.
  store.watch((state) => [state.open.chatId, state.open.messageId], () => location.pathname !== PATH && dialog?.close());
  if (location.pathname === PATH) show();
  return { open };
}
