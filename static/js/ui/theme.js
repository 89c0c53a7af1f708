/** The light or dark theme: what the device says (`system`), or what was chosen here. */
import { h } from "./dom.js";

export const THEMES = [["system", "System"], ["light", "Light"], ["dark", "Dark"]];

export function currentTheme() {
  return document.documentElement.dataset.theme ?? "system";
}

/** Shows a theme that was chosen here or in another tab, and which one it is. */
export function showTheme(theme) {
  if (theme === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
  for (const choice of document.querySelectorAll("input[name=theme]")) choice.checked = choice.value === theme;
}

export function chooseTheme(theme, storage) {
  showTheme(theme);
  if (theme === "system") storage.remove("parley.theme");
  else storage.set("parley.theme", theme);
}

/** The settings' section of the theme. */
export function themeSection({ storage }) {
  return [h("div", { class: "segments", role: "radiogroup", "aria-label": "Theme" }, THEMES.map(([value, label]) =>
    h("label", { class: "segment" }, h("input", { type: "radio", name: "theme", value, checked: currentTheme() === value, on: { change: () => chooseTheme(value, storage) } }), h("span", {}, label))))];
}
