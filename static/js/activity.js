/** The entry of the Activity page: the instances, the lanes, the timelines of events, and whether anything was lost. */
import { mountChecks } from "./activity/counters.js";
import { mountDemo } from "./activity/demo.js";
import { mountList } from "./activity/event-list.js";
import { mountCards } from "./activity/instance-cards.js";
import { mountLanes } from "./activity/lanes.js";
import { Model } from "./activity/model.js";
import { watchActivity } from "./activity/stream.js";
import { startWitness } from "./activity/witness.js";
import { createApi } from "./net/api.js";
import { placeIcons } from "./ui/icons.js";

const NAMES_MS = 10_000; // how often the names of the viewer's chats are fetched again while one is unknown
const PHASES = {
  connecting: { tone: "notice", text: "Connecting…" },
  live: { tone: "good", text: "Live" },
  lost: { tone: "warning", text: "Reconnecting…" },
  signedOut: { tone: "notice", text: "Signed out" },
  forbidden: { tone: "warning", text: "For the server's owners" },
};

const signIn = () => location.assign(`/sign-in?next=${encodeURIComponent(location.pathname)}`);
const api = createApi({ signedOut: signIn });
const { userId } = document.body.dataset;
const model = new Model();
const names = new Map();
let chosen = null;

const selected = () => chosen;
function select(timeline) {
  chosen = timeline;
  list.reveal();
}

placeIcons(document);
const lanes = mountLanes({ model, selected, select });
const list = mountList({ model, selected, select, nameOf: (chatId) => names.get(chatId) ?? null });
const checks = mountChecks({ model });
const demo = mountDemo({ api, userId });
const cards = mountCards({ model, kill: demo.kill });

/** Names only of chats that the viewer is in: they come from the viewer's own list. */
async function fetchNames() {
  const people = new Map();
  for (let after = null, pages = 0; pages < 10; pages += 1) {
    const page = await api.get(`/api/chats?limit=200${after ? `&after=${after}` : ""}`);
    for (const chat of page.items) {
      const other = chat.participantIds.find((id) => id !== userId);
      if (chat.name || !other) names.set(chat.id, chat.name ?? "Group");
      else people.set(chat.id, other);
    }
    after = page.next;
    if (!after) break;
  }
  for (const [chatId, other] of people) if (!names.has(chatId)) names.set(chatId, (await api.get(`/api/users/${other}`)).displayName);
}

const unknown = () => [...model.timelines.values()].some(({ chatId }) => !names.has(chatId));
setInterval(() => document.visibilityState === "visible" && unknown() && fetchNames().catch(() => {}), NAMES_MS);
fetchNames().catch(() => {});

const pill = document.querySelector("#activity-phase");
let phase = null;
watchActivity({
  take: (frame) => model.take(frame, Date.now()),
  report(next) {
    if (next === phase) return;
    phase = next;
    Object.assign(pill.dataset, { phase: next, tone: PHASES[next].tone });
    pill.textContent = PHASES[next].text;
    document.body.dataset.phase = next;
    cards.refresh();
    if (next === "signedOut") signIn();
  },
});
startWitness({ api, signedOut: signIn, changed: checks.tell });

const pause = document.querySelector("#lanes-pause");
pause.addEventListener("click", () => {
  const paused = pause.getAttribute("aria-pressed") !== "true";
  pause.setAttribute("aria-pressed", String(paused));
  pause.textContent = paused ? "Continue" : "Pause";
  lanes.freeze(paused);
});
document.addEventListener("keydown", (event) => event.key === "Escape" && chosen && select(null));
