/** The one state of the page and who is told when it changed. Holds no rules: those are in the pure modules. */

/** Runs `flush` before the next paint, and soon also in a hidden tab, where there are no paints. */
function beforePaint(flush) {
  let done = false;
  const once = () => {
    if (done) return;
    done = true;
    clearTimeout(timer);
    cancelAnimationFrame(frame);
    flush();
  };
  const frame = requestAnimationFrame(once);
  const timer = setTimeout(once, 120);
}

const same = (a, b) => a.length === b.length && a.every((value, index) => Object.is(value, b[index]));

export function createStore(initial, schedule = beforePaint) {
  let state = initial;
  let scheduled = false;
  const listeners = new Set();

  const flush = () => {
    scheduled = false;
    for (const listener of [...listeners]) listener(state);
  };

  const store = {
    get state() {
      return state;
    },
    /** Replaces the state by `change(state)`; listeners hear of several changes at once, before the next paint. */
    update(change) {
      const next = change(state);
      if (next === state) return;
      state = next;
      if (!scheduled) {
        scheduled = true;
        schedule(flush);
      }
    },
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    /** Calls `run(state)` now and whenever one of the values in the array `select(state)` is another one. */
    watch(select, run) {
      let last = select(state);
      run(state);
      return store.subscribe((now) => {
        const next = select(now);
        if (same(last, next)) return;
        last = next;
        run(now);
      });
    },
  };
  return store;
}
