import assert from "node:assert/strict";
import { test } from "node:test";
import { backoff } from "../../static/js/net/backoff.js";

test("the longest wait doubles from half a second up to thirty seconds", () => {
  const longest = [0, 1, 2, 3, 4, 5, 6, 7, 100].map((attempt) => backoff(attempt, () => 1));
  assert.deepEqual(longest, [500, 1000, 2000, 4000, 8000, 16000, 30000, 30000, 30000]);
});

test("the jitter is full: any wait from zero to the longest", () => {
  assert.equal(backoff(6, () => 0), 0);
  assert.equal(backoff(6, () => 0.5), 15000);
});
