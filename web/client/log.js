/** More entries than this that arrived too early are not kept: they come again with the gap's history. */
const MAX_EARLY = 1_000;

/**
 * One conversation's log as this device has seen it: everything up to `cursor` was handed on, what came too early
 * waits for what is missing before it.
 */
export class ConversationLog {
  /** @type {Map<number, { seq: number }>} */
  #early = new Map();

  /** @param {number} cursor */
  constructor(cursor) {
    this.cursor = cursor;
    /** The highest seq known to exist. */
    this.head = cursor;
  }

  /** Whether entries are known to exist that have not been handed on. */
  get behind() {
    return this.head > this.cursor;
  }

  /** @param {number} seq */
  expect(seq) {
    if (seq > this.head) this.head = seq;
  }

  /**
   * Takes one entry, in any order and any number of times.
   * @template {{ seq: number }} E
   * @param {E} entry
   * @returns {E[]} the entries whose turn it is now, ascending
   */
  offer(entry) {
    if (entry.seq <= this.cursor) return [];
    this.expect(entry.seq);
    if (entry.seq > this.cursor + 1) {
      if (this.#early.size < MAX_EARLY) this.#early.set(entry.seq, entry);
      return [];
    }
    this.cursor = entry.seq;
    return [entry, .../** @type {E[]} */ (this.#takeNext())];
  }

  /**
   * Gives up on what lies before `seq`: the server says that there is nothing there for this user.
   * @param {number} seq the first that can be had
   * @returns {{ seq: number }[]} the entries whose turn it is now
   */
  startAt(seq) {
    if (seq - 1 <= this.cursor) return [];
    this.cursor = seq - 1;
    this.expect(this.cursor);
    for (const early of this.#early.keys()) if (early <= this.cursor) this.#early.delete(early);
    return this.#takeNext();
  }

  #takeNext() {
    const ready = [];
    for (let next = this.#early.get(this.cursor + 1); next; next = this.#early.get(this.cursor + 1)) {
      this.#early.delete(next.seq);
      this.cursor = next.seq;
      ready.push(next);
    }
    return ready;
  }
}
