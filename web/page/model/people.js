import { Emitter } from '/client/emitter.js';

/** Names are asked for together when several are missing in the same moment. */
const GATHER_MS = 30;
const AT_ONCE = 100;

/** What is known about people: names and presence. Emits `change`. */
export class People extends Emitter {
  #tidings;
  #names = new Map();
  #presence = new Map();
  #asked = new Set();
  #wanted = new Set();
  #timer;

  /** @param {import('/client/index.js').Tidings} tidings @param {{ userId: string, name: string }} me */
  constructor(tidings, me) {
    super();
    this.#tidings = tidings;
    this.meId = me.userId;
    this.#names.set(me.userId, me.name);
    this.#asked.add(me.userId);
    tidings.on('presence', (presence) => {
      this.#presence.set(presence.user_id, presence);
      this.emit('change');
    });
    tidings.on('state', ({ state }) => {
      // Without a connection nobody's presence is known.
      if (state === 'waiting' || state === 'closed') this.#presence.clear();
    });
  }

  /** @param {string} id @returns {string} the display name, or the id until one is known */
  name(id) {
    if (!this.#asked.has(id)) this.#want(id);
    return this.#names.get(id) ?? id;
  }

  /** As it is said in a sentence. @param {string} id */
  nameOrYou(id) {
    return id === this.meId ? 'You' : this.name(id);
  }

  /** @param {string} id @param {string | undefined} name */
  learn(id, name) {
    if (!name || this.#names.get(id) === name) return;
    this.#names.set(id, name);
    this.#asked.add(id);
    this.emit('change');
  }

  presence(id) {
    return this.#presence.get(id);
  }

  online(id) {
    return id === this.meId || this.#presence.get(id)?.status === 'online';
  }

  /** @param {string[]} ids */
  watch(ids) {
    this.#tidings.watchPresence(ids.filter((id) => id !== this.meId));
  }

  /** Which of these ids somebody has. @param {string[]} ids @returns {Promise<Set<string>>} */
  async existing(ids) {
    const users = await this.#tidings.http.users(ids);
    for (const user of users) this.learn(user.user_id ?? user.id, user.display_name);
    return new Set(users.map((user) => user.user_id ?? user.id));
  }

  #want(id) {
    this.#asked.add(id);
    this.#wanted.add(id);
    this.#timer ??= setTimeout(() => void this.#fetch(), GATHER_MS);
  }

  async #fetch() {
    this.#timer = undefined;
    const ids = [...this.#wanted];
    this.#wanted.clear();
    for (let i = 0; i < ids.length; i += AT_ONCE) {
      try {
        await this.existing(ids.slice(i, i + AT_ONCE));
      } catch {
        // Ids are shown instead; a later sync brings the names of the members.
      }
    }
  }
}
