/** Notices that the device has slept: a timer that should fire every few seconds fires much later. */
export const EVERY_MS = 5_000;
export const LATE_MS = 10_000;

const clock = { now: () => Date.now(), set: (run, ms) => setTimeout(run, ms) };

/** Calls `run` after each sleep. In a hidden page timers fire once a minute, so it is called then as well. */
export function onWake(run, timers = clock) {
  let due = 0;
  const arm = () => {
    due = timers.now() + EVERY_MS;
    timers.set(() => {
      const late = timers.now() - due >= LATE_MS;
      arm();
      if (late) run();
    }, EVERY_MS);
  };
  arm();
}
