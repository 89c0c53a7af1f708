/** The sign-in and sign-up pages: sends the form as JSON and shows what was wrong beside its field. */
import { createApi } from "./api.js";
import { nextPath } from "./navigation.js";

const form = document.querySelector("#account-form");
const button = form.querySelector("button[type=submit]");
const formError = document.querySelector("#form-error");
const api = createApi();

function show(field, message) {
  const input = form.elements[field];
  const place = document.querySelector(`#${field}-error`);
  if (!input || !place) return false;
  place.textContent = message[0].toUpperCase() + message.slice(1);
  input.setAttribute("aria-invalid", "true");
  input.focus();
  return true;
}

function clear() {
  formError.hidden = true;
  for (const place of form.querySelectorAll(".field-error")) place.textContent = "";
  for (const input of form.querySelectorAll("[aria-invalid]")) input.removeAttribute("aria-invalid");
}

function fail(error) {
  if (error.field && show(error.field, error.message)) return;
  if (error.code === "username_taken" && show("username", error.message)) return;
  const wait = error.retryAfterMs ? ` Try again in ${Math.ceil(error.retryAfterMs / 1000)} seconds.` : "";
  formError.textContent = error.message + wait;
  formError.hidden = false;
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  clear();
  const body = Object.fromEntries([...new FormData(form)].filter(([name, value]) => name !== "displayName" || value.trim()));
  const missing = ["username", "password"].find((name) => !body[name]);
  if (missing) return show(missing, "Please fill this in.");
  button.disabled = true;
  button.dataset.busy = "";
  try {
    await api.post(form.getAttribute("action"), body);
    location.assign(nextPath(location.search));
  } catch (error) {
    button.disabled = false;
    delete button.dataset.busy;
    fail(error);
  }
});

for (const reveal of form.querySelectorAll("[data-reveal]")) {
  const input = form.elements[reveal.dataset.reveal];
  reveal.addEventListener("click", () => {
    const shown = input.type === "password";
    input.type = shown ? "text" : "password";
    reveal.setAttribute("aria-pressed", String(shown));
    reveal.setAttribute("aria-label", shown ? "Hide password" : "Show password");
    reveal.textContent = shown ? "Hide" : "Show";
    input.focus();
  });
}

for (const link of document.querySelectorAll("[data-keep-next]")) link.search = location.search;
