import assert from "node:assert/strict";
import { test } from "node:test";
import { readersAt } from "../../static/js/conversation/reader-faces.js";
import { newTimeline } from "../../static/js/model/message-timeline.js";
import { at, chat, message, start } from "./build.js";

const mark = (seq) => ({ seq, readAt: at(seq) });
const find = (items, marks, fields = {}) =>
  Object.fromEntries(readersAt(start({ watermarks: { c: marks } }), chat(), { ...newTimeline(1), loaded: true, items, ...fields }));

test("each stands at the last message that they have read, who came last first", () => {
  const items = [1, 2, 5].map((seq) => message(seq, { senderId: "me" }));
  assert.deepEqual(find(items, { ada: mark(2), bob: mark(4), me: mark(5) }), { m2: "bob,ada" });
  assert.deepEqual(find(items, { ada: mark(5), bob: mark(1) }), { m5: "ada", m1: "bob" });
});

test("nobody stands at their own message, at a deleted one, or outside of the window", () => {
  assert.deepEqual(find([message(1), message(2, { content: "", deletedAt: at(9), senderId: "me" })], { ada: mark(1), bob: mark(2) }), {});
  const part = [message(5), message(6)];
  assert.deepEqual(find(part, { bob: mark(4) }), {});
  assert.deepEqual(find(part, { bob: mark(9) }, { atEnd: false }), {});
  assert.deepEqual(find(part, { bob: mark(9) }), { m6: "bob" });
  assert.deepEqual(find([], { bob: mark(9) }), {});
});
