/** Forms that are sent as JSON, on the account pages and in the app: errors stand beside their fields, passwords can be
 * shown, Caps Lock is pointed out, and after too many attempts the form waits. */
import { countdown } from "./countdown.js";
import { fill, h } from "./dom.js";
import { plural } from "./time.js";

let number = 0;

/** How long to wait, as people say it: `40 seconds`, `4:32 minutes`. */
export const waitText = (seconds) => (seconds < 60 ? plural(seconds, "second") : `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")} minutes`);

/** A server's message about a field, in the words of the form: it begins with the field's label. */
export function sentence(message, field, label) {
  const named = label && message.startsWith(`${field} `) ? label + message.slice(field.length) : message;
  return named[0].toUpperCase() + named.slice(1);
}

/** What is wrong with a field's value, as far as the browser can tell, or null. */
export function fault({ value, required, minLength = -1 }) {
  if (required && !value.trim()) return "Please fill this in.";
  if (minLength > 0 && value && value.length < minLength) return `At least ${plural(minLength, "character")}, please.`;
  return null;
}

/** A labelled input with room for its error; `attributes` are the input's own. */
export function field({ name, label, hint = "", type = "text", ...attributes }) {
  const id = `field-${name}-${++number}`;
  const input = h("input", { id, name, type, "aria-describedby": `${id}-hint ${id}-error`, ...attributes });
  const password = type === "password";
  return h("div", { class: "field" },
    h("label", { for: id }, label),
    password ? h("div", { class: "with-button" }, input,
      h("button", { type: "button", class: "inside-button", data: { reveal: name }, "aria-pressed": "false", "aria-label": "Show password" }, "Show")) : input,
    password ? h("p", { class: "field-note", data: { caps: name }, hidden: true }, "Caps Lock is on.") : null,
    h("p", { class: "field-hint", id: `${id}-hint`, hidden: !hint }, hint),
    h("p", { class: "field-error", id: `${id}-error`, "aria-live": "polite" }));
}

function wirePasswords(form) {
  for (const reveal of form.querySelectorAll("[data-reveal]")) {
    const input = form.elements[reveal.dataset.reveal];
    reveal.hidden = false;
    reveal.addEventListener("click", () => {
      const shown = input.type === "password";
      input.type = shown ? "text" : "password";
      reveal.setAttribute("aria-pressed", String(shown));
      reveal.setAttribute("aria-label", shown ? "Hide password" : "Show password");
      reveal.textContent = shown ? "Hide" : "Show";
      input.focus();
    });
  }
  for (const note of form.querySelectorAll("[data-caps]")) {
    const input = form.elements[note.dataset.caps];
    const look = (event) => (note.hidden = !event.getModifierState?.("CapsLock"));
    for (const type of ["keydown", "keyup"]) input.addEventListener(type, look);
    input.addEventListener("blur", () => (note.hidden = true));
  }
}

/** Sends the form's values by `send(body)`; `done(answer, body)` when that has succeeded. A `.form-error` in the form shows errors that
 * belong to no field. Fields that are `data-optional` are left out where they are blank. */
export function wireForm(form, { send, done }) {
  const button = form.querySelector("button[type=submit]");
  const formError = form.querySelector(".form-error");
  let waitsUntil = 0;

  function show(input, message) {
    const around = input?.closest?.(".field");
    if (!around) return false;
    around.querySelector(".field-error").textContent = sentence(message, input.name, around.querySelector("label").textContent);
    input.setAttribute("aria-invalid", "true");
    input.focus();
    return true;
  }

  function tell(...content) {
    fill(formError, ...content);
    formError.hidden = false;
  }

  function clear() {
    formError.hidden = true;
    for (const place of form.querySelectorAll(".field-error")) place.textContent = "";
    for (const input of form.querySelectorAll("[aria-invalid]")) input.removeAttribute("aria-invalid");
  }

  function busy(yes) {
    button.disabled = yes || Date.now() < waitsUntil;
    button.toggleAttribute("data-busy", yes);
  }

  function wait(ms) {
    waitsUntil = Date.now() + ms;
    busy(false);
    tell("Too many attempts. Try again in ", countdown(waitsUntil, waitText), ".");
    setTimeout(() => {
      if (Date.now() < waitsUntil) return;
      clear();
      busy(false);
    }, ms + 20);
  }

  function fail(error) {
    if (error.code === "too_many_attempts" && error.retryAfterMs) return wait(error.retryAfterMs);
    if (error.field && show(form.elements[error.field], error.message)) return;
    tell(error.status === 0 && !navigator.onLine ? "You are offline. Try again when the connection is back." : error.message);
  }

  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (button.disabled) return;
    clear();
    const wrong = [...form.querySelectorAll("input")].map((input) => [input, fault(input)]).filter(([, message]) => message);
    for (const [input, message] of wrong.reverse()) show(input, message);
    if (wrong.length) return;
    const body = Object.fromEntries([...new FormData(form)].filter(([name, value]) => value.trim() || !("optional" in form.elements[name].dataset)));
    busy(true);
    try {
      const answer = await send(body);
      busy(false);
      done(answer, body);
    } catch (error) {
      busy(false);
      if (!error.code) throw error;
      fail(error);
    }
  });
  // An error disappears when its field is changed.
  form.addEventListener("input", ({ target }) => {
    if (!target.hasAttribute("aria-invalid")) return;
    target.removeAttribute("aria-invalid");
    target.closest(".field").querySelector(".field-error").textContent = "";
  });
  wirePasswords(form);
}
