/** The settings' section of the user's sessions: where they are signed in, and signing out there. */
import { deviceName, isPhone } from "./user-agent.js";
import { query } from "../net/api.js";
import { confirm } from "../ui/dialog.js";
import { h } from "../ui/dom.js";
import { icon } from "../ui/icons.js";
import { remoteList } from "../ui/remote-list.js";
import { atTime } from "../ui/time.js";

const USED_TO_THE_HOUR_MS = 3_600_000;

/** This device first, then by when they were last used. */
export const inOrder = (sessions) => [...sessions].sort((a, b) => b.current - a.current || (a.lastUsedAt < b.lastUsedAt ? 1 : a.lastUsedAt > b.lastUsedAt ? -1 : 0));

export const lastUsed = ({ lastUsedAt }, now = new Date()) => (now - new Date(lastUsedAt) < USED_TO_THE_HOUR_MS ? "Active within the last hour" : `Last active ${atTime(lastUsedAt, now)}`);

export function sessionsSection({ api, toast }) {
  const others = h("button", { type: "button", class: "button button-small", id: "end-other-sessions", hidden: true, on: { click: endOthers } }, "Sign out everywhere else");

  async function fetchItems() {
    const sessions = [];
    let after = null;
    do {
      const page = await api.get(query("/api/sessions", { limit: 200, after }));
      sessions.push(...page.items);
      after = page.next;
    } while (after);
    others.hidden = sessions.length < 2;
    return inOrder(sessions);
  }

  async function end(question, path, failure) {
    if (!(await confirm(question))) return;
    try {
      await api.delete(path);
    } catch (error) {
      toast(`${failure} ${error.message}`);
    }
    await list.load();
    list.element.querySelector("button")?.focus();
  }

  function endOthers() {
    return end({ title: "Sign out everywhere else?", text: "All your other browsers and programs are signed out at once, and have to sign in again.", yes: "Sign out" },
      "/api/sessions", "The others are still signed in.");
  }

  function row(session) {
    const name = deviceName(session.userAgent);
    const signOut = () => end({ title: `Sign out ${name}?`, text: "It is signed out at once, and has to sign in again.", yes: "Sign out" }, `/api/sessions/${session.id}`, `${name} is still signed in.`);
    return h("li", { class: "remote-row", data: { sessionId: session.id } },
      h("span", { class: "remote-icon" }, icon(isPhone(session.userAgent) ? "phone" : "laptop")),
      h("span", { class: "remote-text" },
        h("span", { class: "remote-title" }, name, session.current ? h("span", { class: "tag" }, "This device") : null),
        h("span", { class: "remote-under", title: session.userAgent }, `${session.current ? "Active now" : lastUsed(session)} · signed in ${atTime(session.createdAt)}`)),
      session.current ? null : h("button", { type: "button", class: "button button-small", "aria-label": `Sign out ${name}`, on: { click: signOut } }, "Sign out"));
  }

  const list = remoteList({ label: "Your sessions", fetchItems, row, empty: "You are signed in nowhere." });
  list.load();
  // A new password has ended the other sessions.
  queueMicrotask(() => list.element.closest("dialog")?.addEventListener("sessionschange", list.load));
  return [list.element, others];
}
