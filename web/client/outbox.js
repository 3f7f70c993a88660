import { Backoff } from './backoff.js';
import { TidingsError } from './errors.js';

/** Refusals with `internal` are retried this often. */
const MAX_INTERNAL = 3;

/**
 * What the user said and the server has not accepted. Each conversation is a lane: its frames go out one after the
 * other, so that a refusal for a moment cannot change their order, and again with the same `client_id` after every
 * lost connection, so that none is lost and none is there twice.
 */
export class Outbox {
  #connection;
  #limit;
  #window;
  /** @type {Map<string, Lane>} by conversation id, and by `to:` user while the conversation has none */
  #lanes = new Map();
  /** @type {Map<string, Item>} by client_id */
  #items = new Map();
  /** Nothing goes out before this time: the server asked for a pause. */
  #pausedUntil = 0;
  #timer;
  #backoff = new Backoff({ baseMs: 500, maxMs: 10_000 });

  /**
   * @param {import('./connection.js').Connection} connection
   * @param {{ limit?: number, window?: number }} [options] frames kept at most (1000), and how many of one lane may
   *   be under way (1: strictly in order even when the server refuses one for a moment)
   */
  constructor(connection, { limit = 1_000, window = 1 } = {}) {
    this.#connection = connection;
    this.#limit = limit;
    this.#window = window;
    connection.on('welcome', () => this.flush());
    connection.on('down', () => this.#recall());
    connection.on('state', ({ state, error }) => {
      if (state === 'closed') this.#failAll(error ?? new TidingsError('closed', 'the client was closed'));
    });
  }

  get size() {
    return this.#items.size;
  }

  /**
   * @param {any} frame with a `client_id`
   * @param {{ signal?: AbortSignal }} [options] giving up works while the frame has not gone out
   * @returns {Promise<{ client_id: string, conversation_id: string }>} once it is durable
   */
  add(frame, { signal } = {}) {
    if (this.#items.size >= this.#limit) return Promise.reject(new TidingsError('outbox_full', 'too many messages wait to be sent'));
    if (this.#items.has(frame.client_id)) return Promise.reject(new TidingsError('conflict', 'this client_id is being sent already'));
    if (this.#connection.state === 'closed') return Promise.reject(new TidingsError('closed', 'the client was closed'));
    if (signal?.aborted) return Promise.reject(new TidingsError('aborted', 'the message was given up'));
    return new Promise((resolve, reject) => {
      const lane = this.#laneOf(frame);
      const item = { frame, lane, resolve, reject, sent: false, internal: 0 };
      this.#items.set(frame.client_id, item);
      lane.items.push(item);
      signal?.addEventListener('abort', () => {
        if (!item.sent && this.#items.has(frame.client_id)) this.#finish(item, new TidingsError('aborted', 'the message was given up'));
      });
      this.#advance(lane);
    });
  }

  /** @param {any} frame @returns {boolean} whether it was about one of ours */
  accepted(frame) {
    const item = this.#items.get(frame.client_id);
    if (!item) return false;
    this.#backoff.reset();
    if (frame.conversation_id) this.#lanes.set(frame.conversation_id, item.lane);
    this.#finish(item, undefined, { client_id: frame.client_id, conversation_id: frame.conversation_id });
    return true;
  }

  /** @param {any} frame an error with a `client_id` @returns {boolean} whether it was about one of ours */
  refused(frame) {
    const item = this.#items.get(frame.client_id);
    if (!item) return false;
    const error = TidingsError.fromFrame(frame);
    const tryAgain = error.code === 'internal' ? (item.internal += 1) < MAX_INTERNAL : error.temporary;
    if (!tryAgain) {
      this.#finish(item, error);
      return true;
    }
    item.sent = false;
    this.#pause(error.retryAfterMs ?? 100 + this.#backoff.next());
    return true;
  }

  flush() {
    for (const lane of new Set(this.#lanes.values())) this.#advance(lane);
  }

  #pause(ms) {
    this.#pausedUntil = Math.max(this.#pausedUntil, Date.now() + ms);
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.flush(), this.#pausedUntil - Date.now());
  }

  #laneOf(frame) {
    const key = frame.conversation_id ?? `to:${frame.to}`;
    let lane = this.#lanes.get(key);
    if (!lane) this.#lanes.set(key, (lane = { items: [] }));
    return lane;
  }

  #advance(lane) {
    if (!this.#connection.up || Date.now() < this.#pausedUntil) return;
    for (const item of lane.items.slice(0, this.#window)) {
      if (item.sent) continue;
      if (this.#connection.tooLarge(item.frame)) {
        this.#finish(item, new TidingsError('too_large', 'the message is longer than the server takes'));
        return;
      }
      item.sent = this.#connection.send(item.frame);
      if (!item.sent) return;
    }
  }

  #finish(item, error, result) {
    this.#items.delete(item.frame.client_id);
    item.lane.items.splice(item.lane.items.indexOf(item), 1);
    if (error) item.reject(error);
    else item.resolve(result);
    if (item.lane.items.length > 0) this.#advance(item.lane);
  }

  /** What was under way may or may not have arrived: it goes again. */
  #recall() {
    for (const item of this.#items.values()) item.sent = false;
  }

  #failAll(error) {
    clearTimeout(this.#timer);
    const items = [...this.#items.values()];
    this.#items.clear();
    this.#lanes.clear();
    for (const item of items) item.reject(error);
  }
}

/**
 * @typedef {{ items: Item[] }} Lane
 * @typedef {{ frame: any, lane: Lane, sent: boolean, internal: number,
 *   resolve: (value: any) => void, reject: (error: Error) => void }} Item
 */
