import assert from "node:assert/strict";
import { test } from "node:test";
import { add, amend, erase, mergePage, newTimeline, trim } from "../../static/js/model/message-timeline.js";
import { at, message } from "./build.js";

const ids = (timeline) => timeline.items.map((item) => item.id);
const page = (...items) => ({ items, next: "more" });
const loaded = (...seqs) => mergePage(newTimeline(1), "newest", page(...seqs.map((seq) => message(seq))));

test("a message that comes twice is there once, and messages stand in the order of their seq", () => {
  let timeline = loaded(1, 2);
  for (const seq of [5, 4, 5, 2]) timeline = add(timeline, message(seq));
  assert.deepEqual(ids(timeline), ["m1", "m2", "m4", "m5"]);
});

test("a message is not appended to a window that does not reach the newest one", () => {
  const timeline = add({ ...loaded(1, 2), atEnd: false }, message(9));
  assert.deepEqual(ids(timeline), ["m1", "m2"]);
  assert.equal(timeline.newer, 1);
});

test("a page does not bring back what a later edit or deletion has changed", () => {
  const old = page(message(1), message(2));
  let timeline = amend(loaded(1, 2), message(1, { content: "edited", isEdited: true, editedAt: at(30) }));
  timeline = erase(timeline, "m2");
  timeline = mergePage(timeline, "older", old);
  assert.deepEqual(timeline.items.map((item) => item.content), ["edited", ""]);
});

test("what happens to a message while its page is under way is applied to the page", () => {
  let timeline = { ...newTimeline(1), loading: "newest" };
  timeline = amend(timeline, message(1, { content: "edited", editedAt: at(30), isEdited: true }));
  timeline = erase(timeline, "m2");
  timeline = add(timeline, message(3));
  timeline = mergePage(timeline, "newest", page(message(1), message(2)));
  assert.deepEqual(timeline.items.map((item) => item.content), ["edited", "", "text 3"]);
});

test("a message that comes while the last newer page is under way is not lost", () => {
  const timeline = add({ ...loaded(1), atEnd: false, loading: "newer" }, message(4));
  const partly = mergePage(timeline, "newer", page(message(2)));
  assert.deepEqual(ids(partly), ["m1", "m2"]);
  const whole = mergePage(timeline, "newer", { items: [message(2), message(3)], next: null });
  assert.deepEqual(ids(whole), ["m1", "m2", "m3", "m4"]);
  assert.equal(whole.atEnd, true);
});

test("two live edits within one millisecond end with the later one", () => {
  const first = message(1, { content: "a", isEdited: true, editedAt: at(30) });
  const timeline = amend(amend(loaded(1), first), { ...first, content: "b" });
  assert.equal(timeline.items[0].content, "b");
});

test("trimming says which end no longer reaches", () => {
  const timeline = { ...loaded(1, 2, 3, 4), atStart: true };
  assert.deepEqual([ids(trim(timeline, "start", 2)), trim(timeline, "start", 2).atStart], [["m3", "m4"], false]);
  assert.deepEqual([ids(trim(timeline, "end", 2)), trim(timeline, "end", 2).atEnd], [["m1", "m2"], false]);
});

test("while a page is under way, only the other end is trimmed", () => {
  const way = (loading, end) => ids(trim({ ...loaded(1, 2, 3), loading }, end, 2));
  const whole = ["m1", "m2", "m3"];
  assert.deepEqual([way("older", "start"), way("older", "end")], [whole, ["m1", "m2"]]);
  assert.deepEqual([way("newer", "start"), way("newer", "end")], [["m2", "m3"], whole]);
  assert.deepEqual([way("newest", "start"), way("newest", "end")], [whole, whole]);
});
