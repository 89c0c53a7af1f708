/** The keys of the page: the list that `?` shows and the keys that work are these rows. Pure.
 *
 * A row is `{name, keys, what}`. In `keys`, `Ctrl` is also ⌘. keyboard.js runs the rows of `anywhere`; the parts of the screen ask
 * `pressed(event, name)` for theirs. The keys of what can be done to a message stand with the actions, in message-actions.js.
 */
export const SHORTCUTS = {
  anywhere: [
    { name: "switcher", keys: ["Ctrl+K"], what: "Go to a chat or a person" },
    { name: "search", keys: ["Ctrl+Shift+F", "/"], what: "Search messages" },
    { name: "previous-chat", keys: ["Alt+ArrowUp"], what: "Previous chat" },
    { name: "next-chat", keys: ["Alt+ArrowDown"], what: "Next chat" },
    { name: "previous-unread", keys: ["Alt+Shift+ArrowUp"], what: "Previous unread chat" },
    { name: "next-unread", keys: ["Alt+Shift+ArrowDown", "Alt+U"], what: "Next unread chat" },
    { name: "new-chat", keys: ["Alt+N"], what: "New chat" },
    { name: "details", keys: ["Alt+D"], what: "Details of the chat" },
    { name: "escape", keys: ["Escape"], what: "Close, or mark the chat as read and go to the message field" },
    { name: "shortcuts", keys: ["?"], what: "This list" },
  ],
  writing: [
    { name: "send", keys: ["Enter"], what: "Send" },
    { name: "new-line", keys: ["Shift+Enter"], what: "New line" },
    { name: "edit-last", keys: ["ArrowUp"], what: "Edit your last message, in an empty field" },
    { name: "mention", keys: ["@"], what: "Mention somebody" },
  ],
  message: [
    { name: "older", keys: ["ArrowUp", "k"], what: "Message before" },
    { name: "newer", keys: ["ArrowDown", "j"], what: "Message after" },
    { name: "menu", keys: ["Enter"], what: "All that can be done to it" },
  ],
};

const byName = new Map(Object.values(SHORTCUTS).flat().map((row) => [row.name, row]));

/** Where a sign is typed differs between keyboards, so Shift is ignored for signs. Alt turns letters into other characters on a Mac, so a letter with Alt is recognised by its key. */
function is(event, combination) {
  const parts = combination.split("+");
  const key = parts.pop();
  const wants = (modifier) => parts.includes(modifier);
  if ((event.ctrlKey || event.metaKey) !== wants("Ctrl") || event.altKey !== wants("Alt")) return false;
  const letter = /^[a-z]$/i.test(key);
  const sign = key.length === 1 && !letter;
  if (!sign && event.shiftKey !== wants("Shift")) return false;
  return event.key.toLowerCase() === key.toLowerCase() || (letter && wants("Alt") && event.code === `Key${key.toUpperCase()}`);
}

/** The row, of these, whose key this keydown is, or undefined. A row may be without keys. */
export const shortcutOf = (event, rows) => rows.find(({ keys }) => keys?.some((combination) => is(event, combination)));

/** Whether this keydown is that of the row `name`. */
export const pressed = (event, name) => Boolean(shortcutOf(event, [byName.get(name)]));

/** Whether this key types a character: then it belongs to the field that has the focus. */
export const writes = (event) => event.key.length === 1 && !event.ctrlKey && !event.metaKey && !event.altKey;

const NAMES = { ArrowUp: "↑", ArrowDown: "↓", Escape: "Esc", Delete: "Del", Backspace: "⌫" };
const ON_MAC = { Ctrl: "⌘", Alt: "⌥", Shift: "⇧" };

const onMac = () => /mac|iphone|ipad/i.test(globalThis.navigator?.platform ?? "");

/** `Alt+Shift+ArrowUp` → `["Alt", "Shift", "↑"]`, as the keys of this device are named. */
export function keycaps(combination, mac = onMac()) {
  return combination.split("+").map((part) => (mac && ON_MAC[part]) || NAMES[part] || (part.length === 1 ? part.toUpperCase() : part));
}

/** The first keys of a row in words, for menus: `Alt N`; empty where it has none. */
export const keysText = ({ keys }) => (keys ? keycaps(keys[0]).join(" ") : "");

/** The same of the row `name`. */
export const keysOf = (name) => keysText(byName.get(name));
