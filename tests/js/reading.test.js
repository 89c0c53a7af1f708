import assert from "node:assert/strict";
import { afterEach, beforeEach, mock, test } from "node:test";
import { DWELL_MS, Reading } from "../../static/js/conversation/reading.js";
import { createStore } from "../../static/js/model/store.js";
import { message, settle, start } from "./build.js";

beforeEach(() => mock.timers.enable({ apis: ["setTimeout", "Date"] }));
afterEach(() => mock.timers.reset());

const opened = (chatId) => ({ open: { chatId, messageId: null, details: false } });

/** A reader before the chat "c"; `told` are the ids of the messages that the server hears to have been read. */
function reader(fields = {}) {
  const told = [];
  const store = createStore(start({ attentive: true, ...opened("c"), dividers: { c: null, d: null }, ...fields }), (run) => run());
  const reading = new Reading({ store, api: { put: async (path) => void told.push(path.split("/")[3]) } });
  const place = new EventTarget();
  reading.listen(place);
  const after = async (ms) => {
    mock.timers.tick(ms);
    await settle();
    return told;
  };
  const act = (type, fields = {}) => place.dispatchEvent(Object.assign(new Event(type), fields));
  return { store, reading, after, act };
}

test("what is in view counts as read after a while, and what comes later soon", async () => {
  const { reading, after } = reader();
  reading.saw(message(1));
  assert.deepEqual(await after(DWELL_MS - 1), []);
  assert.deepEqual(await after(1), ["m1"]);
  reading.saw(message(2));
  assert.deepEqual(await after(250), ["m1", "m2"]);
});

test("whoever passes by has read nothing", async () => {
  const { store, reading, after, act } = reader();
  reading.saw(message(1));
  await after(600);
  act("keydown", { key: "Alt", altKey: true });
  act("keydown", { key: "ArrowDown", altKey: true });
  store.update((state) => ({ ...state, ...opened("d") }));
  reading.saw(message(1, { id: "d1", chatId: "d" }));
  assert.deepEqual(await after(900), []);
  assert.deepEqual(await after(100), ["d1"]);
});

test("scrolling, pressing and writing tell that somebody stays", async () => {
  for (const [type, fields] of [["wheel", {}], ["pointerdown", {}], ["keydown", { key: "h" }]]) {
    const { reading, after, act } = reader();
    reading.saw(message(1));
    act(type, fields);
    assert.deepEqual(await after(250), ["m1"], type);
  }
});

test("a page that is looked at again is looked at for a while before its messages count", async () => {
  const { store, reading, after } = reader({ attentive: false });
  reading.saw(message(1));
  assert.deepEqual(await after(5_000), []);
  store.update((state) => ({ ...state, attentive: true }));
  assert.deepEqual(await after(DWELL_MS - 1), []);
  assert.deepEqual(await after(1), ["m1"]);
});

test("nothing counts before it is decided where the divider stands", async () => {
  const { store, reading, after } = reader({ dividers: {} });
  reading.saw(message(1));
  assert.deepEqual(await after(5_000), []);
  store.update((state) => ({ ...state, dividers: { c: null } }));
  assert.deepEqual(await after(250), ["m1"]);
});
