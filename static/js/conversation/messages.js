/** The messages column of the open chat: renders its rows, loads more, reports what is in view, and handles clicks. */
import { mountDay } from "./day-pill.js";
import { mountJumps } from "./jump-buttons.js";
import { messageActions } from "./message-actions.js";
import { longPress } from "./message-menu.js";
import { rowsOf } from "./message-rows.js";
import { messageToolbar } from "./message-toolbar.js";
import { createMessage, updateMessage } from "./message.js";
import { Scroll } from "./scroll.js";
import { parsePath } from "../model/addresses.js";
import { MOST, trim } from "../model/message-timeline.js";
import { isDeleted } from "../model/message.js";
import { isDirect, sameFields, set } from "../model/state.js";
import { mentionsOf } from "../text/mentions.js";
import { chatAvatar } from "../ui/avatar.js";
import { fill, forget, h, keyed } from "../ui/dom.js";
import { atTime } from "../ui/time.js";

const NEAR_EDGE = 600;
const KNOW_ALL = 50; // in chats of at most this many people, all are looked up where somebody is mentioned

const skeleton = () => h("li", { class: "messages-skeleton", "aria-hidden": "true" },
  [["", 6], ["", 8], ["own", 5], ["", 7], ["own", 8], ["own", 4]].map(([side, width]) =>
    h("span", { class: `skeleton-row ${side}` }, h("span", { class: `skeleton skeleton-bubble w${width}` }))));

const problem = (text, action = "reload", label = "Try again") => h("li", { class: "messages-problem", role: "alert" }, h("span", {}, text),
  h("button", { type: "button", class: "button button-small", data: { action } }, label));

const notMessages = {
  loading: skeleton,
  more: () => h("li", { class: "messages-more", "aria-hidden": "true" }, h("span", { class: "skeleton skeleton-bubble w7" }), h("span", { class: "skeleton skeleton-bubble w5" })),
  failed: ({ error }) => (error === "missing" ? problem("That message is not here. The link may be wrong.", "newest", "Show the newest messages") : problem("The messages could not be loaded.")),
  error: () => problem("More messages could not be loaded."),
  day: ({ label }) => h("li", { class: "day" }, h("span", {}, label)),
  divider: () => h("li", { class: "divider", id: "unread-divider" }, h("span", {}, "New messages")),
  start: () => h("li", { class: "messages-start" }),
};

export function mountMessages(services) {
  const { store, loading, navigation, outbox, reading, users } = services;
  const log = document.querySelector("#log");
  const list = document.querySelector("#messages");
  const timelineOf = (state) => state.timelines[state.open.chatId];
  const messageOf = (row) => timelineOf(store.state)?.items.find((message) => message.id === row?.dataset.messageId);
  let shown = null; // the window that is on the screen
  let drawn = null; // its timeline as it was drawn last; the state's may be a newer one until the next paint
  let placed = true; // the column has been scrolled to where reading begins
  const scroll = new Scroll(log, list, () => moved());
  const showDay = mountDay(log.parentElement, () => (scroll.stuck ? null : scroll.topmost()));
  const showJumps = mountJumps({ newest: toNewest, firstUnread: toFirstUnread });
  const actions = messageActions(services);

  function moved() {
    const { state } = store;
    const timeline = timelineOf(state);
    // The distance to an edge does not include rows that have come and are not drawn yet; drawing them calls this again.
    if (!timeline?.loaded || !placed || timeline !== drawn) return;
    const atBottom = scroll.stuck && timeline.atEnd;
    if (state.atBottom !== atBottom) store.update((now) => ({ ...now, atBottom }));
    const byOthers = (row) => row.dataset.messageId && !row.hasAttribute("data-own");
    reading.saw(messageOf(scroll.lastInView(byOthers)) ?? null);
    if (log.scrollTop < NEAR_EDGE && timeline.error !== "older") loading.older(state.open.chatId);
    if (log.scrollHeight - log.scrollTop - log.clientHeight < NEAR_EDGE && timeline.error !== "newer") loading.newer(state.open.chatId);
  }

  function startRow(element, row, state) {
    const title = row.title ?? "…";
    const what = isDirect(row.chat) ? `your chat with ${title}` : `${title}, created ${atTime(row.chat.createdAt)}`;
    fill(element, chatAvatar(state, row.chat, "avatar-large"), h("h3", { dir: "auto" }, title),
      h("p", {}, `This is the beginning of ${what}.${row.empty ? " Nobody has written yet: say hello." : ""}`));
  }

  function update(element, row, before, state) {
    if (row.kind === "message") updateMessage(element, row, before, services);
    else if (row.kind === "start") startRow(element, row, state);
  }

  /** Senders, readers whose faces are shown, and in a small chat all who may be mentioned. */
  function wantPeople(rows, chat) {
    const ids = new Set(rows.flatMap((row) => (row.kind === "message" ? [row.message.senderId, ...row.seenBy.split(",", 4)] : [])));
    const mentioned = rows.some((row) => row.kind === "message" && mentionsOf(row.message).length);
    users.want([...ids, ...(mentioned && chat?.participantIds.length <= KNOW_ALL ? chat.participantIds : [])]);
  }

  function render(whole) {
    const window_ = whole.open.chatId ? `${whole.open.chatId} ${timelineOf(whole)?.gen}` : null;
    if (window_ !== shown) {
      shown = window_;
      placed = false;
      forget(list);
      scroll.stuck = true;
    }
    const state = shortened(whole);
    const timeline = timelineOf(state);
    if (!state.open.chatId) return fill(list);
    const rows = rowsOf(state);
    wantPeople(rows, state.chats[state.open.chatId]);
    log.setAttribute("aria-busy", String(Boolean(timeline?.loading)));
    drawn = timeline;
    scroll.hold(() => keyed(list, rows, {
      key: (row) => `${row.kind} ${row.key}`,
      create: (row) => (row.kind === "message" ? createMessage() : notMessages[row.kind](row)),
      update: (element, row, before) => update(element, row, before, state),
      same: sameFields,
    }));
    if (!placed && timeline?.loaded && state.dividers[state.open.chatId] !== undefined) place(state);
    showJumps(state, timeline);
  }

  /** Where reading begins: the message of the address, the first unread one, or the newest. */
  function place(state) {
    placed = true;
    const marked = state.open.messageId && list.querySelector("[data-marked]");
    const divider = list.querySelector("#unread-divider");
    if (marked) scroll.to(marked, 0.35);
    else if (divider && state.dividers[state.open.chatId]) scroll.to(divider, 0.25);
    else if (timelineOf(state).atEnd) scroll.toBottom();
    else if (divider) scroll.to(divider, 0.25);
    moved();
  }

  /** Keeps the column short: drops the messages farthest from the reader before it is drawn. They can be loaded again. */
  function shortened(state) {
    const timeline = timelineOf(state);
    if (!timeline || timeline.items.length <= MOST || !placed) return state;
    const end = log.scrollTop > log.scrollHeight / 2 ? "start" : "end";
    const short = trim(timeline, end);
    if (short === timeline) return state;
    store.update((now) => (timelineOf(now) === timeline ? { ...now, timelines: set(now.timelines, now.open.chatId, short) } : now));
    return { ...state, timelines: set(state.timelines, state.open.chatId, short) };
  }

  function toFirstUnread() {
    const { open, dividers } = store.state;
    const { after } = dividers[open.chatId];
    if (after) loading.open(open.chatId, after);
    else log.scrollTop = 0;
  }

  function toNewest() {
    const { open } = store.state;
    if (open.messageId) navigation.open(open.chatId);
    if (timelineOf(store.state)?.atEnd) scroll.toBottom();
    else loading.open(open.chatId);
  }

  const buttons = {
    retry: (row) => outbox.retry(row.dataset.key),
    "take-back": (row) => services.composer.takeBack(outbox.discard(row.dataset.key).content),
    discard: (row) => outbox.discard(row.dataset.key),
    reload: () => loading.retry(store.state.open.chatId),
    newest: toNewest,
  };

  log.addEventListener("click", (event) => {
    const pressed = event.target.closest("[data-action]");
    const row = event.target.closest(".message");
    if (pressed) return (buttons[pressed.dataset.action] ?? ((one) => actions.run(pressed.dataset.action, messageOf(one))))(row);
    const link = event.target.closest("a");
    const { chatId, messageId } = link?.origin === location.origin ? parsePath(link.pathname) : {};
    if (!chatId || event.metaKey || event.ctrlKey || event.shiftKey) return;
    event.preventDefault();
    navigation.open(chatId, { messageId });
  });
  log.addEventListener("scroll", showDay, { passive: true });
  reading.listen(log, document.querySelector("#composer"));
  messageToolbar(log, { actions, messageOf });
  longPress(log, { actions, messageOf });
  store.watch((state) => [state.open, timelineOf(state), state.chats, state.outbox, state.watermarks[state.open.chatId], state.users,
    state.dividers, state.editing, state.atBottom, state.aliases, state.connection.phase], render);
  setInterval(() => render(store.state), 60_000); // "Today" becomes "Yesterday"

  const lastOwn = () => timelineOf(store.state)?.items.findLast((message) => message.senderId === store.state.me.id && !isDeleted(message));
  return { toNewest, editLast: () => actions.run("edit", lastOwn()) };
}
