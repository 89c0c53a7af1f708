/** A text that counts seconds down while it is in the document. */
import { h, setText } from "./dom.js";

/** `text(seconds)` is shown until `until` (ms since 1970). */
export function countdown(until, text) {
  const element = h("span", { class: "countdown", role: "timer" });
  const show = () => setText(element, text(Math.max(0, Math.ceil((until - Date.now()) / 1000))));
  const timer = setInterval(() => (element.isConnected ? show() : clearInterval(timer)), 250);
  show();
  return element;
}
