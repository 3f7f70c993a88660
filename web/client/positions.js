/** Acknowledgements are gathered for this long: a burst of messages is one `ack`. */
const GATHER_MS = 150;
/** More than this many in one go wait for the next second: a device that comes back to a thousand conversations must
 * not spend the whole of the socket's allowance on them. */
const MAX_AT_ONCE = 50;
const PAUSE_MS = 1_000;

/**
 * How far this device has received and this user has read, told to the server: gathered, only ever forward, and
 * again in the next session if they might have been lost with the last.
 */
export class Positions {
  #connection;
  /** @type {Record<'ack' | 'read', Map<string, number>>} wanted */
  #wanted = { ack: new Map(), read: new Map() };
  /** @type {Record<'ack' | 'read', Map<string, number>>} sent in this session, there is no answer to them */
  #sent = { ack: new Map(), read: new Map() };
  #timer;

  /** @param {import('./connection.js').Connection} connection */
  constructor(connection) {
    this.#connection = connection;
    connection.on('down', () => this.#recall());
    connection.on('welcome', () => this.flush());
  }

  /** @param {'ack' | 'read'} type @param {string} conversationId @param {number} seq */
  move(type, conversationId, seq) {
    if (!(seq > 0)) return;
    const known = Math.max(this.#wanted[type].get(conversationId) ?? 0, this.#sent[type].get(conversationId) ?? 0);
    if (seq <= known) return;
    this.#wanted[type].set(conversationId, seq);
    this.#timer ??= setTimeout(() => this.flush(), GATHER_MS);
  }

  /** @param {string} conversationId */
  forget(conversationId) {
    for (const type of TYPES) {
      this.#wanted[type].delete(conversationId);
      this.#sent[type].delete(conversationId);
    }
  }

  flush() {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    let left = MAX_AT_ONCE;
    for (const type of TYPES) {
      for (const [conversation_id, seq] of this.#wanted[type]) {
        if ((left -= 1) < 0) {
          this.#timer = setTimeout(() => this.flush(), PAUSE_MS);
          return;
        }
        if (!this.#connection.send({ type, conversation_id, seq })) return;
        this.#wanted[type].delete(conversation_id);
        this.#sent[type].set(conversation_id, seq);
      }
    }
  }

  #recall() {
    for (const type of TYPES) {
      for (const [id, seq] of this.#sent[type]) if (!this.#wanted[type].has(id)) this.#wanted[type].set(id, seq);
      this.#sent[type].clear();
    }
  }
}

/** @type {('ack' | 'read')[]} */
const TYPES = ['read', 'ack'];
