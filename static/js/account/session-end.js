/** When the session ends while the page is open, asks to sign in again over the page, which keeps everything and goes on.
 *
 * Whoever notices the end calls `ended()`; its promise answers true when the same user is signed in again, so that what was
 * refused can be repeated. After signing out on purpose, here or in another tab, the page is left instead.
 */
import { createApi } from "../net/api.js";
import { hearTabs, tellTabs } from "../net/tabs.js";
import { openDialog } from "../ui/dialog.js";
import { h } from "../ui/dom.js";
import { field, wireForm } from "../ui/form.js";

const LATE_MS = 5_000; // for this long after signing in again, answers may still be about the old session
const LEAVING_MS = 30_000; // for this long after a tab announced it, the end of the session counts as a sign-out on purpose

export class SessionEnd {
  #again = null; // the promise of being signed in again
  #settle = null;
  #dialog = null;
  #leaving = 0;
  #signedInAt = 0;

  /** `resumed()` is called when the same user is signed in again; `leave()` shows the sign-in page. */
  constructor({ me, maxNameChars, maxPasswordChars, resumed, leave }) {
    Object.assign(this, { me, maxNameChars, maxPasswordChars, resumed, leave, api: createApi() });
    hearTabs(({ signedIn, leaving }) => {
      if (leaving === me.id) this.#leaving = Date.now();
      if (signedIn && this.#again) this.#signedIn(signedIn);
    });
    // Another tab may have signed in without telling.
    for (const type of ["focus", "online"]) addEventListener(type, () => this.#again && this.#look());
  }

  /** This tab is about to sign out. If it fails, nothing has happened. */
  leaving() {
    this.#leaving = Date.now();
    tellTabs({ leaving: this.me.id });
  }

  /** The session has ended. Answers whether the same user is signed in again, once that is decided. */
  ended() {
    if (Date.now() - this.#leaving < LEAVING_MS) {
      this.leave();
      return Promise.resolve(false);
    }
    if (Date.now() - this.#signedInAt < LATE_MS) {
      return new Promise((resolve) => setTimeout(() => (this.resumed(), resolve(true)), 1000));
    }
    if (!this.#again) {
      this.#again = new Promise((resolve) => (this.#settle = resolve));
      this.#ask();
    }
    return this.#again;
  }

  #ask() {
    const form = h("form", { class: "dialog-form", novalidate: true },
      h("p", { class: "session-text" }, "Sign in again to go on where you are. What you have written is kept."),
      h("p", { class: "form-error", role: "alert", hidden: true }),
      field({ name: "username", label: "Username", value: this.me.username, autocomplete: "username", autocapitalize: "none", spellcheck: "false", maxlength: this.maxNameChars, required: true }),
      field({ name: "password", label: "Password", type: "password", autocomplete: "current-password", maxlength: this.maxPasswordChars, required: true, autofocus: true }),
      h("button", { type: "submit", class: "button button-primary" }, h("span", { class: "button-text" }, "Sign in")),
      h("button", { type: "button", class: "link-button", id: "session-leave", on: { click: () => this.leave() } }, "Leave this page"));
    wireForm(form, {
      send: (body) => this.api.post("/api/sign-in", body),
      done: ({ user }) => {
        tellTabs({ signedIn: user.id });
        this.#signedIn(user.id);
      },
    });
    this.#dialog = openDialog({ title: "Your session has ended", content: form, className: "dialog-session", staying: true });
    this.#dialog.element.id = "session-ended";
  }

  async #look() {
    const me = await this.api.get("/api/me").catch(() => null);
    if (me && this.#again) this.#signedIn(me.id);
  }

  #signedIn(userId) {
    if (userId !== this.me.id) return location.reload();
    const settle = this.#settle;
    this.#signedInAt = Date.now();
    this.#again = this.#settle = null;
    this.#dialog.close();
    this.resumed();
    settle(true);
  }
}
