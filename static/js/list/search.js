/** The search panel, which takes the place of the chat list: finds messages in the user's chats and leads to them. */
import { createResult, resultOf, updateResult } from "./search-results.js";
import { readMessage } from "../model/message.js";
import { chatTitle, isDirect, otherOf, sameFields } from "../model/state.js";
import { query } from "../net/api.js";
import { fill, h, keyed, setText } from "../ui/dom.js";
import { icon } from "../ui/icons.js";
import { plural } from "../ui/time.js";

const PAUSE_MS = 250;
const NEAR_END = 300; // pixels
const AT_ONCE = 3; // fewer than the server allows

export function mountSearch(services) {
  const { store, api, navigation, users, wide } = services;
  const panel = document.querySelector("#search");
  const sidebar = document.querySelector("#sidebar");
  const opener = document.querySelector("#open-search");

  let here = null; // the chat that can be searched alone
  let asked = ""; // what the results are for
  let results = [];
  let next = null;
  let problem = null; // an ApiError
  let busy = false;
  let underWay = 0;
  let turn = 0;
  let timer = null;
  let opened = null; // the result that was jumped to
  let before = null; // what had the focus

  const field = h("input", { type: "search", id: "search-text", placeholder: "Search messages", "aria-label": "Search messages", "aria-controls": "search-hits", autocomplete: "off", spellcheck: "false", enterkeyhint: "search" });
  const scopes = h("fieldset", { class: "segments search-scopes" }, h("legend", { class: "visually-hidden" }, "Where to search"),
    [["here", "This chat"], ["all", "All chats"]].map(([value, label]) => h("label", { class: "segment" }, h("input", { type: "radio", name: "search-scope", value }), h("span", {}, label))));
  const status = h("p", { class: "search-status", role: "status" });
  const list = h("ul", { class: "search-results", id: "search-hits", "aria-label": "Messages found" });
  const note = h("div", { class: "search-note" });
  const scroll = h("div", { class: "search-scroll" }, list, note);
  fill(panel,
    h("header", { class: "bar search-bar" },
      h("button", { type: "button", class: "icon-button", id: "close-search", "aria-label": "Close the search", title: "Close (Esc)", on: { click: () => close() } }, icon("back")),
      h("h2", { class: "visually-hidden" }, "Search messages"), field),
    scopes, status, scroll);

  const only = () => Boolean(here) && scopes.querySelector("input:checked")?.value === "here";
  const button = (label, run) => h("button", { type: "button", class: "button button-small", on: { click: run } }, label);
  const skeletons = () => [7, 5, 8, 6, 7].map((width) => h("div", { class: "search-result search-result-skeleton", "aria-hidden": "true" }, h("span", { class: `skeleton skeleton-line w${width}` }), h("span", { class: "skeleton skeleton-line w9" }), h("span", { class: "skeleton skeleton-line w6" })));

  function noteOf() {
    if (busy) return asked && !results.length ? skeletons() : results.length ? skeletons().slice(0, 1) : [];
    if (problem) {
      const lost = problem.code === "unreachable";
      return [h("p", {}, lost ? "The server cannot be reached. The search goes on when it can." : problem.message), problem.temporary ? button("Try again", () => ask(next)) : null];
    }
    if (!asked) {
      return [icon("find"), h("p", { class: "note-title" }, "Find what was said"),
        h("p", {}, "Every word must be there. ", h("kbd", {}, "\"two words\""), " finds them together, ", h("kbd", {}, "-word"), " leaves out.")];
    }
    if (!results.length) return [h("p", { class: "note-title" }, "Nothing found"), h("p", { dir: "auto" }, `No message has “${asked}”.`), only() ? button("Search all chats", () => setScope("all")) : null];
    return next ? [button("More", () => ask(next))] : [];
  }

  function render() {
    const { state } = store;
    const otherIn = (chat) => (chat && isDirect(chat) ? otherOf(state, chat) : null);
    users.want(results.flatMap((result) => [result.message.senderId, otherIn(state.chats[result.chatId])]));
    const rows = results.map((result) => resultOf(state, result, { opened, now: new Date() }));
    keyed(list, rows, { key: (row) => row.id, create: createResult, update: updateResult, same: sameFields });
    list.setAttribute("aria-busy", String(busy));
    fill(note, noteOf());
    note.hidden = !note.childNodes.length;
    status.classList.toggle("visually-hidden", !results.length);
    setText(status, busy || problem || !asked ? "" : results.length ? `${next ? "The newest " : ""}${plural(results.length, "message")}` : "Nothing found");
  }

  /** Asks for the first page, or the one that follows. */
  async function ask(from = null) {
    clearTimeout(timer);
    timer = underWay < AT_ONCE ? null : setTimeout(() => ask(from), PAUSE_MS);
    if (timer) return;
    const mine = ++turn;
    const text = from ? asked : field.value.trim();
    if (!from) [asked, results, next, opened] = [text, text === asked ? results : [], null, null];
    problem = null;
    busy = Boolean(text);
    render();
    if (!text) return;
    underWay += 1;
    try {
      const page = await api.get(query("/api/search", { q: text, chatId: only() ? here : null, before: from }));
      if (mine !== turn) return;
      const found = page.items.map((item) => ({ ...item, message: readMessage(item.message) }));
      [results, next] = [from ? [...results, ...found] : found, page.next];
    } catch (error) {
      if (mine !== turn) return;
      problem = error;
    } finally {
      underWay -= 1;
    }
    busy = false;
    if (!from) scroll.scrollTop = 0;
    render();
  }

  function setScope(value) {
    scopes.querySelector(`[value="${value}"]`).checked = true;
    ask();
  }

  /** Opens the panel; with a chat, it is searched alone at first. */
  function open(chatId = null) {
    if (panel.hidden) before = document.activeElement;
    const chat = chatId ?? store.state.open.chatId;
    if (!wide()) navigation.list();
    panel.hidden = false;
    sidebar.dataset.view = "search";
    opener.setAttribute("aria-expanded", "true");
    if (store.state.chats[chat]) here = chat;
    scopes.hidden = !store.state.chats[here];
    setText(scopes.querySelector("span"), store.state.chats[here] ? `In ${chatTitle(store.state, store.state.chats[here]) ?? "this chat"}` : "");
    const scope = chatId ? "here" : "all";
    if (!scopes.querySelector(`[value="${scope}"]`).checked) setScope(scope);
    else render();
    field.focus();
    field.select();
  }

  function close() {
    if (panel.hidden) return;
    panel.hidden = true;
    delete sidebar.dataset.view;
    opener.setAttribute("aria-expanded", "false");
    const back = before?.isConnected && before.checkVisibility() && before !== document.body ? before : store.state.open.chatId ? document.querySelector("#composer-text") : opener;
    back.focus();
  }

  const links = () => [...list.querySelectorAll("a")];
  panel.addEventListener("keydown", (event) => {
    if (event.isComposing || event.altKey || event.ctrlKey || event.metaKey) return;
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (event.key === "Escape") close();
    else if (event.key === "Enter" && event.target === field) timer || field.value.trim() !== asked ? ask() : links()[0]?.click();
    else if (step && !event.target.matches("[type=radio]")) (links()[links().indexOf(document.activeElement) + step] ?? (step < 0 ? field : null))?.focus();
    else return;
    event.preventDefault();
  });
  list.addEventListener("click", (event) => {
    const link = event.target.closest("a");
    if (!link || event.button || event.metaKey || event.ctrlKey || event.shiftKey) return;
    event.preventDefault();
    opened = link.dataset.messageId;
    navigation.open(link.dataset.chatId, { messageId: opened });
    render();
  });
  field.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(ask, field.value.trim() ? PAUSE_MS : 0);
  });
  scopes.addEventListener("change", () => ask());
  scroll.addEventListener("scroll", () => next && !busy && !timer && !problem && scroll.scrollTop + scroll.clientHeight > scroll.scrollHeight - NEAR_END && ask(next));
  opener.addEventListener("click", () => open());
  store.watch((state) => [state.users, state.chats], () => panel.hidden || render());
  store.watch((state) => [state.connection.phase], ({ connection: { phase } }) => {
    if (!panel.hidden && problem?.temporary && (phase === "live" || phase === "polling")) ask(next);
  });

  return { open, close };
}
