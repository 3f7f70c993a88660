import { Tidings } from '../index.js';

/** A token as a JWT library would make it, unsigned: the client reads it, it does not check it. */
export function jwt(claims) {
  const part = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');
  return `${part({ alg: 'none' })}.${part(claims)}.x`;
}

/** Makes clients of a double and closes them all. */
export class Clients {
  #all = [];

  /** @param {import('./double.js').Double} double @param {string} user @param {object} [options] */
  make(double, user, options = {}) {
    const tidings = new Tidings({
      url: 'http://double', token: `token-${user}`, WebSocket: double.WebSocket, reconnect: { baseMs: 4, maxMs: 4 }, ...options,
    });
    tidings.seen = [];
    tidings.on('message', (entry) => tidings.seen.push(entry.seq));
    this.#all.push(tidings);
    return tidings;
  }

  async close() {
    await Promise.all(this.#all.splice(0).map((tidings) => tidings.close()));
  }
}

export const upTo = (n) => Array.from({ length: n }, (_, i) => i + 1);

/** Resolves when a client has been handed `n` messages. */
export const seen = (tidings, n) => (tidings.seen.length >= n ? undefined : tidings.once('message', () => tidings.seen.length >= n));

/** Resolves when `condition` holds; looks again whenever the event loop is free. */
export async function until(condition, within = 5_000) {
  const end = Date.now() + within;
  while (!condition()) {
    if (Date.now() > end) throw new Error(`not within ${within} ms: ${condition}`);
    await new Promise((resolve) => setImmediate(resolve));
  }
}
