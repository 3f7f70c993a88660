import { Company } from './company.js';
import { Connection } from './connection.js';
import { Emitter } from './emitter.js';
import { TidingsError } from './errors.js';
import { readHistory } from './history.js';
import { HttpApi } from './http.js';
import { uuid } from './ids.js';
import { Journal } from './journal.js';
import { Outbox } from './outbox.js';
import { Positions } from './positions.js';
import { Requests } from './requests.js';
import { CursorStore, memoryStorage } from './storage.js';
import { subject, TokenSource } from './token.js';

/**
 * One user's connection to Tidings. What crosses the wire has the wire's names (`conversation_id`, `created_at`), so
 * that the protocol's reference is this client's reference too.
 *
 * Events: `message`, `conversation`, `receipt`, `typing`, `presence`, `state`, `failed`, `skipped`, `error`, `wire`;
 * see index.d.ts for what each carries.
 */
export class Tidings extends Emitter {
  #connection;
  #requests;
  #outbox;
  #positions;
  #company;
  #journal;
  #tokens;
  #options;
  /** @type {CursorStore | undefined} */
  #store;
  #active;
  /** The signed-in user, known after the first `welcome`. @type {string | undefined} */
  userId;

  /** @param {import('./index.js').TidingsOptions} options */
  constructor(options) {
    super();
    const WebSocket = options.WebSocket ?? globalThis.WebSocket;
    if (!WebSocket) throw new TypeError('there is no WebSocket here (Node 20 has none): pass one, for example the package ws, as the option WebSocket');
    this.#options = options;
    this.#active = options.active ?? true;
    this.deviceId = options.deviceId ?? uuid();
    this.#tokens = new TokenSource(options.token);
    /** The routes under `/v1`. */
    this.http = new HttpApi({ url: options.url, tokens: this.#tokens, fetch: options.fetch });
    this.#connection = new Connection({
      url: socketUrl(options.url),
      WebSocket,
      tokens: this.#tokens,
      hello: () => ({ device_id: this.deviceId, cursors: this.#journal.cursorsToSend(), active: this.#active }),
      ...options.reconnect,
    });
    this.#journal = this.#makeJournal();
    this.#requests = new Requests(this.#connection);
    this.#connection.on('welcome', (frame) => {
      this.userId = frame.user_id;
      this.#journal.begin();
    });
    this.#connection.on('down', () => this.#journal.end());
    this.#connection.on('frame', (frame) => this.#take(frame));
    this.#connection.on('state', (state) => this.emit('state', state));
    this.#connection.on('wire', (event) => this.emit('wire', event));
    this.#positions = new Positions(this.#connection);
    this.#company = new Company(this.#connection);
    this.#outbox = new Outbox(this.#connection, options.outbox);
  }

  /** `idle`, `connecting`, `syncing`, `online`, `waiting` or `closed`. */
  get state() {
    return this.#connection.state;
  }

  /** How many sends, edits, deletes and reactions are not accepted yet. */
  get pending() {
    return this.#outbox.size;
  }

  /**
   * Connects, and from then on stays connected until `close`.
   * @returns {Promise<void>} when the first sync is complete; rejects only when there is no hope, as with a bad token
   */
  async connect() {
    await this.#openStore();
    if (this.state === 'online') return;
    const settled = this.once('state', ({ state }) => state === 'online' || state === 'closed');
    this.#connection.start();
    const { state, error } = await settled;
    if (state === 'closed') throw error ?? new TidingsError('closed', 'the client was closed');
  }

  /** Ends the connection for good; what was not accepted is rejected with `closed`. */
  async close() {
    await this.flush();
    this.#connection.stop();
  }

  /** Tells and saves now what would be told and saved in a moment. */
  async flush() {
    this.#positions.flush();
    await this.#store?.flush();
  }

  /** The network or the user is back: look at the connection now instead of waiting. */
  wake() {
    this.#connection.wake();
  }

  /** @param {boolean} active whether the application is in front */
  setActive(active) {
    if (active === this.#active) return;
    this.#active = active;
    this.#connection.send({ type: 'state', active });
  }

  /**
   * Sends a message to a conversation or, with `to`, to a user.
   * @param {import('./index.js').Outgoing} message
   * @param {{ signal?: AbortSignal }} [options]
   * @returns {Promise<import('./index.js').Accepted>} once it is durable
   */
  send(message, options) {
    const { conversation_id, to, client_id = uuid(), text, data, reply_to, mentions } = message;
    if (!conversation_id === !to) return Promise.reject(new TidingsError('bad_request', 'exactly one of conversation_id and to is needed'));
    if (conversation_id) this.#company.stoppedTyping(conversation_id);
    return this.#outbox.add({ type: 'send', conversation_id, to, client_id, text, data, reply_to, mentions }, options);
  }

  /** @param {string} conversation_id @param {number} target_seq @param {{ text?: string, data?: unknown }} content */
  edit(conversation_id, target_seq, { text, data }) {
    return this.#outbox.add({ type: 'edit', conversation_id, client_id: uuid(), target_seq, text, data });
  }

  /** @param {string} conversation_id @param {number} target_seq */
  delete(conversation_id, target_seq) {
    return this.#outbox.add({ type: 'delete', conversation_id, client_id: uuid(), target_seq });
  }

  /** @param {string} conversation_id @param {number} target_seq @param {string} emoji @param {{ remove?: boolean }} [options] */
  react(conversation_id, target_seq, emoji, { remove } = {}) {
    return this.#outbox.add({ type: 'react', conversation_id, client_id: uuid(), target_seq, emoji, remove });
  }

  /** This user has read up to `seq`. Kept until it could be told. @param {string} conversationId @param {number} seq */
  read(conversationId, seq) {
    this.#positions.move('read', conversationId, seq);
  }

  /** This user is typing. Call it at every key press. @param {string} conversationId */
  typing(conversationId) {
    this.#company.typing(conversationId);
  }

  /** Asks for these users' presence now and follows it (event `presence`). @param {string[]} userIds */
  watchPresence(userIds) {
    this.#company.watch(userIds);
  }

  /** @param {string[]} userIds */
  unwatchPresence(userIds) {
    this.#company.unwatch(userIds);
  }

  /**
   * One page of history, ascending; tries again across lost connections.
   * @param {string} conversation_id
   * @param {{ before?: number, after?: number, limit?: number, signal?: AbortSignal }} [options]
   * @returns {Promise<import('./index.js').HistoryPage>}
   */
  historyPage(conversation_id, { before, after, limit, signal } = {}) {
    return this.#requests.askUntil({ type: 'history', conversation_id, before, after, limit }, { signal });
  }

  /**
   * The history entry by entry, fetched as it is read: backwards from the end or from `before`, or forwards from `after`.
   * @param {string} conversationId
   * @param {{ before?: number, after?: number, pageSize?: number }} [options]
   * @returns {AsyncIterableIterator<import('./index.js').Entry>}
   */
  history(conversationId, options) {
    return readHistory((range) => this.historyPage(conversationId, range), options);
  }

  /** How far each conversation was handed on. @returns {Record<string, number>} */
  cursors() {
    return this.#journal.cursors();
  }

  async #openStore() {
    if (this.#store) return;
    let user = '';
    try {
      user = subject(await this.#tokens.get()) ?? '';
    } catch {
      // Connecting will find out and deal with it.
    }
    const store = new CursorStore(this.#options.storage ?? memoryStorage(), `tidings.cursors.${user}.${this.#options.deviceId ?? ''}`);
    const saved = await store.load();
    if (saved) this.#journal.restore(saved);
    this.#store ??= store;
  }

  #makeJournal() {
    return new Journal({
      history: (conversation_id, after, limit) => this.#requests.askUntil({ type: 'history', conversation_id, after, limit }),
      conversation: (id) => this.http.conversation(id),
      resync: () => this.#resync(),
      onConversation: (change) => {
        if (change.removed) this.#positions.forget(change.conversation.id);
        this.emit('conversation', change);
      },
      onEntry: (entry) => this.emit('message', entry),
      onSkipped: (gap) => this.emit('skipped', gap),
      onCursor: (id, seq, conversation) => {
        const told = conversation?.members?.find((member) => member.user_id === this.userId)?.delivered_seq ?? 0;
        if (seq > told) this.#positions.move('ack', id, seq);
        this.#store?.saveSoon(() => this.#journal.cursors());
      },
    });
  }

  #take(frame) {
    switch (frame.type) {
      case 'message':
        this.#journal.takeEntry(frame);
        break;
      case 'sync':
        this.#journal.takeSync(frame);
        if (frame.done !== false) this.#connection.synced();
        break;
      case 'conversation':
        this.#journal.takeConversation(frame);
        break;
      case 'resync':
        this.#resync();
        break;
      case 'accepted':
        this.#outbox.accepted(frame);
        break;
      case 'error':
        this.#takeError(frame);
        break;
      case 'receipt':
      case 'typing':
      case 'presence':
        this.emit(frame.type, frame);
        break;
      default:
        this.#requests.answer(frame);
    }
  }

  #resync() {
    this.#connection.send({ type: 'sync', cursors: this.#journal.cursorsToSend() });
  }

  #takeError(frame) {
    if (this.#requests.answer(frame)) return;
    if (frame.client_id && this.#outbox.refused(frame)) return;
    // With a client_id it is the late refusal of something that was accepted before.
    this.emit(frame.client_id ? 'failed' : 'error', TidingsError.fromFrame(frame));
  }
}

/** @param {string} url of the server, http(s) or ws(s), with or without the path */
function socketUrl(url) {
  const base = url.replace(/^http/, 'ws').replace(/\/+$/, '');
  return /\/v1\/ws$/.test(base) ? base : `${base.replace(/\/v1$/, '')}/v1/ws`;
}
