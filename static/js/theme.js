/** The light or dark theme: what the device says (`system`), or what was chosen here. */
export const THEMES = [["system", "System"], ["light", "Light"], ["dark", "Dark"]];

export function currentTheme() {
  return document.documentElement.dataset.theme ?? "system";
}

export function chooseTheme(theme, storage) {
  if (theme === "system") {
    delete document.documentElement.dataset.theme;
    storage.remove("parley.theme");
  } else {
    document.documentElement.dataset.theme = theme;
    storage.set("parley.theme", theme);
  }
}
