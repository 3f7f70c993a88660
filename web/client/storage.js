/**
 * Where cursors are kept. Anything with `getItem` and `setItem` of strings will do, synchronous or not:
 * `localStorage`, `sessionStorage`, React Native's `AsyncStorage`, or an object of your own.
 * @typedef {{ getItem(key: string): string | null | undefined | Promise<string | null | undefined>,
 *   setItem(key: string, value: string): unknown }} Storage
 */

/** Keeps cursors as long as this object lives. @returns {Storage} */
export function memoryStorage() {
  const items = new Map();
  return {
    getItem: (key) => items.get(key) ?? null,
    setItem: (key, value) => {
      items.set(key, value);
    },
  };
}

/**
 * Keeps cursors in `localStorage` (or the given Web Storage), and in memory where the browser forbids that or has no
 * room: losing a cursor costs a reload of history, never a message.
 * @param {{ getItem(key: string): string | null, setItem(key: string, value: string): void }} [area]
 * @returns {Storage}
 */
export function browserStorage(area) {
  const memory = memoryStorage();
  const target = () => area ?? globalThis.localStorage;
  return {
    getItem(key) {
      try {
        return target().getItem(key) ?? memory.getItem(key);
      } catch {
        return memory.getItem(key);
      }
    },
    setItem(key, value) {
      memory.setItem(key, value);
      try {
        target().setItem(key, value);
      } catch {
        // Private windows and full disks: memory has it.
      }
    },
  };
}

/** Writes are gathered for this long: a burst of messages is one write. */
const WRITE_AFTER_MS = 200;

/** The saved cursors of one user on one device. */
export class CursorStore {
  #storage;
  #key;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;
  /** @type {(() => Record<string, number>) | undefined} */
  #read;

  /** @param {Storage} storage @param {string} key */
  constructor(storage, key) {
    this.#storage = storage;
    this.#key = key;
  }

  /** @returns {Promise<Record<string, number> | undefined>} nothing when this device has never been in sync */
  async load() {
    try {
      const text = await this.#storage.getItem(this.#key);
      const value = text ? JSON.parse(text) : undefined;
      if (value === null || typeof value !== 'object') return undefined;
      return Object.fromEntries(Object.entries(value).filter(([, seq]) => Number.isSafeInteger(seq) && seq >= 0));
    } catch {
      return undefined;
    }
  }

  /** Saves soon what `read` returns then. @param {() => Record<string, number>} read */
  saveSoon(read) {
    this.#read = read;
    this.#timer ??= setTimeout(() => void this.flush(), WRITE_AFTER_MS);
  }

  async flush() {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const read = this.#read;
    this.#read = undefined;
    if (!read) return;
    try {
      await this.#storage.setItem(this.#key, JSON.stringify(read()));
    } catch {
      // A cursor that is not saved makes the next start fetch more, nothing else.
    }
  }
}
