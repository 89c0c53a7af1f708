/** What the page knows: the instances, the timelines of the latest events, and the points that the lanes draw. Pure: it is told the time. */

export const SILENT_MS = 5_000; // an instance that has been silent for this long may be gone
const TIMELINES = 400;
const POINTS = 8_000;
const KEPT_MS = 40_000; // how long a point can be seen
const CLOCKS = 40; // how many batches tell the difference between our clock and the server's

export const COUNTS = ["lost", "doubled", "reordered", "repaired"];
const nothing = () => Object.fromEntries(COUNTS.map((name) => [name, 0]));
const keyOf = ({ chatId, seq }) => `${chatId}/${seq}`;

export class Model {
  channels = []; // of the server's table: {name, logged}
  instance = null; // the one that this page is connected to
  instances = new Map(); // name → {name, boot, heardAt, report, first, before}
  timelines = new Map(); // key → {key, chatId, seq, channel, at, steps}, oldest first
  points = []; // in the order of arrival: {at, step, instance, channel, n, timeline}
  leftOut = 0;
  #clocks = [];

  /** Takes a frame of `/ws/activity` at `now`, milliseconds of our own clock. */
  take(frame, now) {
    if (frame.type === "welcome") {
      this.channels = frame.channels;
      this.instance = frame.instance;
    } else if (frame.type === "activity") this.#takeBatch(frame, now);
  }

  /** The server's time, estimated from that one of the latest batches which took the shortest time to arrive. */
  serverTime(now) {
    return this.#clocks.length ? now - Math.min(...this.#clocks) : now;
  }

  /** The names of all instances, in their order: web.2 before web.10. */
  names() {
    return [...this.instances.keys()].sort((a, b) => a.localeCompare(b, "en", { numeric: true }));
  }

  /** Whether an instance has said nothing for a while. */
  isSilent(name, now) {
    return now - (this.instances.get(name)?.heardAt ?? 0) > SILENT_MS;
  }

  /** What all instances have counted as lost, doubled, reordered and repaired since this page was opened. */
  counts() {
    const sum = nothing();
    for (const { report, first, before } of this.instances.values()) {
      for (const name of COUNTS) sum[name] += before[name] + (report?.counts[name] ?? 0) - first[name];
    }
    return sum;
  }

  #takeBatch(batch, now) {
    if (batch.instance === this.instance) {
      this.#clocks.push(now - batch.at);
      if (this.#clocks.length > CLOCKS) this.#clocks.shift();
    }
    this.#takeInstance(batch, now);
    this.leftOut += batch.leftOut;
    for (const point of batch.points) this.#takePoint(point, batch.instance);
    const oldest = this.serverTime(now) - KEPT_MS;
    let gone = Math.max(0, this.points.length - POINTS);
    while (gone < this.points.length && this.points[gone].at < oldest) gone += 1;
    if (gone) this.points.splice(0, gone);
  }

  #takeInstance({ instance: name, boot, report }, now) {
    let known = this.instances.get(name);
    if (!known) this.instances.set(name, (known = { name, boot, report: null, first: nothing(), before: nothing(), fresh: true }));
    if (known.boot !== boot) {
      // It was restarted and counts from zero again; what it had counted before is kept.
      for (const one of COUNTS) known.before[one] += (known.report?.counts[one] ?? 0) - known.first[one];
      Object.assign(known, { boot, first: nothing(), report: null, fresh: false });
    }
    known.heardAt = now;
    if (report) {
      if (known.fresh) Object.assign(known, { first: { ...report.counts }, fresh: false });
      known.report = report;
    }
  }

  #takePoint({ step, channel, chatId, seq, at, n, of }, instance) {
    const timeline = this.#timelineOf({ chatId, seq }, channel, step, at);
    // An instance also hears the events that it has published itself.
    const shown = step === "received" && of === instance ? "echo" : step;
    this.points.push({ at, step: shown, instance, channel, n, timeline });
    if (!timeline) return;
    const same = timeline.steps.find((one) => one.step === shown && one.instance === instance && one.channel === channel && one.of === of);
    if (same) {
      same.n += n;
      same.at = Math.min(same.at, at);
    } else timeline.steps.push({ step: shown, instance, channel, at, n, of });
    timeline.at = Math.min(timeline.at, at);
  }

  #timelineOf(place, channel, step, at) {
    const key = keyOf(place);
    const known = this.timelines.get(key);
    if (known) return known;
    // A timeline begins with what every event goes through first on an instance; a receipt of an older message begins none.
    if (!this.channels.some((one) => one.name === channel && one.logged) || step === "replayed") return null;
    const timeline = { key, ...place, channel, at, steps: [] };
    this.timelines.set(key, timeline);
    if (this.timelines.size > TIMELINES) this.timelines.delete(this.timelines.keys().next().value);
    return timeline;
  }
}
