/** Writing a message: grows with its text, keeps a draft for each chat, and never waits for the network. */
import { setText } from "./dom.js";
import { chatTitle } from "./state.js";
import { length } from "./text.js";
import { plural } from "./time.js";

const TYPING_MS = 3_200; // the server passes on one in 3 s
const KEEP_MS = 250;

export function mountComposer({ store, outbox, drafts, stream, messages, maxMessageChars }) {
  const form = document.querySelector("#composer");
  const field = document.querySelector("#composer-text");
  const send = document.querySelector("#send");
  const note = document.querySelector("#composer-note");
  let chatId = null;
  let timer = null;
  let typedAt = 0;

  function grow() {
    field.style.height = "auto";
    field.style.height = `${field.scrollHeight}px`;
  }

  function look() {
    const over = length(field.value.trim()) - maxMessageChars;
    const near = over > -maxMessageChars / 10;
    setText(note, over > 0 ? `${plural(over, "character")} too many` : near ? `${plural(-over, "character")} left` : "");
    note.toggleAttribute("data-over", over > 0);
    send.disabled = !field.value.trim() || over > 0;
    grow();
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
  field.addEventListener("keydown", (event) => {
    if (event.isComposing || event.keyCode === 229) return;
    if (event.key === "Enter" && !event.shiftKey && !event.altKey && !event.ctrlKey && !event.metaKey) {
      event.preventDefault();
      submit();
    } else if (event.key === "ArrowUp" && !event.altKey && !field.value) {
      event.preventDefault();
      messages.editLast();
    }
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    submit();
  });
  addEventListener("pagehide", keep);

  store.watch((state) => [state.open.chatId], (state) => {
    keep();
    chatId = state.open.chatId;
    typedAt = 0;
    write(chatId ? drafts.of(chatId) : "");
  });
  store.watch((state) => [state.open.chatId, state.chats, state.users], (state) => {
    const chat = state.chats[state.open.chatId];
    const title = chat && chatTitle(state, chat);
    field.placeholder = title ? `Message ${title}` : "Message";
    field.setAttribute("aria-label", field.placeholder);
  });
  /** Puts text into the field, as when a message that was not sent is taken back. */
  return { focus: () => field.focus({ preventScroll: true }), write: (text) => (write(text), keep()) };
}
