import assert from "node:assert/strict";
import { test } from "node:test";
import { verdict } from "../../static/js/activity/counters.js";
import { describe, reached, span, summary, titleOf } from "../../static/js/activity/event-timeline.js";
import { cardOf } from "../../static/js/activity/instance-cards.js";
import { laneOf, lanesOf, nearest } from "../../static/js/activity/lane-layout.js";
import { Model, SILENT_MS } from "../../static/js/activity/model.js";
import { Witness } from "../../static/js/activity/witness.js";

const CHANNELS = [{ name: "messageAdded", logged: true }, { name: "chatMessageNotification", logged: false }, { name: "messageReadUpdated", logged: false }];
const counts = (more = {}) => ({ heard: 0, lost: 0, doubled: 0, reordered: 0, repaired: 0, ...more });
const point = (step, at, more = {}) => ({ step, channel: "messageAdded", chatId: "c", seq: 7, at, n: 1, of: null, ...more });
const batch = (instance, points = [], more = {}) => ({ type: "activity", instance, boot: "1", at: 1000, points, leftOut: 0, report: null, ...more });

function model(...batches) {
  const made = new Model();
  made.take({ type: "welcome", instance: "web.2", channels: CHANNELS }, 0);
  for (const one of batches) made.take(one, one.at);
  return made;
}

const timeline = (made) => made.timelines.get("c/7");
const words = (made) => describe(timeline(made), [...made.timelines.values()]).map(({ text }) => text);

test("the timeline of a message in words, in the order of cause and effect", () => {
  const made = model(
    batch("web.2", [point("accepted", 1000), point("committed", 1004, { of: "ann" }), point("delivered", 1008, { n: 2 }), point("published", 1012),
      point("published", 1012, { channel: "chatMessageNotification" }), point("received", 1012, { of: "web.2" })]),
    // Its clock is a little early: it hears before it was published.
    batch("web.10", [point("received", 1011, { of: "web.2" }), point("delivered", 1020, { n: 12 }), point("delivered", 1020, { channel: "chatMessageNotification", n: 5 })]),
  );
  assert.deepEqual(words(made), [
    "Accepted by web.2", "Committed to PostgreSQL as #7", "Written to 2 sockets of web.2", "Published on messageAdded and chatMessageNotification",
    "Received by web.10", "Written to 12 sockets of web.10, and 5 × chatMessageNotification",
  ]);
  assert.deepEqual(summary(timeline(made)), { sockets: 14, instances: 2, ms: 20, repaired: false });
});

test("a timeline that Redis did not carry says what repaired it", () => {
  const made = model(batch("web.1", [point("committed", 1000), point("untaken", 2000)]), batch("web.2", [point("gap", 2100, { of: 3 }), point("pulled", 2200), point("delivered", 2201, { n: 3 })]));
  assert.deepEqual(words(made), ["Committed to PostgreSQL as #7", "Not taken by Redis: messageAdded", "web.2 finds that 3 earlier events did not come", "Read from PostgreSQL by web.2 instead", "Written to 3 sockets of web.2"]);
  assert.equal(reached(summary(timeline(made)), true), "3 sockets on 1 instance in 1.2 s");
});

test("a timeline whose beginning was not told has no duration", () => {
  const made = model(batch("web.2", [point("pulled", 2200), point("delivered", 2201, { n: 3 })]));
  assert.equal(reached(summary(timeline(made)), false), "3 sockets, repaired");
});

test("who has read a later message has read this one; the sender does not count, and nobody twice", () => {
  const read = (seq, of, at) => point("read", at, { channel: "messageReadUpdated", seq, of });
  const made = model(batch("web.1", [point("committed", 1000, { of: "ann" }), point("committed", 1100, { seq: 8, of: "ben" }), read(7, "ben", 1200), read(8, "ben", 1300), read(8, "cleo", 1400), read(7, "ann", 1500)]));
  assert.equal(words(made).at(-1), "Read by 2");
  assert.equal(describe(timeline(made), made.timelines.values()).at(-1).at, 1200);
});

test("points of one step are added up, batch after batch", () => {
  const made = model(batch("web.1", [point("delivered", 1000, { n: 2 })]), batch("web.1", [point("delivered", 1100, { n: 3 })]));
  assert.deepEqual(timeline(made).steps.map(({ n, at }) => [n, at]), [[5, 1000]]);
});

test("a receipt of a message from before begins no timeline, and what is kept is bounded", () => {
  const made = model(batch("web.1", [point("read", 1000, { channel: "messageReadUpdated", of: "x" })]));
  assert.equal(made.timelines.size, 0);
  for (let seq = 0; seq < 1000; seq += 1) made.take(batch("web.1", Array.from({ length: 12 }, () => point("committed", 1000, { seq }))), 1000);
  assert.equal(made.timelines.size, 400);
  assert.ok(made.points.length <= 8000);
});

test("counts are what happened since the page was opened, also over a restart of an instance", () => {
  const report = (boot, lost) => batch("web.1", [], { boot, report: { counts: counts({ lost }) } });
  const made = model(report("1", 5));
  assert.equal(made.counts().lost, 0);
  made.take(report("1", 8), 2000);
  made.take(report("2", 0), 3000);
  made.take(report("2", 2), 4000);
  assert.equal(made.counts().lost, 5);
});

test("an instance that says nothing is silent after a while", () => {
  const made = model(batch("web.1"), batch("web.10"), batch("web.2"));
  assert.deepEqual(made.names(), ["web.1", "web.2", "web.10"]);
  assert.equal(made.isSilent("web.1", 1000 + SILENT_MS), false);
  assert.equal(made.isSilent("web.1", 1001 + SILENT_MS), true);
});

test("the server's time is told by the batch that came quickest", () => {
  const made = new Model();
  made.take({ type: "welcome", instance: "web.1", channels: CHANNELS }, 0);
  for (const [at, now] of [[1000, 5300], [1100, 5120], [1200, 5900]]) made.take(batch("web.1", [], { at }), now);
  assert.equal(made.serverTime(6020), 2000);
});

test("a card says what is wrong", () => {
  const report = { sockets: 3, behind: 0, lagMs: 0.4, draining: false, publisher: { state: "connected" }, subscriber: { state: "connected" }, canary: { state: "heard", heardAt: "1970-01-01T00:00:01Z" }, heads: { checkedAt: null } };
  const card = (change, silent = false) => cardOf({ name: "web.1", heardAt: 0, report: { ...report, ...change } }, { silent, here: true, now: 0, serverNow: 1500 });
  const bad = (one) => one.facts.filter(({ ok }) => !ok).map(({ name }) => name);
  assert.deepEqual([card({}).state, bad(card({}))], ["live", []]);
  assert.equal(card({}).facts.find(({ name }) => name === "Canary").text, "0.5 s");
  assert.deepEqual([card({ publisher: { state: "reconnecting" } }).note, bad(card({ publisher: { state: "reconnecting" } }))], ["no Redis", ["Publisher"]]);
  assert.deepEqual([card({ canary: { state: "missing" } }).state, bad(card({ behind: 2 }))], ["degraded", ["Heads"]]);
  assert.match(card({}, true).note, /^no word since \d\d:\d\d:\d\d$/);
});

test("every step that is drawn has a lane among the lanes", () => {
  const lanes = lanesOf(["web.1"], ["messageAdded"]).map(({ kind, id }) => `${kind}/${id}`);
  for (const step of ["committed", "published", "untaken", "received", "delivered", "pulled"]) assert.ok(lanes.includes(laneOf({ step, instance: "web.1", channel: "messageAdded" })), step);
  assert.equal(laneOf({ step: "echo", instance: "web.1" }), null);
});

test("the nearest timeline is found, and none that is far", () => {
  const dots = [{ x: 10, y: 10, timeline: "a" }, { x: 30, y: 10, timeline: "b" }, { x: 31, y: 10, timeline: null }];
  assert.equal(nearest(dots, 28, 20), "b");
  assert.equal(nearest(dots, 100, 10), null);
});

test("a span of time is short to read", () => assert.deepEqual([0.44, 12.4, 1234].map(span), ["0.4 ms", "12 ms", "1.2 s"]));

// The witness

function witness(...frames) {
  const made = new Witness();
  made.resume();
  for (const frame of [{ type: "welcome", epoch: "e", heads: { c: 4 } }, { type: "synced", heads: { c: 4 } }, ...frames]) made.apply(frame);
  return made;
}
const event = (seq, chatId = "c") => ({ type: "event", channel: "messageAdded", chatId, seq, data: {} });
const told = ({ received, replayed, lost, doubled, behind }) => ({ received, replayed, lost, doubled, behind });

test("a witness sees that everything came once and in order", () => {
  assert.deepEqual(told(witness(event(5), event(6))), { received: 2, replayed: 0, lost: 0, doubled: 0, behind: 0 });
});

test("a witness sees what was lost, and what came twice", () => {
  assert.deepEqual(told(witness(event(5), event(8), event(8), event(6))), { received: 2, replayed: 0, lost: 2, doubled: 2, behind: 0 });
  assert.equal(witness(event(5), { type: "synced", heads: { c: 7 } }).lost, 2);
});

test("a witness counts what is replayed after a reconnection, and a reset is no loss", () => {
  const made = witness(event(5));
  assert.deepEqual(made.resume(), { epoch: "e", cursors: { c: 5 } });
  for (const frame of [{ type: "welcome", epoch: "e", heads: { c: 7, d: 2 } }, event(6), event(7), { type: "synced", heads: { c: 7, d: 2 } }, { type: "reset", chatId: "d", head: 900 }, event(901, "d")]) made.apply(frame);
  assert.deepEqual(told(made), { received: 4, replayed: 2, lost: 0, doubled: 0, behind: 0 });
});

test("a witness compares itself with PostgreSQL", () => {
  const made = witness(event(5));
  made.compare({ c: 8, unknown: 4 });
  assert.equal(made.behind, 3);
  made.compare({ c: 5 });
  assert.equal(made.behind, 0);
});

test("the verdict is in plain words", () => {
  const say = (change, phase = "live") => verdict({ witness: { received: 3, replayed: 0, lost: 0, doubled: 0, behind: 0, ...change }, phase, comparedAt: null }).title;
  assert.equal(say({}), "Nothing lost, nothing doubled");
  assert.equal(say({ lost: 2 }), "2 lost, 0 doubled");
  assert.equal(say({ behind: 1 }), "1 event on the way");
  assert.equal(say({}, "reconnecting"), "Reconnecting…");
});

test("an event of a channel that this page does not know goes by the channel's name", () => {
  assert.equal(titleOf({ channel: "messageAdded", seq: 7 }), "Message #7");
  for (const channel of ["messagePinned", "constructor"]) assert.equal(titleOf({ channel, seq: 7 }), `${channel} #7`);
});

test("a witness counts events of every channel, and passes over frames that it does not know", () => {
  const made = new Witness();
  for (const frame of [{ type: "welcome", epoch: "e", heads: { c: 1 } }, { type: "notice" }, { type: "_defineGetter__" }, { type: "event", channel: "messagePinned", chatId: "c", seq: 2, data: {} }]) made.apply(frame);
  assert.deepEqual([made.received, made.lost, made.cursors], [1, 0, { c: 2 }]);
});
