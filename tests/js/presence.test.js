import assert from "node:assert/strict";
import { test } from "node:test";
import { applyFrame } from "../../static/js/model/frame-reducers.js";
import { isOnline, KEEP_MS, keepPresence, onlineIn } from "../../static/js/model/presence.js";
import { takePhase } from "../../static/js/model/state.js";
import { createStore } from "../../static/js/model/store.js";
import { chat, Clock, start } from "./build.js";

const presence = (online, limit = 100) => ({ type: "presence", online, limit });
const changed = (online, offline) => ({ type: "presenceChanged", online, offline });
const live = (...frames) => frames.reduce((state, frame) => applyFrame(state, frame), takePhase(start({ chats: { c: chat() } }), "live", 1));
const welcome = { type: "welcome", epoch: "e", heads: {} };

test("who is online follows what is told, and oneself is", () => {
  const state = live(presence(["ada"]), changed(["bob"], []), changed([], ["ada"]), changed(["bob"], ["zoe"]));
  assert.deepEqual(["ada", "bob", "me"].map((id) => isOnline(state, id)), [false, true, true]);
  assert.deepEqual(onlineIn(state, chat()), ["bob", "me"]);
});

test("nobody is said to be online when nobody knows, while polling, or in a chat too large to be told of", () => {
  const unknown = live(presence(["ada"]), presence(null));
  assert.equal(isOnline(unknown, "ada") || isOnline(unknown, "me"), false);
  assert.equal(onlineIn(unknown, chat()), null);
  const polling = takePhase(live(presence(["ada"])), "polling", 2);
  assert.equal(isOnline(polling, "ada"), false);
  assert.equal(onlineIn(polling, chat()), null);
  assert.equal(onlineIn(live(presence(["ada"], 2)), chat()), null);
});

test("changes without the whole are nothing", () => {
  assert.equal(live(changed(["ada"], [])).presence, null);
  const again = applyFrame(live(presence(["ada"])), welcome);
  assert.equal(isOnline(applyFrame(again, changed(["bob"], [])), "bob"), false);
});

test("a new connection's list replaces the old one, which is good for some seconds only", async () => {
  const clock = new Clock();
  const store = createStore(live(presence(["ada"])), (run) => run());
  const hear = (frame) => store.update((state) => applyFrame(state, frame));
  keepPresence({ store, setTimer: clock.set, clearTimer: clock.clear });
  store.update((state) => takePhase(state, "reconnecting", 2));
  await clock.pass(KEEP_MS - 1);
  assert.equal(isOnline(store.state, "ada"), true);
  hear(welcome);
  store.update((state) => takePhase(state, "live", 3));
  hear(presence(["bob"]));
  await clock.pass(KEEP_MS);
  assert.deepEqual(onlineIn(store.state, chat()), ["bob", "me"]);
  hear(welcome);
  await clock.pass(KEEP_MS);
  assert.equal(store.state.presence, null);
});
