/** How long to wait before the next attempt: exponential with full jitter, so that many clients do not come back at the same moment. */
export const FIRST_MS = 500;
export const LONGEST_MS = 30_000;

/** Milliseconds before attempt number `attempt` (0 is the first retry); between 0 and `min(30 s, 0.5 s × 2^attempt)`. */
export function backoff(attempt, random = Math.random) {
  return random() * Math.min(LONGEST_MS, FIRST_MS * 2 ** Math.min(attempt, 16));
}
