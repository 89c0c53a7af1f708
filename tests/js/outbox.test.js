import assert from "node:assert/strict";
import { test } from "node:test";
import { Outbox } from "../../static/js/model/outbox.js";
import { createStorage } from "../../static/js/model/storage.js";
import { createStore } from "../../static/js/model/store.js";
import { ApiError } from "../../static/js/net/api.js";
import { message, settle, start } from "./build.js";

function localStorage() {
  const data = {};
  Object.defineProperties(data, {
    getItem: { value: (key) => data[key] ?? null },
    setItem: { value: (key, text) => void (data[key] = text) },
    removeItem: { value: (key) => void delete data[key] },
  });
  return data;
}

function build({ answers = [], backing = localStorage(), inTurn = (_, run) => run() } = {}) {
  const calls = [];
  const timers = [];
  const store = createStore(start(), () => {});
  const post = async (path, body, { key }) => {
    calls.push({ path, content: body.content, key });
    const answer = await (answers.shift() ?? message(calls.length, { senderId: "me", content: body.content }));
    if (answer instanceof Error) throw answer;
    return answer;
  };
  let tick = 0;
  const outbox = new Outbox({
    store, api: { post }, storage: createStorage(backing), userId: "me",
    setTimer: (run, ms) => timers.push({ run, ms }), random: () => 1, now: () => `2026-11-23T10:00:00.${100 + tick++}Z`, inTurn,
  });
  return { outbox, store, calls, timers, backing, items: () => store.state.outbox };
}

test("a message is shown and stored before the server has answered, and gone from the outbox afterwards", async () => {
  const { outbox, items, backing } = build();
  outbox.add("c", "hello");
  assert.equal(items()[0].status, "sending");
  assert.equal(Object.keys(backing).length, 1);
  await settle();
  assert.deepEqual([items().length, Object.keys(backing).length], [0, 0]);
});

test("of two tabs that have the same message to send, one sends it", async () => {
  const turns = new Map();
  const inTurn = (name, run) => {
    const turn = Promise.resolve(turns.get(name)).then(run);
    turns.set(name, turn);
    return turn;
  };
  const first = build({ inTurn, answers: [new ApiError({})] });
  first.outbox.add("c", "hello");
  await settle();
  const second = build({ inTurn, backing: first.backing });
  second.outbox.restore();
  first.outbox.revive();
  await settle();
  assert.deepEqual([first.items().length, second.items().length], [0, 0]);
  assert.equal(first.calls.length + second.calls.length, 2, "the one that failed and the one that did not");
});

test("trying again uses the same key, also after a reload", async () => {
  const first = build({ answers: [new ApiError({})] });
  first.outbox.add("c", "hello");
  await settle();
  assert.equal(first.items()[0].status, "failed");
  const second = build({ backing: first.backing });
  second.outbox.restore();
  await settle();
  assert.equal(second.calls.length, 1);
  assert.equal(second.calls[0].key, first.calls[0].key);
  assert.equal(second.items().length, 0);
});

test("messages of one chat go out one after the other, in order; other chats do not wait", async () => {
  let release;
  const { outbox, calls } = build({ answers: [new Promise((resolve) => (release = resolve))] });
  outbox.add("c", "one");
  outbox.add("c", "two");
  outbox.add("d", "other");
  await settle();
  assert.deepEqual(calls.map((call) => call.content), ["one", "other"]);
  release(message(1));
  await settle();
  assert.deepEqual(calls.map((call) => call.content), ["one", "other", "two"]);
});

test("after a temporary failure the next message waits, and both go out when the connection is back", async () => {
  const { outbox, calls, items } = build({ answers: [new ApiError({ status: 503 })] });
  outbox.add("c", "one");
  outbox.add("c", "two");
  await settle();
  assert.deepEqual(items().map((item) => item.status), ["failed", "queued"]);
  outbox.revive();
  await settle();
  assert.deepEqual(calls.map((call) => call.content), ["one", "one", "two"]);
  assert.equal(calls[0].key, calls[1].key);
});

test("a message that the server refuses is not tried again by itself and holds up no other", async () => {
  const { outbox, items, calls, timers } = build({ answers: [new ApiError({ status: 400, code: "invalid_value", message: "Too long." })] });
  outbox.add("c", "one");
  outbox.add("c", "two");
  await settle();
  assert.deepEqual(items().map((item) => [item.status, item.error.message]), [["failed", "Too long."]]);
  outbox.revive();
  await settle();
  assert.deepEqual([calls.length, timers.length], [2, 0]);
});

test("discarding gives the text back and forgets the message", async () => {
  const { outbox, backing } = build({ answers: [new ApiError({})] });
  const { key } = outbox.add("c", "hello");
  await settle();
  assert.equal(outbox.discard(key).content, "hello");
  assert.equal(Object.keys(backing).length, 0);
});

test("a message whose answer was lost, but which the stream has shown, is asked for again at once", async () => {
  let fail;
  const { outbox, store, timers, items } = build({ answers: [new Promise((resolve) => (fail = resolve))] });
  const { key } = outbox.add("c", "hello");
  store.update((state) => ({ ...state, outbox: state.outbox.map((item) => ({ ...item, storedAs: "m1" })) }));
  fail(new ApiError({}));
  await settle();
  assert.equal(items()[0].storedAs, "m1");
  assert.equal(timers[0].ms, 500);
  timers[0].run();
  await settle();
  assert.deepEqual([items().length, store.state.aliases.m2], [0, key]);
});

test("a message that was too fast is sent again when the server said, with its key", async () => {
  const { outbox, calls, timers, items } = build({ answers: [new ApiError({ status: 429, code: "too_fast", retryAfterMs: 7_000 })] });
  outbox.add("c", "hello");
  await settle();
  assert.equal(timers[0].ms, 7_000);
  outbox.revive();
  await settle();
  assert.deepEqual([items()[0].status, calls.length], ["failed", 1]);
  assert.equal(new Date(items()[0].error.until).toISOString().slice(0, 19), "2026-11-23T10:00:07");
  timers[0].run();
  await settle();
  assert.deepEqual([items().length, calls.length, calls[0].key === calls[1].key], [0, 2, true]);
});
