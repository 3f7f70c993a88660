/**
 * How long to wait before the next attempt: full jitter (a random time between nothing and a limit that doubles), so
 * that the clients of a server that went away do not come back in step.
 */
export class Backoff {
  #attempt = 0;

  /**
   * @param {{ baseMs?: number, maxMs?: number, random?: () => number }} [options] the first limit (1 s), the last
   *   (30 s), and the source of randomness
   */
  constructor({ baseMs = 1_000, maxMs = 30_000, random = Math.random } = {}) {
    this.baseMs = baseMs;
    this.maxMs = maxMs;
    this.random = random;
  }

  /** @returns {number} milliseconds */
  next() {
    // 2^20 is far past any sensible maximum and keeps the number finite after days without a network.
    const limit = Math.min(this.maxMs, this.baseMs * 2 ** Math.min(this.#attempt, 20));
    this.#attempt += 1;
    return Math.round(this.random() * limit);
  }

  /** To be called when the connection has proved itself. */
  reset() {
    this.#attempt = 0;
  }

  get attempts() {
    return this.#attempt;
  }
}
