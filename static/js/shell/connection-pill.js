/** The connection pill: hidden while all is well; otherwise it says what is wrong, and then that everything has been caught up.
 * Beside it, a small dot is always there and says in its tooltip how far this page is in sync.
 */
import { fill, h } from "../ui/dom.js";
import { clockTime, plural } from "../ui/time.js";

export const PATIENCE_MS = 2_000; // a shorter interruption is not shown
export const TROUBLE_MS = 30_000; // after this long the user may want to do something about it
export const GOOD_NEWS_MS = 3_000;
const TRYING_MS = 1_500;

/** What to show now: `{tone, text, retry}` or null, and `again`, the milliseconds after which to ask again. Pure. */
export function pillOf({ phase, brokenAt, inSyncAt, caughtUp }, now) {
  if (phase === "polling") return { tone: "notice", text: "Connected by polling" };
  if (phase === "live") {
    if (!caughtUp) return null;
    const interrupted = caughtUp.at - caughtUp.brokenAt;
    const left = caughtUp.at + GOOD_NEWS_MS - now;
    if (left <= 0 || (!caughtUp.messages && interrupted < PATIENCE_MS)) return null;
    return { tone: "good", text: caughtUp.messages ? `Caught up: ${plural(caughtUp.messages, "message")}` : "Caught up: nothing missed", again: left };
  }
  const lasted = now - brokenAt;
  if (lasted < PATIENCE_MS) return { again: PATIENCE_MS - lasted };
  const since = inSyncAt ? ` last in sync ${clockTime(inSyncAt)}` : "";
  const trouble = lasted >= TROUBLE_MS;
  const what = phase === "offline" ? "Offline" : trouble ? "No connection" : null;
  const text = what ? what + (since && `:${since}`) : since ? `Reconnecting…${since}` : "Connecting…";
  return trouble ? { tone: "bad", text, retry: true } : { tone: "warning", text, again: TROUBLE_MS - lasted };
}

/** What the dot says: `{tone, text}`. With a chat open, its number is that of the newest event which this page has had of it. Pure. */
export function syncOf(state, now) {
  const { tone, text } = pillOf(state.connection, now) ?? {};
  if (text && tone !== "good") return { tone, text };
  const { phase } = state.connection;
  if (phase === "connecting") return { tone: "notice", text: "Connecting…" };
  if (phase !== "live") return { tone: "warning", text: "Reconnecting…" };
  const seq = state.cursors[state.open.chatId];
  return { tone: "good", text: seq === undefined ? "In sync" : `In sync · #${seq}` };
}

export function mountPill({ store, stream, openedAt = Date.now() }) {
  const pill = document.querySelector("#connection");
  const dot = document.querySelector("#sync");
  const bubble = h("span", { class: "sync-text", "aria-hidden": "true" });
  fill(dot, bubble);
  let timer = null;
  let shown = null;

  function retry({ target }) {
    target.disabled = true;
    target.textContent = "Trying…";
    setTimeout(() => ((shown = null), show(store.state)), TRYING_MS);
    stream.wake(true);
  }

  function show(state) {
    clearTimeout(timer);
    const connection = { ...state.connection, brokenAt: state.connection.brokenAt ?? openedAt };
    const now = Date.now();
    const { tone, text, again, retry: mayRetry } = pillOf(connection, now) ?? {};
    pill.dataset.phase = connection.phase;
    pill.hidden = !text;
    if (shown !== `${tone} ${text}`) {
      shown = `${tone} ${text}`;
      if (text) pill.dataset.tone = tone;
      fill(pill, text ? h("span", {}, text) : null, mayRetry ? h("button", { type: "button", class: "pill-retry", on: { click: retry } }, "Retry now") : null);
    }
    const sync = syncOf({ ...state, connection }, now);
    dot.dataset.tone = sync.tone;
    dot.setAttribute("aria-label", sync.text);
    bubble.textContent = sync.text;
    if (again) timer = setTimeout(() => show(store.state), again + 10);
  }

  dot.addEventListener("click", () => stream.wake(true));
  store.watch((state) => [state.connection, state.open.chatId, state.cursors[state.open.chatId]], show);
}
