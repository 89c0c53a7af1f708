/** Keeps the stream alive: dials, says hello with the cursors, notices a dead path, waits with jitter before it dials again,
 * and polls where sockets do not get through. It does not know what the frames mean; the protocol is docs/protocol.md.
 *
 * `openSocket()` answers a WebSocket; `sync(body)` one page of `/api/sync`; `resume()` what `hello` brings back;
 * `wishes` what it asks for besides (see wishes.js); `apply(frame)` false when a frame did not follow its cursor;
 * `report(phase, heardAt)` is told `live`, `polling` or `reconnecting`, and when the server was last heard.
 */
import { backoff } from "./backoff.js";
import { Polling } from "./polling.js";
import { Wishes } from "./wishes.js";

export const SILENCE_MS = 15_000; // without a frame for this long: ping; without an answer for as long again: the path is dead
export const GREETING_MS = 10_000; // silence before `synced` that means a dead path
export const PROBE_MS = 4_000; // the same, when the device has just woken up
export const REDIAL_MS = 15_000; // between two tries of the socket while polling works
export const PENALTY_MS = 30_000; // 4409, 4429: not at once
export const REFUSED_MS = 60_000; // 4400: what one instance refuses, another may take
const SETTLED_MS = 10_000; // after a stream that lasted this long, the delays begin short again
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
  #polling;
  #tooLarge = false; // the hello is too large for any server: only polling is left
  #wishes;
  #refusedField = null; // what an instance found wrong with the hello
  #drainMs = null;

  constructor({ openSocket, sync, resume, apply, report, signedOut, wishes = {}, timers = clock, random = Math.random }) {
    Object.assign(this, { openSocket, sync, resume, apply, report, signedOut, channels: wishes.channels, timers, random });
    this.#wishes = new Wishes(wishes);
    this.#polling = new Polling({
      ask: () => this.#ask(), take: (frames) => this.#take(frames), overtaken: () => this.#greeted && this.#socket,
      polled: (back) => this.#polled(back), timers,
    });
  }

  start() {
    this.#dial();
  }

  /** Closes the socket and stops polling, until `start()`. */
  stop() {
    for (const name of Object.keys(this.#timers)) this.#cancel(name);
    this.#polling.stop();
    this.#detach();
  }

  /** The device is online again or awake, or the page visible: dial at once, or find out whether the socket still works.
   * `insist`: the user asks for it. */
  wake(insist = false) {
    if (this.#tooLarge && !insist) return;
    if (this.#live) return this.#ping(PROBE_MS);
    if (!insist && this.#socket && this.timers.now() - this.heardAt < PROBE_MS) return;
    this.#attempt = 0;
    this.#detach();
    this.#dial();
  }

  /** The browser says that there is no network. It can be wrong, so trying goes on. */
  offline() {
    if (this.#socket) this.#lost(1006);
    this.#polling.works = false;
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
    this.#drainMs = this.#refusedField = null;
    this.heardAt = this.timers.now();
    const socket = (this.#socket = this.openSocket());
    socket.onopen = () => socket.send(JSON.stringify({ type: "hello", ...this.resume(), ...this.#wishes.asked }));
    socket.onmessage = ({ data }) => this.#receive(JSON.parse(data));
    socket.onclose = ({ code }) => this.#lost(code);
    this.#at("watch", GREETING_MS, () => this.#watch());
  }

  #receive(frame) {
    this.heardAt = this.timers.now();
    if (frame.type === "welcome") {
      this.#greeted = true;
      if (this.#wishes.granted(frame)) this.#at("full", REDIAL_MS * (1 + this.random()), () => (this.#detach(), this.#dial()));
    }
    if (frame.type === "error") this.#refusedField = frame.error?.field ?? null;
    if (frame.type === "draining") this.#drainMs = frame.retryAfterMs;
    if (this.apply(frame) === false) return this.#lost(1006);
    if (frame.type === "synced" && !this.#live) this.#becomeLive();
  }

  #becomeLive() {
    this.#live = true;
    this.#failures = 0;
    this.#polling.stop();
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
    this.#cancel("full");
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
    if (code === 4400 && !this.#greeted && this.#wishes.refused(this.#refusedField)) return this.#dial();
    if (code === 4400) this.#wishes.restore();
    if (code === 1009) this.#tooLarge = true;
    if (!wasLive && code !== 1012) this.#failures += 1; // an instance that stops was reached, so the path is good
    if (!this.#polling.works) this.report("reconnecting", this.heardAt);
    if (!this.#tooLarge) this.#at("dial", this.#delay(code), () => this.#dial());
    if (code === 4400 || this.#tooLarge || this.#failures >= FAILURES) this.#polling.start();
  }

  #delay(code) {
    if (code === 4400) return REFUSED_MS;
    if (code === 4409 || code === 4429) return PENALTY_MS;
    if (code === 1012 && this.#drainMs !== null) return this.#drainMs + this.random() * 500;
    if (this.#polling.works) return REDIAL_MS;
    return backoff(this.#attempt++, this.random);
  }

  /** One page of polling. An instance that refuses these channels is asked without them, and tells its default ones. */
  async #ask() {
    try {
      return await this.sync({ ...this.resume(), ...(this.channels && { channels: this.channels }) });
    } catch (error) {
      if (error.field !== "channels") throw error;
      return this.sync(this.resume());
    }
  }

  #take(frames) {
    this.heardAt = this.timers.now();
    if (frames.some((frame) => this.apply(frame) === false)) throw new Error("gap");
  }

  /** Polling that works again after failing means that the server is back, so the socket is tried at once. */
  #polled(back) {
    this.report(this.#polling.works ? "polling" : "reconnecting", this.heardAt);
    if (back && !this.#tooLarge) this.#dial();
  }
}
