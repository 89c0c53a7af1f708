/** The dot at the face of somebody who is online. */
import { h } from "./dom.js";

/** A face with a dot where its owner is online; screen readers are told as well. */
export function withDot(face, online) {
  return h("span", { class: "face" }, face, online ? [h("span", { class: "online-dot", "aria-hidden": "true" }), h("span", { class: "visually-hidden" }, "Online")] : null);
}
