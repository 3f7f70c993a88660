import { Backoff } from './backoff.js';
import { Emitter } from './emitter.js';
import { TidingsError } from './errors.js';
import { Heartbeat } from './heartbeat.js';
import { expiry } from './token.js';

const SUBPROTOCOL = 'tidings.v1.json';
/** From the start of an attempt to `welcome`; the server itself allows 5 s for a `hello`. */
const CONNECT_WITHIN_MS = 15_000;
/** Tokens are renewed this long before they expire, or after nine tenths of their life if that is later. */
const RENEW_BEFORE_MS = 60_000;
/** The longest wait that timers can count (2^31 - 1 ms). */
const MAX_TIMER_MS = 2_147_483_647;
/** So many refused tokens in a row mean that the next one will be refused too. */
const MAX_REFUSALS = 3;
const UNAUTHENTICATED = 4401;
const REVOKED = 4403;

/**
 * Keeps one socket to the server: connects, says hello, watches for silence, renews the token, and connects again
 * after every loss. What the frames mean is for others.
 *
 * Events: `state` {state, retryAt?, reason?}, `welcome` (a new session), `frame` (all others), `down` (a session
 * ended), `wire` {direction, frame, at} (everything, for those who want to look on).
 * States: `idle`, `connecting`, `syncing`, `online`, `waiting`, `closed`.
 */
export class Connection extends Emitter {
  state = 'idle';
  /** Whether `welcome` was received and frames may be sent. */
  up = false;
  #options;
  #backoff;
  #heartbeat;
  /** @type {any} the current socket; events of any other are ignored */
  #socket;
  #timers = { retry: undefined, connect: undefined, renew: undefined };
  #refusals = 0;
  /** When the server asked to come back, in milliseconds since 1970. @type {number | undefined} */
  #adviceAt;
  #maxFrameBytes = 65_536;

  /**
   * @param {{ url: string, WebSocket: any, tokens: import('./token.js').TokenSource,
   *   hello: () => object, random?: () => number, baseMs?: number, maxMs?: number }} options
   */
  constructor(options) {
    super();
    this.#options = options;
    this.#backoff = new Backoff(options);
    this.#heartbeat = new Heartbeat({
      ping: () => this.send({ type: 'ping' }),
      dead: () => this.#drop('the server is silent'),
    });
  }

  start() {
    if (this.state === 'idle' || this.state === 'closed') {
      this.#refusals = 0;
      void this.#connect();
    }
  }

  /** Ends the session for good. @param {TidingsError} [error] why, when it was not asked for */
  stop(error) {
    if (this.state === 'closed') return;
    this.#abandon();
    clearTimeout(this.#timers.retry);
    this.#become('closed', { reason: error?.message, error });
  }

  /** The network or the user is back: connect now if waiting, and see whether the socket still lives if not. */
  wake() {
    if (this.state === 'waiting' && !(this.#adviceAt && this.#adviceAt > Date.now())) {
      clearTimeout(this.#timers.retry);
      void this.#connect();
    } else if (this.up) {
      this.#heartbeat.checkNow();
    }
  }

  /** @param {object} frame @returns {boolean} whether it went out; it may still be lost */
  send(frame) {
    if (!this.up) return false;
    return this.#write(frame);
  }

  /** Whether a frame is longer than the server reads. @param {object} frame */
  tooLarge(frame) {
    const text = JSON.stringify(frame);
    // No character needs more than three bytes a UTF-16 unit; only when that might not fit is counting worth it.
    return text.length * 3 > this.#maxFrameBytes && byteLength(text) > this.#maxFrameBytes;
  }

  /** The first `sync` is complete. */
  synced() {
    if (this.state !== 'syncing') return;
    this.#backoff.reset();
    this.#refusals = 0;
    this.#become('online');
  }

  async #connect() {
    this.#become('connecting');
    this.#adviceAt = undefined;
    let token;
    try {
      token = await this.#options.tokens.get();
    } catch (error) {
      if (this.state === 'connecting') this.#tokenFailed(error);
      return;
    }
    if (this.state !== 'connecting') return;
    let socket;
    try {
      socket = new this.#options.WebSocket(this.#options.url, [SUBPROTOCOL]);
    } catch (error) {
      // A malformed URL or a browser policy: no later attempt can do better.
      this.stop(new TidingsError('bad_request', 'the WebSocket could not be made', { cause: error }));
      return;
    }
    this.#socket = socket;
    const mine = (handler) => (event) => socket === this.#socket && handler(event);
    socket.onopen = mine(() => this.#write({ type: 'hello', token, ...this.#options.hello() }));
    socket.onmessage = mine((event) => this.#receive(event.data));
    socket.onclose = mine((event) => this.#closed(event.code, event.reason));
    socket.onerror = () => {}; // `close` follows and says all there is to know
    this.#timers.connect = setTimeout(() => this.#drop('connecting took too long'), CONNECT_WITHIN_MS);
    this.#scheduleRenewal(token);
  }

  /** @param {unknown} data */
  #receive(data) {
    this.#heartbeat.heard();
    let frame;
    try {
      frame = JSON.parse(String(data));
    } catch {
      return;
    }
    if (frame === null || typeof frame !== 'object') return;
    this.emit('wire', { direction: 'in', frame, at: Date.now() });
    if (frame.type === 'welcome' && !this.up) this.#welcomed(frame);
    else if (frame.type === 'reconnect') this.#advised(frame.after_ms);
    else this.emit('frame', frame);
  }

  #welcomed(frame) {
    clearTimeout(this.#timers.connect);
    this.up = true;
    if (frame.max_frame_bytes > 0) this.#maxFrameBytes = frame.max_frame_bytes;
    this.#heartbeat.start((frame.heartbeat_s > 0 ? frame.heartbeat_s : 25) * 1_000);
    this.#become('syncing');
    this.emit('welcome', frame);
  }

  /** @param {number} afterMs */
  #advised(afterMs) {
    const wait = Number.isFinite(afterMs) ? Math.max(0, afterMs) : 0;
    this.#adviceAt = Date.now() + wait;
    // The server closes by itself; should that frame get lost, the time it named is still the time to go.
    clearTimeout(this.#timers.connect);
    this.#timers.connect = setTimeout(() => this.#drop('the server asked to reconnect'), Math.min(wait, MAX_TIMER_MS));
  }

  #closed(code, reason) {
    const refused = code === UNAUTHENTICATED || code === REVOKED;
    this.#abandon();
    if (refused) void this.#tokenRefused(code, reason);
    else this.#wait(reason || `the connection closed (${code})`);
  }

  /** The socket is of no use any more, whatever it says later. @param {string} reason */
  #drop(reason) {
    this.#abandon();
    this.#wait(reason);
  }

  async #tokenRefused(code, reason) {
    this.#refusals += 1;
    const error = new TidingsError('unauthenticated', reason || `the token was refused (${code})`);
    if (!this.#options.tokens.renewable || this.#refusals >= MAX_REFUSALS) return this.stop(error);
    this.#become('connecting');
    try {
      await this.#options.tokens.renew();
      // A token that was good until it expired may be replaced at once, one that is refused again and again not.
      if (this.state !== 'connecting') return;
      if (this.#refusals === 1) await this.#connect();
      else this.#wait(error.message);
    } catch (failure) {
      if (this.state === 'connecting') this.#tokenFailed(failure);
    }
  }

  /** @param {any} error what the application's token function failed with */
  #tokenFailed(error) {
    if (error?.code === 'unauthenticated') this.stop(error);
    else this.#wait('no token could be fetched');
  }

  #wait(reason) {
    const advised = this.#adviceAt === undefined ? undefined : Math.max(0, this.#adviceAt - Date.now());
    const delay = Math.min(advised ?? this.#backoff.next(), MAX_TIMER_MS);
    this.#timers.retry = setTimeout(() => void this.#connect(), delay);
    this.#become('waiting', { retryAt: Date.now() + delay, reason });
  }

  /** Lets go of the socket without waiting for a closing handshake, which a dead network never finishes. */
  #abandon() {
    const socket = this.#socket;
    const wasUp = this.up;
    this.#socket = undefined;
    this.up = false;
    this.#heartbeat.stop();
    clearTimeout(this.#timers.connect);
    clearTimeout(this.#timers.renew);
    clearTimeout(this.#timers.retry);
    try {
      socket?.close(1000);
    } catch {
      // Already closed.
    }
    if (wasUp) this.emit('down');
  }

  #scheduleRenewal(token) {
    clearTimeout(this.#timers.renew);
    const expires = expiry(token);
    if (!this.#options.tokens.renewable || expires === undefined) return;
    const left = expires - Date.now();
    const delay = Math.max(left - RENEW_BEFORE_MS, left * 0.9, 1_000);
    this.#timers.renew = setTimeout(() => void this.#renew(), Math.min(delay, MAX_TIMER_MS));
  }

  async #renew() {
    const socket = this.#socket;
    try {
      const token = await this.#options.tokens.renew();
      if (socket !== this.#socket) return;
      this.send({ type: 'auth', token });
      this.#scheduleRenewal(token);
    } catch {
      // The socket lives on with the old token; when that ends it closes, and then there is a retry with backoff.
    }
  }

  #write(frame) {
    try {
      this.#socket.send(JSON.stringify(frame));
    } catch {
      return false;
    }
    this.emit('wire', { direction: 'out', frame, at: Date.now() });
    return true;
  }

  #become(state, details = {}) {
    this.state = state;
    this.emit('state', { state, ...details });
  }
}

/** @param {string} text @returns {number} its length in UTF-8 */
function byteLength(text) {
  let bytes = 0;
  for (const char of text) {
    const point = /** @type {number} */ (char.codePointAt(0));
    bytes += point < 0x80 ? 1 : point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;
  }
  return bytes;
}
