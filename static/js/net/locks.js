/** What only one of a user's tabs may do, and whether any of them is being looked at. Web Locks end with their tab, however it ends. */
const HELD_MS = 30_000; // a tab may hear of the same thing so much later
const browserLocks = () => globalThis.navigator?.locks ?? null;

/** Runs `run` while no other tab runs something of this name. */
export const alone = (name, run, locks = browserLocks()) => (locks ? locks.request(name, run) : run());

/** `locks` are the browser's; null where the page is not secure (plain HTTP): every tab then stands alone. */
export function createClaims(userId, locks = browserLocks()) {
  const attention = `parley.attention.${userId}`;
  let release = null;
  let released = null; // promise of the lock of this tab having ended

  return {
    /** True for the one tab that may do what `name` names. Nobody else may for `ms`. */
    claim(name, ms = HELD_MS) {
      if (!locks) return Promise.resolve(true);
      return new Promise((resolve) => {
        locks.request(`parley.claim.${userId}.${name}`, { ifAvailable: true }, (lock) => {
          resolve(Boolean(lock));
          return lock && new Promise((end) => setTimeout(end, ms));
        });
      });
    },
    /** This tab is visible and has the focus, or has not any more. */
    attend(attentive) {
      if (attentive === Boolean(release)) return;
      release?.();
      release = null;
      if (!attentive || !locks) return;
      const until = new Promise((end) => (release = end));
      released = locks.request(attention, { mode: "shared" }, () => until);
    },
    /** Somebody looks at one of the tabs. */
    async attended() {
      if (!release) await released;
      return locks ? (await locks.query()).held.some(({ name }) => name === attention) : false;
    },
  };
}
