/** Notifies of a new message when nobody is looking: by a notification of the browser, one for each chat, and by a sound.
 *
 * Only one of a user's tabs notifies, and none while one of them is being looked at. Which messages count is chosen for each browser.
 * Permission is asked for in the settings, or by a line below the chat list after a message has come unseen.
 */
import { textOf } from "../model/message.js";
import { chatTitle, isDirect, isMuted, nameOf } from "../model/state.js";
import { createLocks } from "../net/locks.js";
import { maySound, playSound } from "./sound.js";
import { mentionsMe } from "../text/mentions.js";
import { oneLine } from "../text/rich-text.js";
import { fill, h } from "../ui/dom.js";
import { icon } from "../ui/icons.js";

const KEY = "parley.notifications";
const SOUND_PAUSE_MS = 3_000;
const ABOUT = [["all", "All messages"], ["direct", "Direct messages and mentions"], ["none", "Nothing"]];

export const preferences = (storage) => ({ about: "all", sound: true, asked: false, ...storage.get(KEY) });
const prefer = (storage, change) => storage.set(KEY, { ...preferences(storage), ...change });

/** `unsupported` (an old browser, or a page over plain HTTP), `default` (nobody was asked), `granted` or `denied`. */
export const permission = () => ("Notification" in globalThis && globalThis.isSecureContext ? Notification.permission : "unsupported");

/** Whether to notify of this message somebody who is not looking. Pure. */
export function isWorthTelling(state, message, { about }) {
  const chat = state.chats[message.chatId];
  if (about === "none" || !chat || message.senderId === state.me.id || isMuted(state, chat.id)) return false;
  return about === "all" || isDirect(chat) || mentionsMe(state, message);
}

/** What a notification says: `{title, body}`. Pure. */
export function wordsOf(state, message) {
  const chat = state.chats[message.chatId];
  const name = nameOf(state, message.senderId) ?? "Somebody";
  const title = isDirect(chat) ? name : `${name} in ${chatTitle(state, chat) ?? "a group"}`;
  return { title, body: oneLine(textOf(message)).slice(0, 200) };
}

export function mountNotifications({ store, storage, navigation, users, locks = createLocks(store.state.me.id) }) {
  const shown = new Map(); // chatId → Notification of this tab
  const prompt = document.querySelector("#notify-prompt");

  function open(chatId) {
    globalThis.focus();
    navigation.open(chatId);
  }

  function show(message) {
    const { title, body } = wordsOf(store.state, message);
    const notification = new Notification(title, { body, tag: `parley.${message.chatId}`, icon: document.querySelector("#favicon").href, silent: true });
    notification.onclick = () => (open(message.chatId), notification.close());
    notification.onclose = () => shown.get(message.chatId) === notification && shown.delete(message.chatId);
    shown.set(message.chatId, notification);
  }

  async function tell(message) {
    const { state } = store;
    const preferred = preferences(storage);
    if (!isWorthTelling(state, message, preferred) || state.attentive || (await locks.attended())) return;
    if (permission() === "default" && !preferred.asked) prompt.hidden = false;
    if (preferred.sound && maySound() && (await locks.acquire(`sound.${message.id}`)) && (await locks.acquire("sound", SOUND_PAUSE_MS))) playSound().catch(() => {});
    if (permission() === "granted" && (await locks.acquire(`notification.${message.id}`))) show(message);
  }

  async function ask(yes) {
    if (yes) await Notification.requestPermission();
    prefer(storage, { asked: true });
    prompt.hidden = true;
  }

  fill(prompt, icon("bell"), h("p", {}, "Be told of new messages when you are elsewhere?"),
    h("div", { class: "notify-buttons" },
      h("button", { type: "button", class: "button button-small", on: { click: () => ask(false) } }, "Not now"),
      h("button", { type: "button", class: "button button-primary button-small", on: { click: () => ask(true) } }, "Turn on")));

  store.watch((state) => [state.attentive], ({ attentive }) => locks.attend(attentive));
  store.watch((state) => [state.heard], ({ heard }) => {
    if (!heard.length) return;
    store.update((state) => ({ ...state, heard: [] }));
    users.want(heard.map((message) => message.senderId));
    for (const message of heard) tell(message);
  });
  // The messages have been read, here or elsewhere.
  store.watch((state) => [state.chats], ({ chats }) => {
    for (const [chatId, notification] of shown) if (!chats[chatId]?.unreadCount) notification.close();
  });
}

/** The settings' section: permission of this browser, which messages, and the sound. */
export function notificationsSection({ storage }) {
  const place = h("div", { class: "notify-settings" });

  function allowed() {
    const state = permission();
    if (state === "granted") return h("p", { class: "settings-note" }, "This browser shows notifications while you are not looking at Parley.");
    if (state === "denied") return h("p", { class: "settings-note" }, "This browser does not let Parley show notifications. Allow them in its settings for this site.");
    if (state === "unsupported") return h("p", { class: "settings-note" }, "This browser shows notifications only over HTTPS.");
    const turnOn = async () => {
      await Notification.requestPermission();
      render();
    };
    return h("div", { class: "notify-allow" }, h("p", { class: "settings-note" }, "Be told of new messages while you are not looking at Parley."),
      h("button", { type: "button", class: "button", id: "notify-allow", on: { click: turnOn } }, icon("bell"), "Turn on notifications"));
  }

  function render() {
    const { about, sound } = preferences(storage);
    fill(place, allowed(),
      h("fieldset", { class: "choices" }, h("legend", {}, "Tell me about"), ABOUT.map(([value, label]) =>
        h("label", { class: "choice" }, h("input", { type: "radio", name: "notify-about", value, checked: value === about, on: { change: () => prefer(storage, { about: value }) } }), label))),
      h("div", { class: "choice-line" },
        h("label", { class: "choice" }, h("input", { type: "checkbox", name: "notify-sound", checked: sound, on: { change: ({ target }) => prefer(storage, { sound: target.checked }) } }), "Play a sound"),
        h("button", { type: "button", class: "button button-small", on: { click: () => playSound() } }, "Listen")));
  }

  render();
  return [place, h("p", { class: "settings-note" }, "This is for this browser. Muted chats tell nothing.")];
}
