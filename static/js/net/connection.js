/** Keeps the stream alive: dials, says hello with the cursors, notices a dead path, waits with jitter, and polls
 * where sockets do not get through. Knows nothing of what the frames mean; the protocol is docs/protocol.md.
 *
 * `openSocket()` answers a WebSocket; `sync(resume)` one page of `/api/sync`; `resume()` what `hello` brings back;
 * `extras` what it asks for besides, which an older server may not know;
 * `apply(frame)` false when a frame did not follow its cursor; `report(phase, heardAt)` is told `live`, `polling`
 * or `reconnecting`, and when the server was last heard.
 */
import { backoff } from "./backoff.js";

export const SILENCE_MS = 15_000; // without a frame for so long: ping; without an answer for so long again: dead
export const GREETING_MS = 10_000; // silence before `synced` that means a dead path
export const PROBE_MS = 4_000; // the same, when the device has just woken up
export const POLL_MS = 5_000;
export const REDIAL_MS = 15_000; // trying the socket while polling works
export const PENALTY_MS = 30_000; // 4409, 4429: not at once
const SETTLED_MS = 10_000; // a stream that lasted so long begins again with short delays
const FAILURES = 2; // failed sockets before polling begins

const clock = {
  now: () => Date.now(),
  set: (run, ms) => setTimeout(run, ms),
  clear: (timer) => clearTimeout(timer),
};

export class Connection {
  #socket = null;
  #live = false;
  #greeted = false;
  #failures = 0;
  #attempt = 0;
  #timers = {};
  #polling = false;
  #pollWorks = false;
  #outage = false; // polling fails as well
  #plain = false; // the server does not know the extras
  #refused = false; // nor this client's other frames: polling only
  #drainMs = null;

  constructor({ openSocket, sync, resume, apply, report, signedOut, extras = {}, timers = clock, random = Math.random }) {
    Object.assign(this, { openSocket, sync, resume, apply, report, signedOut, extras, timers, random });
  }

  start() {
    this.#dial();
  }

  /** Ends everything; `start()` begins again. */
  stop() {
    for (const name of Object.keys(this.#timers)) this.#cancel(name);
    this.#polling = this.#pollWorks = false;
    this.#detach();
  }

  /** The device is online again or awake, or the page visible: dial at once, or find out whether the socket still works.
   * `insist`: somebody has asked for it. */
  wake(insist = false) {
    if (this.#refused && !insist) return;
    if (this.#live) return this.#ping(PROBE_MS);
    if (!insist && this.#socket && this.timers.now() - this.heardAt < PROBE_MS) return;
    this.#attempt = 0;
    this.#detach();
    this.#dial();
  }

  /** The browser says that there is no network. It can be wrong, so trying goes on. */
  offline() {
    if (this.#socket) this.#lost(1006);
    this.#pollWorks = false;
    this.report("reconnecting", this.heardAt);
  }

  /** Sends a frame now or not at all (typing). */
  send(frame) {
    if (this.#live) this.#socket.send(JSON.stringify(frame));
  }

  #at(name, ms, run) {
    this.#cancel(name);
    this.#timers[name] = this.timers.set(() => {
      delete this.#timers[name];
      run();
    }, ms);
  }

  #cancel(name) {
    this.timers.clear(this.#timers[name]);
    delete this.#timers[name];
  }

  #dial() {
    this.#cancel("dial");
    if (this.#socket) return;
    this.#greeted = false;
    this.#drainMs = null;
    this.heardAt = this.timers.now();
    const socket = (this.#socket = this.openSocket());
    socket.onopen = () => socket.send(JSON.stringify({ type: "hello", ...this.resume(), ...(this.#plain ? {} : this.extras) }));
    socket.onmessage = ({ data }) => this.#receive(JSON.parse(data));
    socket.onclose = ({ code }) => this.#lost(code);
    this.#at("watch", GREETING_MS, () => this.#watch());
  }

  #receive(frame) {
    this.heardAt = this.timers.now();
    if (frame.type === "welcome") this.#greeted = true;
    if (frame.type === "draining") this.#drainMs = frame.retryAfterMs;
    if (this.apply(frame) === false) return this.#lost(1006);
    if (frame.type === "synced" && !this.#live) this.#becomeLive();
  }

  #becomeLive() {
    this.#live = true;
    this.#failures = 0;
    this.#polling = this.#pollWorks = false;
    this.#cancel("poll");
    this.#at("settle", SETTLED_MS, () => (this.#attempt = 0));
    this.#at("watch", SILENCE_MS, () => this.#watch());
    this.report("live", this.heardAt);
  }

  #watch() {
    const silence = this.timers.now() - this.heardAt;
    if (!this.#live) return silence >= GREETING_MS ? this.#lost(1006) : this.#at("watch", GREETING_MS - silence, () => this.#watch());
    if (silence >= SILENCE_MS) return this.#ping(SILENCE_MS);
    this.#at("watch", SILENCE_MS - silence, () => this.#watch());
  }

  /** Timers run late in hidden pages, so only a ping without an answer counts as silence. */
  #ping(patience) {
    const pinged = this.timers.now();
    const before = this.heardAt;
    this.send({ type: "ping" });
    this.#at("watch", patience, () => {
      if (this.heardAt === before && this.timers.now() - pinged >= patience) this.#lost(1006);
      else this.#watch();
    });
  }

  #detach() {
    const socket = this.#socket;
    this.#socket = null;
    this.#live = false;
    this.#cancel("watch");
    this.#cancel("settle");
    if (!socket) return;
    socket.onopen = socket.onmessage = socket.onclose = null;
    socket.close();
  }

  #lost(code) {
    const wasLive = this.#live;
    this.#detach();
    if (code === 4401) {
      this.stop();
      return this.signedOut();
    }
    if (code === 1009 || (code === 4400 && this.#plain)) this.#refused = true;
    if (code === 4400) this.#plain = true;
    if (!wasLive && code !== 1012) this.#failures += 1; // an instance that stops has been reached: the path is good
    if (!this.#pollWorks) this.report("reconnecting", this.heardAt);
    if (!this.#refused) this.#at("dial", this.#delay(code), () => this.#dial());
    if ((this.#refused || this.#failures >= FAILURES) && !this.#polling) {
      this.#polling = true;
      this.#poll();
    }
  }

  #delay(code) {
    if (code === 4409 || code === 4429) return PENALTY_MS;
    if (code === 1012 && this.#drainMs !== null) return this.#drainMs + this.random() * 500;
    if (this.#pollWorks) return REDIAL_MS;
    return backoff(this.#attempt++, this.random);
  }

  async #poll() {
    const finished = () => !this.#polling || (this.#greeted && this.#socket);
    let frames = [];
    try {
      do {
        frames = await this.sync(this.resume());
        if (finished()) break;
        this.heardAt = this.timers.now();
        if (frames.some((frame) => this.apply(frame) === false)) throw new Error("gap");
      } while (frames.length && frames.at(-1).type !== "synced");
      if (!finished()) this.#polled(true);
    } catch {
      if (!finished()) this.#polled(false);
    }
    if (this.#polling) this.#at("poll", POLL_MS, () => this.#poll());
  }

  /** Polling that works again after failing means that the server is back, so the socket is tried at once. */
  #polled(worked) {
    const back = worked && this.#outage;
    this.#outage = !worked;
    this.#pollWorks = worked;
    this.report(worked ? "polling" : "reconnecting", this.heardAt);
    if (back && !this.#refused) this.#dial();
  }
}
