import { Backoff } from './backoff.js';
import { TidingsError } from './errors.js';

/** An answer that takes longer is not coming. */
const ANSWER_WITHIN_MS = 15_000;
/** How long `askUntil` goes on, unless told otherwise. */
const PATIENCE_MS = 60_000;

/** Questions that have one answer, matched by `ref`. */
export class Requests {
  #connection;
  #lastRef = 0;
  /** @type {Map<string, { resolve: (frame: any) => void, reject: (error: Error) => void, timer: any }>} */
  #waiting = new Map();

  /** @param {import('./connection.js').Connection} connection */
  constructor(connection) {
    this.#connection = connection;
    connection.on('down', () => this.#rejectAll(new TidingsError('disconnected', 'the connection was lost')));
  }

  /**
   * Asks once, now.
   * @param {object} frame @returns {Promise<any>} the answering frame
   */
  ask(frame) {
    return new Promise((resolve, reject) => {
      const ref = `r${(this.#lastRef += 1)}`;
      if (!this.#connection.send({ ...frame, ref })) {
        reject(new TidingsError('disconnected', 'there is no connection'));
        return;
      }
      const timer = setTimeout(() => {
        this.#waiting.delete(ref);
        reject(new TidingsError('timeout', 'the server did not answer in time'));
      }, ANSWER_WITHIN_MS);
      this.#waiting.set(ref, { resolve, reject, timer });
    });
  }

  /**
   * Asks until there is an answer, across lost connections and a server that is busy. Only for questions that change
   * nothing.
   * @param {object} frame
   * @param {{ withinMs?: number, signal?: AbortSignal }} [options]
   * @returns {Promise<any>}
   */
  async askUntil(frame, { withinMs = PATIENCE_MS, signal } = {}) {
    const giveUpAt = Date.now() + withinMs;
    const backoff = new Backoff({ baseMs: 500, maxMs: 5_000 });
    for (;;) {
      if (signal?.aborted) throw new TidingsError('aborted', 'the request was given up');
      try {
        return await this.ask(frame);
      } catch (error) {
        if (!(error instanceof TidingsError) || !error.temporary || this.#connection.state === 'closed') throw error;
        const pause = error.retryAfterMs ?? 100 + backoff.next();
        if (Date.now() + pause > giveUpAt) throw error;
        await new Promise((resolve) => setTimeout(resolve, pause));
      }
    }
  }

  /** @param {any} frame @returns {boolean} whether it was an answer to one of ours */
  answer(frame) {
    const waiting = typeof frame.ref === 'string' && this.#waiting.get(frame.ref);
    if (!waiting) return false;
    this.#waiting.delete(frame.ref);
    clearTimeout(waiting.timer);
    if (frame.type === 'error') waiting.reject(TidingsError.fromFrame(frame));
    else waiting.resolve(frame);
    return true;
  }

  #rejectAll(error) {
    const all = [...this.#waiting.values()];
    this.#waiting.clear();
    for (const { reject, timer } of all) {
      clearTimeout(timer);
      reject(error);
    }
  }
}
