/** The messages column of the open chat: rendering its rows, paging, reading, and what is done to one message. */
import { chatAvatar } from "./avatar.js";
import { confirm } from "./dialog.js";
import { fill, forget, h, keyed, sameFields } from "./dom.js";
import { icon } from "./icons.js";
import { createMessage, updateMessage } from "./message.js";
import { messageActions } from "./actions.js";
import { showReads } from "./receipts.js";
import { rowsOf } from "./rows.js";
import { Scroll } from "./scroll.js";
import { canDelete, set } from "./state.js";
import { atTime, plural } from "./time.js";
import { isDeleted, MOST, trim } from "./timeline.js";

const NEAR_EDGE = 600;

const skeleton = () => h("li", { class: "messages-skeleton", "aria-hidden": "true" },
  [["", 6], ["", 8], ["own", 5], ["", 7], ["own", 8], ["own", 4]].map(([side, width]) =>
    h("span", { class: `skeleton-row ${side}` }, h("span", { class: `skeleton skeleton-bubble w${width}` }))));

const problem = (text) => h("li", { class: "messages-problem", role: "alert" }, h("span", {}, text),
  h("button", { type: "button", class: "button button-small", data: { action: "reload" } }, "Try again"));

const notMessages = {
  loading: skeleton,
  more: () => h("li", { class: "messages-more", "aria-hidden": "true" }, h("span", { class: "skeleton skeleton-bubble w7" }), h("span", { class: "skeleton skeleton-bubble w5" })),
  failed: ({ error }) => problem(error === "missing" ? "That message is not here." : "The messages could not be loaded."),
  error: () => problem("More messages could not be loaded."),
  day: ({ label }) => h("li", { class: "day" }, h("span", {}, label)),
  divider: () => h("li", { class: "divider", id: "unread-divider" }, h("span", {}, "New messages")),
  start: () => h("li", { class: "messages-start" }),
};

export function mountMessages(services) {
  const { store, loading, navigation, operations, outbox, reading, users } = services;
  const log = document.querySelector("#log");
  const list = document.querySelector("#messages");
  const jump = document.querySelector("#jump");
  const unreadBar = document.querySelector("#unread-bar");
  const timelineOf = (state) => state.timelines[state.open.chatId];
  const messageOf = (row) => timelineOf(store.state)?.items.find((message) => message.id === row?.dataset.messageId);
  let shown = null; // the window that is on the screen
  let placed = true; // the reader has been taken to where reading begins
  const scroll = new Scroll(log, list, () => moved());

  function moved() {
    const { state } = store;
    const timeline = timelineOf(state);
    if (!timeline?.loaded || !placed) return;
    const atBottom = scroll.stuck && timeline.atEnd;
    if (state.atBottom !== atBottom) store.update((now) => ({ ...now, atBottom }));
    const byOthers = (row) => row.dataset.messageId && !row.hasAttribute("data-own");
    reading.saw(messageOf(scroll.lastInView(byOthers)) ?? null);
    if (log.scrollTop < NEAR_EDGE && timeline.error !== "older") loading.older(state.open.chatId);
    if (log.scrollHeight - log.scrollTop - log.clientHeight < NEAR_EDGE && timeline.error !== "newer") loading.newer(state.open.chatId);
  }

  function startRow(element, row, state) {
    const title = row.title ?? "…";
    const what = row.chat.chatType === "direct" ? `your chat with ${title}` : `${title}, created ${atTime(row.chat.createdAt)}`;
    fill(element, chatAvatar(state, row.chat, "avatar-large"), h("h3", {}, title),
      h("p", {}, `This is the beginning of ${what}.${row.empty ? " Nobody has written yet: say hello." : ""}`));
  }

  function update(element, row, before, state) {
    if (row.kind === "message") updateMessage(element, row, before, services);
    else if (row.kind === "start") startRow(element, row, state);
  }

  function render(state) {
    const timeline = timelineOf(state);
    const window_ = state.open.chatId ? `${state.open.chatId} ${timeline?.gen}` : null;
    if (window_ !== shown) {
      shown = window_;
      placed = false;
      forget(list);
      scroll.stuck = true;
    }
    if (!state.open.chatId) return fill(list);
    const rows = rowsOf(state);
    users.want([...new Set(rows.filter((row) => row.kind === "message").map((row) => row.message.senderId))]);
    log.setAttribute("aria-busy", String(Boolean(timeline?.loading)));
    scroll.hold(() => keyed(list, rows, {
      key: (row) => `${row.kind} ${row.key}`,
      create: (row) => (row.kind === "message" ? createMessage() : notMessages[row.kind](row)),
      update: (element, row, before) => update(element, row, before, state),
      same: sameFields,
    }));
    if (!placed && timeline?.loaded && state.dividers[state.open.chatId] !== undefined) place(state);
    shrink(state, timeline);
    showJump(state, timeline);
    showUnreadBar(state, timeline);
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

  /** Keeps the column short: what is far from the reader is dropped and can be loaded again. */
  function shrink(state, timeline) {
    if (!timeline || timeline.items.length <= MOST * 1.2 || timeline.loading) return;
    const end = log.scrollTop > log.scrollHeight / 2 ? "start" : "end";
    store.update((now) => ({ ...now, timelines: set(now.timelines, now.open.chatId, trim(timelineOf(now), end)) }));
  }

  function showJump(state, timeline) {
    jump.hidden = !timeline?.loaded || state.atBottom;
    const count = state.chats[state.open.chatId]?.unreadCount ?? 0;
    fill(jump, icon("down"), count ? plural(count, "new message") : "Newest");
    jump.setAttribute("aria-label", count ? `Jump to ${plural(count, "new message")}` : "Jump to the newest message");
  }

  function showUnreadBar(state, timeline) {
    const divider = state.dividers[state.open.chatId];
    const above = divider && timeline?.loaded && timeline.items.length && timeline.items[0].seq > divider.seq && !timeline.atStart;
    unreadBar.hidden = !above;
    if (above) fill(unreadBar, h("button", { type: "button", data: { action: "first-unread" } }, icon("up"), `${plural(divider.count, "unread message")}: jump to the first`));
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

  const actions = {
    edit: (message) => message?.senderId === store.state.me.id && !isDeleted(message) && store.update((state) => ({ ...state, editing: message.id })),
    async delete(message) {
      if (!message || !canDelete(store.state, message)) return;
      const sure = await confirm({ title: "Delete this message?", text: "It disappears for everybody in this chat. This cannot be undone.", yes: "Delete" });
      if (sure) services.attempt(() => operations.deleteMessage(message), "The message was not deleted.");
    },
    reads: (message) => message && showReads(message, services),
    retry: (_, row) => outbox.retry(row.dataset.key),
    discard: (_, row) => outbox.discard(row.dataset.key),
    reload: () => loading.retry(store.state.open.chatId),
    "first-unread": toFirstUnread,
  };

  function act(event) {
    const button = event.target.closest("[data-action]");
    const row = event.target.closest(".message");
    if (button) actions[button.dataset.action]?.(messageOf(row), row);
  }
  log.addEventListener("click", act);
  unreadBar.addEventListener("click", act);
  jump.addEventListener("click", toNewest);
  messageActions(log, { store, actions, messageOf });
  store.watch((state) => [state.open, timelineOf(state), state.chats, state.outbox, state.watermarks[state.open.chatId], state.users,
    state.dividers, state.editing, state.atBottom, state.aliases], render);
  setInterval(() => render(store.state), 60_000); // "Today" becomes "Yesterday"

  const lastOwn = () => timelineOf(store.state)?.items.findLast((message) => message.senderId === store.state.me.id && !isDeleted(message));
  return { toNewest, editLast: () => actions.edit(lastOwn()) };
}
