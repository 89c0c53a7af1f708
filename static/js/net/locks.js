/** Locks between the tabs of one user: what only one of them may do, and whether any of them is being looked at.
 *
 * They are Web Locks, which the browser releases when their tab ends, however it ends. Their names stay as they are: tabs of
 * an earlier release ask for the same ones.
 */
const HELD_MS = 30_000; // another tab may hear of the same thing so much later
const browserLocks = () => globalThis.navigator?.locks ?? null;

/** Runs `run` once no other tab holds the lock `name`, and holds it meanwhile. */
export const alone = (name, run, locks = browserLocks()) => (locks ? locks.request(name, run) : run());

/** `locks` are the browser's; null where the page is not secure (plain HTTP): every tab then stands alone. */
export function createLocks(userId, locks = browserLocks()) {
  const attention = `parley.attention.${userId}`;
  let release = null;
  let released = null; // promise of the lock of this tab having ended

  return {
    /** Answers true in the one tab that may do what `name` names; no other tab may for `ms`. */
    acquire(name, ms = HELD_MS) {
      if (!locks) return Promise.resolve(true);
      return new Promise((resolve) => {
        locks.request(`parley.claim.${userId}.${name}`, { ifAvailable: true }, (lock) => {
          resolve(Boolean(lock));
          return lock && new Promise((end) => setTimeout(end, ms));
        });
      });
    },
    /** Says whether this tab is visible and has the focus. */
    attend(attentive) {
      if (attentive === Boolean(release)) return;
      release?.();
      release = null;
      if (!attentive || !locks) return;
      const until = new Promise((end) => (release = end));
      released = locks.request(attention, { mode: "shared" }, () => until);
    },
    /** Answers whether somebody is looking at one of the tabs. */
    async attended() {
      if (!release) await released;
      return locks ? (await locks.query()).held.some(({ name }) => name === attention) : false;
    },
  };
}
