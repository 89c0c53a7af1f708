/** Writing a message: grows with its text, keeps a draft for each chat, and never waits for the network. */
import { completion } from "./mention-completion.js";
import { chatTitle } from "../model/state.js";
import { quoteOf } from "../text/quote.js";
import { cut, length } from "../text/rich-text.js";
import { growField, setText } from "../ui/dom.js";
import { pressed } from "../ui/shortcuts.js";
import { plural } from "../ui/time.js";

const TYPING_MS = 3_200; // the server passes on one in 3 s
const KEEP_MS = 250;
const LONGEST_NAME = 26; // as much as a phone shows: a textarea's placeholder does not end with an ellipsis by itself
const SHORT_MS = 2_000; // a shorter interruption is not mentioned
const CONNECTED = new Set(["live", "polling", "connecting"]);

export function mountComposer(services) {
  const { store, outbox, drafts, stream, messages, maxMessageChars } = services;
  const form = document.querySelector("#composer");
  const field = document.querySelector("#composer-text");
  const send = document.querySelector("#send");
  const note = document.querySelector("#composer-note");
  let chatId = null;
  let timer = null;
  let typedAt = 0;
  let offline = false;
  const mentions = completion(field, form, services);

  function look() {
    const over = length(field.value.trim()) - maxMessageChars;
    const near = over > -maxMessageChars / 10;
    setText(note, over > 0 ? `${plural(over, "character")} too many` : near ? `${plural(-over, "character")} left` : offline ? "Not connected: will send when connected" : "");
    note.toggleAttribute("data-over", over > 0);
    send.disabled = !field.value.trim() || over > 0;
    growField(field, form);
  }

  function keep() {
    clearTimeout(timer);
    timer = null;
    if (chatId) drafts.keep(chatId, field.value);
  }

  function write(text) {
    field.value = text;
    look();
  }

  function submit() {
    const content = field.value.trim();
    if (!content || send.disabled || !chatId) return;
    write("");
    keep();
    outbox.add(chatId, content);
    messages.toNewest();
    field.focus();
  }

  field.addEventListener("input", () => {
    look();
    timer ??= setTimeout(keep, KEEP_MS);
    if (field.value.trim() && Date.now() - typedAt > TYPING_MS) {
      typedAt = Date.now();
      stream.send({ type: "typing", chatId });
    }
  });
  /** Puts text before the draft, such as a quote or a message that was taken back; the caret goes to the end. */
  function prepend(text, between = "") {
    write(text + (field.value ? between + field.value : ""));
    keep();
    field.focus({ preventScroll: true });
    field.setSelectionRange(field.value.length, field.value.length);
    field.scrollTop = field.scrollHeight;
  }

  field.addEventListener("keydown", (event) => {
    if (event.isComposing || event.keyCode === 229 || mentions.keydown(event)) return;
    if (pressed(event, "send")) {
      event.preventDefault();
      submit();
    } else if (pressed(event, "edit-last") && !field.value) {
      event.preventDefault();
      messages.editLast();
    }
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    submit();
  });
  addEventListener("pagehide", keep);

  // A chat that is gone keeps its draft, which lost-drafts.js gives back, but nothing more can be written in it.
  const writable = ({ open, gone }) => (open.chatId in gone ? null : open.chatId);
  store.watch((state) => [writable(state)], (state) => {
    keep();
    chatId = writable(state);
    typedAt = 0;
    mentions.close();
    write(chatId ? drafts.of(chatId) : "");
  });
  store.watch((state) => [state.open.chatId, state.chats, state.users], (state) => {
    const chat = state.chats[state.open.chatId];
    const title = chat && chatTitle(state, chat);
    field.placeholder = title ? `Message ${cut(title, LONGEST_NAME)}` : "Message";
    field.setAttribute("aria-label", title ? `Message ${title}` : "Message");
  });
  let waiting = null;
  store.watch((state) => [state.connection.phase], ({ connection: { phase } }) => {
    clearTimeout(waiting);
    const say = (now) => ((offline = now), look());
    if (CONNECTED.has(phase)) say(false);
    else waiting = setTimeout(() => say(true), SHORT_MS);
  });

  return {
    focus: () => field.focus({ preventScroll: true }),
    /** Another tab has changed the draft. */
    show: write,
    /** Begins a reply to a message. */
    quote: (author, content) => prepend(quoteOf(author, content)),
    /** Gives a message that was not sent back to its writer. */
    takeBack: (content) => prepend(content, "\n"),
  };
}
