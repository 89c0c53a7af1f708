/** Small values that survive a reload. Falls back to memory where the browser's storage is full or forbidden. */
export function createStorage(backing) {
  const memory = new Map();

  const attempt = (run, otherwise) => {
    try {
      return run();
    } catch {
      return otherwise();
    }
  };

  return {
    get(key) {
      const text = attempt(() => backing.getItem(key), () => null) ?? memory.get(key);
      return attempt(() => (text == null ? null : JSON.parse(text)), () => null);
    },
    set(key, value) {
      const text = JSON.stringify(value);
      attempt(() => backing.setItem(key, text), () => memory.set(key, text));
    },
    remove(key) {
      memory.delete(key);
      attempt(() => backing.removeItem(key), () => {});
    },
    /** Every key that starts with `prefix`, sorted. */
    keys(prefix) {
      const stored = attempt(() => Object.keys(backing), () => []);
      return [...new Set([...stored, ...memory.keys()])].filter((key) => key.startsWith(prefix)).sort();
    },
  };
}
