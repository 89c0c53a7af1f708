import assert from "node:assert/strict";
import { test } from "node:test";
import { Connection } from "../../static/js/net/connection.js";
import { EVERY_MS, onWake } from "../../static/js/net/wake.js";
import { Clock } from "./build.js";

const WISHES = { channels: ["unreadCountUpdated", "messagePinned"], presence: true };

function build({ sync = async () => [{ type: "synced" }], apply = () => true } = {}) {
  const clock = new Clock();
  const [sockets, phases, polls] = [[], [], []];
  let signedOut = 0;
  const connection = new Connection({
    openSocket() {
      const socket = { sent: [], closed: false, send: (text) => socket.sent.push(JSON.parse(text)), close: () => (socket.closed = true) };
      socket.hear = (...frames) => frames.forEach((frame) => socket.onmessage?.({ data: JSON.stringify(frame) }));
      socket.live = (welcome = {}) => (socket.onopen(), socket.hear({ type: "welcome", ...welcome }, { type: "synced" }));
      socket.refuse = (field) => (socket.onopen(), socket.hear({ type: "error", error: { code: "invalid_value", message: "", field } }), socket.end(4400));
      socket.end = (code = 1006) => socket.onclose?.({ code });
      sockets.push(socket);
      return socket;
    },
    sync: (body) => (polls.push(body), sync(body)),
    resume: () => ({ cursors: { c: 4 } }),
    apply,
    report: (phase) => phases.at(-1) !== phase && phases.push(phase),
    signedOut: () => (signedOut += 1),
    wishes: WISHES,
    timers: clock,
    random: () => 1,
  });
  connection.start();
  return { connection, clock, sockets, phases, polls, signedOut: () => signedOut };
}

test("it says hello with the cursors and is live when everything has been sent", () => {
  const { sockets, phases } = build();
  sockets[0].live();
  assert.deepEqual(sockets[0].sent, [{ type: "hello", cursors: { c: 4 }, ...WISHES }]);
  assert.deepEqual(phases, ["live"]);
});

test("a lost socket is dialled again with growing delays, beginning with half a second", async () => {
  const { sockets, clock } = build({ sync: async () => { throw new Error(); } });
  sockets[0].live();
  sockets[0].end();
  await clock.pass(499);
  assert.equal(sockets.length, 1);
  await clock.pass(1);
  assert.equal(sockets.length, 2);
  sockets[1].end();
  await clock.pass(999);
  assert.equal(sockets.length, 2);
  await clock.pass(1);
  assert.equal(sockets.length, 3);
});

test("a silent path is pinged, and given up without an answer", async () => {
  const { sockets, clock } = build();
  sockets[0].live();
  await clock.pass(15_000);
  assert.equal(sockets[0].sent.at(-1).type, "ping");
  sockets[0].hear({ type: "pong" });
  await clock.pass(29_999);
  assert.equal(sockets[0].closed, false);
  await clock.pass(1);
  assert.equal(sockets[0].closed, true);
  await clock.pass(500);
  assert.equal(sockets.length, 2);
});

test("a socket that opens and then says nothing is given up", async () => {
  const { sockets, clock } = build();
  sockets[0].onopen();
  await clock.pass(10_000);
  assert.equal(sockets[0].closed, true);
});

test("after two failed sockets it polls, keeps trying the socket every fifteen seconds, and goes back to it", async () => {
  const { sockets, clock, phases, polls } = build();
  sockets[0].end();
  await clock.pass(500);
  assert.equal(polls.length, 0);
  sockets[1].end();
  await clock.pass(0);
  assert.deepEqual(phases, ["reconnecting", "polling"]);
  await clock.pass(10_000);
  assert.equal(polls.length, 3);
  assert.equal(sockets.length, 3);
  sockets[2].end();
  await clock.pass(14_999);
  assert.equal(sockets.length, 3);
  await clock.pass(1);
  assert.equal(sockets.length, 4);
  sockets[3].live();
  const before = polls.length;
  await clock.pass(10_000);
  assert.equal(polls.length, before);
  assert.equal(phases.at(-1), "live");
});

test("polling asks again at once while there is more", async () => {
  const answers = [[{ type: "welcome" }, { type: "event" }], [{ type: "synced" }]];
  const { sockets, clock, polls } = build({ sync: async () => answers.shift() ?? [{ type: "synced" }] });
  sockets[0].end();
  await clock.pass(500);
  sockets[1].end();
  await clock.pass(0);
  assert.equal(polls.length, 2);
});

test("when neither gets through it says so, and dials at once when polling works again", async () => {
  let up = false;
  const sync = async () => {
    if (!up) throw new Error();
    return [{ type: "synced" }];
  };
  const { sockets, clock, phases } = build({ sync });
  for (let i = 0; i < 6; i += 1) {
    sockets.at(-1).end();
    await clock.pass(9_000);
  }
  assert.deepEqual(phases, ["reconnecting"]);
  sockets.at(-1).end();
  const before = sockets.length;
  up = true;
  await clock.pass(5_000);
  assert.equal(phases.at(-1), "polling");
  assert.equal(sockets.length, before + 1);
});

test("an answer to a poll that a live socket has overtaken is dropped", async () => {
  let answer;
  const applied = [];
  const { sockets, clock } = build({ sync: () => new Promise((resolve) => (answer = resolve)), apply: (frame) => applied.push(frame.from ?? frame.type) });
  sockets[0].end();
  await clock.pass(500);
  sockets[1].end();
  await clock.pass(1000);
  sockets[2].live();
  answer([{ type: "welcome", from: "poll" }, { type: "synced", from: "poll" }]);
  await clock.pass(0);
  assert.deepEqual(applied, ["welcome", "synced"]);
});

test("an event that did not follow its cursor makes it resume", async () => {
  const { sockets, clock } = build({ apply: (frame) => frame.type !== "event" });
  sockets[0].live();
  sockets[0].hear({ type: "event" });
  assert.equal(sockets[0].closed, true);
  await clock.pass(500);
  assert.equal(sockets.length, 2);
});

test("the close codes say whether and when to come back", async () => {
  const after = async (code, ms, before = []) => {
    const built = build();
    built.sockets[0].live();
    built.sockets[0].hear(...before);
    built.sockets[0].end(code);
    await built.clock.pass(ms);
    return { ...built, dials: built.sockets.length - 1 };
  };
  assert.equal((await after(4429, 29_999)).dials, 0);
  assert.equal((await after(4429, 30_000)).dials, 1);
  assert.equal((await after(4409, 29_999)).dials, 0);
  assert.equal((await after(1012, 2_000, [{ type: "draining", retryAfterMs: 2000 }])).dials, 0);
  assert.equal((await after(1012, 2_500, [{ type: "draining", retryAfterMs: 2000 }])).dials, 1);
  const refused = await after(1009, 60_000);
  assert.deepEqual([refused.dials, refused.polls.length > 5], [0, true]);
  const ended = await after(4401, 60_000);
  assert.deepEqual([ended.dials, ended.signedOut(), ended.polls.length], [0, 1, 0]);
});

test("an instance that stops before it has greeted is no reason to poll", async () => {
  const { sockets, clock, phases, polls } = build();
  sockets[0].live();
  sockets[0].end(1012);
  for (const _ of [1, 2, 3]) {
    await clock.pass(5_000);
    sockets.at(-1).onopen();
    sockets.at(-1).end(1012);
  }
  assert.deepEqual([sockets.length, polls.length], [4, 0]);
  await clock.pass(10_000);
  sockets[4].live();
  assert.deepEqual(phases, ["live", "reconnecting", "live"]);
});

const hello = (fields) => ({ type: "hello", cursors: { c: 4 }, ...fields });
const { channels, presence } = WISHES;
const knowing = { instance: "web.2", version: "1.0.0", channels: ["unreadCountUpdated"] };

test("an instance that refuses a wish is asked again at once without it, and every later hello asks for everything", async () => {
  const { sockets, clock, phases } = build();
  sockets[0].refuse("channels");
  sockets[1].live({ instance: "web.1" });
  assert.deepEqual([sockets[0].sent, sockets[1].sent], [[hello(WISHES)], [hello({ presence })]]);
  assert.deepEqual(phases, ["live"]);
  sockets[1].end(1012);
  await clock.pass(1_000);
  sockets[2].live(knowing);
  assert.deepEqual(sockets[2].sent, [hello(WISHES)]);
});

test("where one instance after the other refuses something, only what is left is asked for", () => {
  const { sockets } = build();
  sockets[0].refuse("channels");
  sockets[1].refuse("presence");
  sockets[2].live();
  assert.deepEqual([sockets[1].sent, sockets[2].sent], [[hello({ presence })], [hello()]]);
});

test("where an instance does not say what it refuses, nothing is asked for besides", () => {
  const { sockets } = build();
  sockets[0].refuse(null);
  sockets[1].live();
  assert.deepEqual(sockets[1].sent, [hello()]);
});

test("an instance that was asked for less and would take more is asked again in full after a while", async () => {
  const { sockets, clock, phases } = build();
  sockets[0].refuse("channels");
  sockets[1].live(knowing);
  await clock.pass(29_999);
  sockets[1].hear({ type: "pong" });
  assert.equal(sockets.length, 2);
  await clock.pass(1);
  assert.equal(sockets[1].closed, true);
  sockets[2].live(knowing);
  await clock.pass(14_000);
  assert.deepEqual([sockets.length, sockets[2].sent[0], phases], [3, hello(WISHES), ["live"]]);
});

test("an instance of the first release, which would take no more, is left alone", async () => {
  const { sockets, clock } = build();
  sockets[0].refuse("channels");
  sockets[1].live({ instance: "web.1" });
  for (let i = 0; i < 12; i += 1) {
    await clock.pass(10_000);
    sockets[1].hear({ type: "pong" });
  }
  assert.deepEqual([sockets.length, sockets[1].closed], [2, false]);
});

test("where even the bare hello is refused it polls, and tries the socket again after a minute with everything", async () => {
  const { sockets, clock, phases } = build();
  sockets[0].refuse(null);
  sockets[1].refuse("cursors");
  await clock.pass(0);
  assert.deepEqual(phases, ["reconnecting", "polling"]);
  await clock.pass(59_999);
  assert.equal(sockets.length, 2);
  await clock.pass(1);
  sockets[2].live(knowing);
  assert.deepEqual([sockets[2].sent[0], phases.at(-1)], [hello(WISHES), "live"]);
});

test("polling asks an instance that refuses the channels for what it tells by itself, and each time in full first", async () => {
  const sync = async ({ channels }) => {
    if (channels) throw Object.assign(new Error(), { status: 400, field: "channels" });
    return [{ type: "welcome" }, { type: "synced" }];
  };
  const { sockets, clock, phases, polls } = build({ sync });
  sockets[0].end();
  await clock.pass(500);
  sockets[1].end();
  await clock.pass(5_000);
  assert.deepEqual(phases, ["reconnecting", "polling"]);
  assert.deepEqual(polls, [{ cursors: { c: 4 }, channels }, { cursors: { c: 4 } }, { cursors: { c: 4 }, channels }, { cursors: { c: 4 } }]);
});

test("waking dials at once, and probes a socket that seems alive", async () => {
  const { connection, sockets, clock } = build();
  sockets[0].live();
  connection.wake();
  assert.equal(sockets[0].sent.at(-1).type, "ping");
  await clock.pass(4_000);
  assert.equal(sockets[0].closed, true);
  connection.wake();
  assert.equal(sockets.length, 2);
});

test("somebody who does not want to wait is not told to", async () => {
  const { connection, sockets, clock } = build();
  connection.wake();
  assert.equal(sockets.length, 1, "it is dialling");
  connection.wake(true);
  assert.deepEqual([sockets.length, sockets[0].closed], [2, true]);
  sockets[1].end(1009);
  await clock.pass(60_000);
  assert.equal(sockets.length, 2);
  connection.wake(true);
  assert.equal(sockets.length, 3);
});

test("a device that has slept is noticed by a timer that comes too late", async () => {
  const clock = new Clock();
  let wakes = 0;
  onWake(() => (wakes += 1), clock);
  await clock.pass(60_000);
  assert.equal(wakes, 0);
  clock.time += 3_600_000;
  await clock.pass(EVERY_MS);
  assert.equal(wakes, 1);
  await clock.pass(60_000);
  assert.equal(wakes, 1);
});
