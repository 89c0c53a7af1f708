/** Offers the people of the chat while an `@…` is being typed: the arrow keys and Enter or Tab, or a tap, complete the name. */
import { query as withQuery } from "../net/api.js";
import { candidates, mentionAt } from "../text/mentions.js";
import { userAvatar } from "../ui/avatar.js";
import { fill, h } from "../ui/dom.js";

const PAUSE_MS = 150;
const KNOW_ALL = 50; // in larger chats the server is asked for people of that name
let number = 0;

/** Begins to watch `field`; `place` (an element) gets the list. Answers `{keydown(event) → taken, close()}`. */
export function completion(field, place, { store, users, api }) {
  const id = `completion-${++number}`;
  const list = h("ul", { class: "completion", id, role: "listbox", "aria-label": "People", hidden: true });
  let at = null; // {start, query} of what is being typed
  let found = [];
  let active = 0;
  let timer = null;
  let known = null; // the people that were known when it was last drawn
  place.append(list);
  for (const [name, value] of [["autocomplete", "list"], ["haspopup", "listbox"], ["controls", id]]) field.setAttribute(`aria-${name}`, value);

  const chatOf = () => store.state.chats[store.state.open.chatId];

  function close() {
    at = null;
    clearTimeout(timer);
    list.hidden = true;
    field.removeAttribute("aria-activedescendant");
  }

  function row(user, index) {
    return h("li", { class: "person", id: `${id}-${index}`, role: "option", "aria-selected": String(index === active), data: { userId: user.id } },
      userAvatar(store.state, user.id), h("span", { class: "person-name", dir: "auto" }, user.displayName), h("span", { class: "person-username" }, `@${user.username}`));
  }

  function render() {
    if (!at) return;
    found = candidates(store.state, chatOf(), at.query);
    list.hidden = found.length === 0;
    if (!found.length) return field.removeAttribute("aria-activedescendant");
    active = Math.min(active, found.length - 1);
    fill(list, found.map(row));
    list.children[active].scrollIntoView({ block: "nearest" });
    field.setAttribute("aria-activedescendant", `${id}-${active}`);
  }

  async function ask({ query }, chat) {
    if (chat.participantIds.length <= KNOW_ALL) return users.want(chat.participantIds);
    const page = await api.get(withQuery("/api/users", { q: query, limit: 30 })).catch(() => ({ items: [] }));
    users.take(page.items.filter((user) => chat.participantIds.includes(user.id)));
  }

  function look(event) {
    if (event?.isComposing) return;
    const chat = chatOf();
    const mention = chat && field.selectionStart === field.selectionEnd ? mentionAt(field.value, field.selectionStart) : null;
    if (!mention) return close();
    if (mention.query !== at?.query) active = 0;
    at = mention;
    clearTimeout(timer);
    timer = setTimeout(() => ask(mention, chat), PAUSE_MS);
    render();
  }

  function take(index) {
    const { start, query } = at;
    field.setRangeText(`@${found[index].username} `, start, start + query.length + 1, "end");
    close();
    field.dispatchEvent(new Event("input", { bubbles: true }));
    field.focus();
  }

  for (const type of ["input", "compositionend", "click"]) field.addEventListener(type, look);
  field.addEventListener("keyup", (event) => ["ArrowLeft", "ArrowRight", "Home", "End"].includes(event.key) && look(event));
  field.addEventListener("blur", close);
  list.addEventListener("pointerdown", (event) => event.preventDefault()); // the field keeps the focus
  list.addEventListener("click", (event) => {
    const option = event.target.closest("[role=option]");
    if (option) take([...list.children].indexOf(option));
  });
  const unwatch = store.subscribe(() => {
    if (!field.isConnected) unwatch();
    else if (at && known !== store.state.users) render();
    known = store.state.users;
  });

  /** Handles the keys that belong to the list while it is open. */
  function keydown(event) {
    if (list.hidden || event.isComposing || event.keyCode === 229) return false;
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step) {
      active = (active + step + found.length) % found.length;
      render();
    } else if ((event.key === "Enter" && !event.shiftKey) || event.key === "Tab") {
      take(active);
    } else if (event.key === "Escape") {
      event.stopPropagation();
      close();
    } else {
      return false;
    }
    event.preventDefault();
    return true;
  }

  return { keydown, close };
}
