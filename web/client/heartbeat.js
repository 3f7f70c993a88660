/** After a ping, any frame must arrive within this time. */
const ANSWER_WITHIN_MS = 10_000;
/** The same when there is reason to doubt: the network changed, the page came back. */
const CHECK_WITHIN_MS = 4_000;

/**
 * Notices a connection that died without saying so. Applications in browsers cannot see the server's WebSocket
 * pings, so after a quiet interval this sends a `ping` frame of its own.
 */
export class Heartbeat {
  #ping;
  #dead;
  #intervalMs = 25_000;
  #running = false;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;

  /** @param {{ ping: () => void, dead: () => void }} actions */
  constructor({ ping, dead }) {
    this.#ping = ping;
    this.#dead = dead;
  }

  /** @param {number} intervalMs the server's `heartbeat_s` */
  start(intervalMs) {
    this.#intervalMs = intervalMs;
    this.#running = true;
    this.heard();
  }

  stop() {
    this.#running = false;
    clearTimeout(this.#timer);
  }

  /** Any frame is a sign of life. */
  heard() {
    if (!this.#running) return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#ask(ANSWER_WITHIN_MS), this.#intervalMs);
  }

  checkNow() {
    this.#ask(CHECK_WITHIN_MS);
  }

  /** @param {number} within */
  #ask(within) {
    if (!this.#running) return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#dead(), within);
    this.#ping();
  }
}
