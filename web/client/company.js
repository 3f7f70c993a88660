/** `typing` is told at most this often for one conversation; others show it a little longer than that. */
const TYPING_EVERY_MS = 3_000;
/** The protocol's limit for one `presence` frame. */
const MAX_USERS = 100;

/** Signs of the others' presence and of one's own: who is there, who is typing. */
export class Company {
  #connection;
  /** @type {Set<string>} */
  #watched = new Set();
  /** @type {Map<string, number>} */
  #typedAt = new Map();

  /** @param {import('./connection.js').Connection} connection */
  constructor(connection) {
    this.#connection = connection;
    connection.on('welcome', () => this.#ask([...this.#watched]));
  }

  /** Asks for these users' state now and follows it, in later sessions too. @param {string[]} userIds */
  watch(userIds) {
    const added = userIds.filter((id) => !this.#watched.has(id));
    for (const id of added) this.#watched.add(id);
    this.#ask(added);
  }

  /** @param {string[]} userIds no longer asked for in later sessions */
  unwatch(userIds) {
    for (const id of userIds) this.#watched.delete(id);
  }

  /** To be called at every key press. @param {string} conversationId */
  typing(conversationId) {
    const now = Date.now();
    if (now - (this.#typedAt.get(conversationId) ?? 0) < TYPING_EVERY_MS) return;
    // Nobody wants to hear later that someone was typing, so it is not kept when there is no connection.
    if (this.#connection.send({ type: 'typing', conversation_id: conversationId })) this.#typedAt.set(conversationId, now);
  }

  /** The text was sent: the next key press is news again. @param {string} conversationId */
  stoppedTyping(conversationId) {
    this.#typedAt.delete(conversationId);
  }

  #ask(userIds) {
    for (let i = 0; i < userIds.length; i += MAX_USERS) {
      this.#connection.send({ type: 'presence', user_ids: userIds.slice(i, i + MAX_USERS) });
    }
  }
}
