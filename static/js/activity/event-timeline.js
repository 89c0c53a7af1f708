/** The timeline of one event in words: its steps in order, each with its time. Pure. */
import { wantedChannels } from "../model/channel-reducers.js";
import { plural } from "../ui/time.js";

const TITLES = {
  __proto__: null,
  messageAdded: "Message", messageUpdated: "Edit", messageDeleted: "Deletion", chatAdded: "New chat", chatUpdated: "Chat changed",
};

/** `Message #42`; an event of a channel that this page does not know goes by the channel's name. */
export const titleOf = ({ channel, seq }) => `${TITLES[channel] ?? channel} #${seq}`;

const RANK = ["accepted", "committed", "untaken", "published", "received", "reordered", "gap", "doubled", "pulled", "delivered", "replayed", "read"];
export const REPAIRS = ["untaken", "gap", "pulled", "replayed", "reordered", "doubled"];

export const listed = (words) => (words.length < 2 ? words.join("") : `${words.slice(0, -1).join(", ")} and ${words.at(-1)}`);
const unique = (values) => [...new Set(values)];
const sum = (steps) => steps.reduce((total, { n }) => total + n, 0);

/** The steps of one kind on one instance as a sentence. */
function sentence(step, instance, steps, timeline) {
  const channels = listed(unique(steps.map((one) => one.channel)));
  const ofEvent = sum(steps.filter((one) => one.channel === timeline.channel));
  const others = steps.filter((one) => one.channel !== timeline.channel).map((one) => `${one.n} × ${one.channel}`);
  switch (step) {
    case "accepted": return `Accepted by ${instance}`;
    case "committed": return `Committed to PostgreSQL as #${timeline.seq}`;
    case "published": return `Published on ${channels}`;
    case "untaken": return `Not taken by Redis: ${channels}`;
    case "received": return `Received by ${instance}`;
    case "reordered": return `Received by ${instance} after a later one`;
    case "doubled": return `Heard again by ${instance}, dropped`;
    case "gap": return `${instance} finds that ${plural(Math.max(...steps.map((one) => one.of)), "earlier event")} did not come`;
    case "pulled": return `Read from PostgreSQL by ${instance} instead`;
    case "delivered": return `${ofEvent ? `Written to ${plural(ofEvent, "socket")} of ${instance}` : `Told by ${instance}`}${others.length ? `${ofEvent ? ", and" : ":"} ${listed(others)}` : ""}`;
    case "replayed": return `Replayed by ${instance} to ${plural(sum(steps), "socket")} that came back`;
    default: return "";
  }
}

const sender = (timeline) => timeline.steps.find((one) => one.step === "committed")?.of ?? null;

/** Who has read the message, as aliases, without its sender. Reading a later message of the chat reads this one too. */
export function readers(timeline, timelines) {
  const found = new Map();
  for (const other of timelines) {
    if (other.chatId !== timeline.chatId || other.seq < timeline.seq) continue;
    for (const { step, of, at } of other.steps) if (step === "read" && of !== sender(timeline)) found.set(of, Math.min(at, found.get(of) ?? Infinity));
  }
  return found;
}

/** `[{step, text, at, after, repair}]`, `after` in milliseconds since the first one; `timelines` are all that are known. */
export function describe(timeline, timelines) {
  const groups = new Map();
  for (const one of timeline.steps) {
    // Of the states that follow an event, the timeline tells only who has read it, below.
    if (!RANK.includes(one.step) || wantedChannels.includes(one.channel)) continue;
    const key = `${one.step}/${one.instance}`;
    groups.set(key, [...(groups.get(key) ?? []), one]);
  }
  const rows = [...groups.values()].map((steps) => {
    const [{ step, instance }] = steps;
    return { step, text: sentence(step, instance, steps, timeline), at: Math.min(...steps.map((one) => one.at)), repair: REPAIRS.includes(step) };
  });
  const read = readers(timeline, timelines);
  if (read.size) rows.push({ step: "read", text: `Read by ${read.size}`, at: Math.min(...read.values()), repair: false });
  // The instances' clocks differ a little: where two times are nearly the same, the cause comes first.
  rows.sort((a, b) => (Math.abs(a.at - b.at) < 2 ? RANK.indexOf(a.step) - RANK.indexOf(b.step) : a.at - b.at));
  const start = Math.min(...rows.map((row) => row.at));
  return rows.map((row) => ({ ...row, after: Math.max(0, row.at - start) }));
}

/** How many sockets have it, on how many instances, and after how many milliseconds the last one (null where the commit was not seen). */
export function summary(timeline) {
  const delivered = timeline.steps.filter(({ step, channel }) => step === "delivered" && channel === timeline.channel);
  const last = Math.max(timeline.at, ...delivered.map(({ at }) => at));
  return { sockets: sum(delivered), instances: unique(delivered.map(({ instance }) => instance)).length, ms: timeline.steps.some(({ step }) => step === "committed") ? last - timeline.at : null, repaired: timeline.steps.some(({ step }) => step === "pulled" || step === "replayed") };
}

/** `3 sockets in 12 ms`, `3 sockets on 2 instances in 12 ms` */
export function reached({ sockets, instances, ms, repaired }, withInstances) {
  if (!sockets) return withInstances ? "Written to no socket yet" : "no sockets yet";
  return `${plural(sockets, "socket")}${withInstances ? ` on ${plural(instances, "instance")}` : ""}${ms === null ? (repaired ? ", repaired" : "") : ` in ${span(ms)}`}`;
}

/** `0.4 ms`, `12 ms`, `1.2 s` */
export function span(ms) {
  if (ms < 10) return `${ms.toFixed(1)} ms`;
  return ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(1)} s`;
}
