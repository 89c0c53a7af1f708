/** The connection pill: silent while all is well, honest when it is not, and says when everything has been caught up. */
import { setText } from "./dom.js";
import { clockTime, plural } from "./time.js";

export const PATIENCE_MS = 2_000; // an interruption that nobody needs to hear about
export const GOOD_NEWS_MS = 3_000;

/** What to show now: `{tone, text}` or null, and `again`, the milliseconds after which to ask again. Pure. */
export function pillOf({ phase, brokenAt, inSyncAt, caughtUp }, now) {
  if (phase === "polling") return { tone: "notice", text: "Connected by polling" };
  if (phase === "live") {
    if (!caughtUp) return null;
    const interrupted = caughtUp.at - caughtUp.brokenAt;
    const left = caughtUp.at + GOOD_NEWS_MS - now;
    if (left <= 0 || (!caughtUp.messages && interrupted < PATIENCE_MS)) return null;
    return { tone: "good", text: caughtUp.messages ? `Caught up: ${plural(caughtUp.messages, "message")}` : "Caught up: nothing missed", again: left };
  }
  const wait = brokenAt + PATIENCE_MS - now;
  if (wait > 0) return { again: wait };
  const since = inSyncAt ? ` last in sync ${clockTime(inSyncAt)}` : "";
  if (phase === "offline") return { tone: "warning", text: since ? `Offline:${since}` : "Offline" };
  return { tone: "warning", text: since ? `Reconnecting…${since}` : "Connecting…" };
}

export function mountPill({ store }) {
  const pill = document.querySelector("#connection");
  let timer = null;
  store.watch((state) => [state.connection], function show(state) {
    clearTimeout(timer);
    const { tone, text, again } = pillOf(state.connection, Date.now()) ?? {};
    pill.dataset.phase = state.connection.phase;
    pill.hidden = !text;
    if (text) pill.dataset.tone = tone;
    setText(pill, text ?? "");
    if (again) timer = setTimeout(() => show(store.state), again + 10);
  });
}
