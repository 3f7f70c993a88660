import { Timeline } from './timeline.js';

/** Someone who said so stays "typing" this long, unless their message comes first. */
const TYPING_MS = 5_000;
const PAGE = 40;

/** One conversation as the page knows it. Emits through `changed` of its owner. */
export class Conversation {
  timeline = new Timeline();
  unread = 0;
  mentioned = false;
  /** The texts up to here are in `unread` already. */
  #countedTo = 0;
  /** @type {Map<string, { read: number, delivered: number }>} */
  #positions = new Map();
  /** @type {Map<string, any>} user to timer */
  #typing = new Map();
  #loading;
  #latest;

  /** @param {import('./chat.js').Chat} chat @param {any} data the wire's conversation */
  constructor(chat, data) {
    this.chat = chat;
    this.id = data.id;
    this.update(data);
  }

  /** @param {any} data */
  update(data) {
    this.data = data;
    this.unread = data.unread ?? 0;
    this.#countedTo = data.last_seq ?? 0;
    for (const member of data.members ?? []) {
      this.chat.people.learn(member.user_id, member.display_name);
      this.place(member.user_id, { read_seq: member.read_seq, delivered_seq: member.delivered_seq });
    }
    for (const id of this.#positions.keys()) if (data.members && !this.memberIds.includes(id)) this.#positions.delete(id);
  }

  get memberIds() {
    return (this.data.members ?? []).map((member) => member.user_id);
  }

  get others() {
    return this.memberIds.filter((id) => id !== this.chat.meId);
  }

  get direct() {
    return this.data.kind === 'direct';
  }

  /** The other one of a direct conversation. */
  get peer() {
    return this.direct ? (this.others[0] ?? this.chat.meId) : undefined;
  }

  get title() {
    if (this.direct) return this.chat.people.name(this.peer);
    return this.data.title || 'Untitled group';
  }

  get role() {
    return this.data.role ?? this.data.members?.find((member) => member.user_id === this.chat.meId)?.role ?? 'member';
  }

  get manages() {
    return !this.direct && (this.role === 'owner' || this.role === 'admin');
  }

  get mayWrite() {
    return this.data.kind !== 'channel' || this.manages;
  }

  /** The newest thing worth showing in a list. */
  get latest() {
    return this.#latest;
  }

  get lastActivity() {
    const pending = [...this.timeline.pending.values()].at(-1);
    return pending?.createdAt ?? this.#latest?.createdAt ?? this.data.created_at ?? '';
  }

  get typing() {
    return [...this.#typing.keys()];
  }

  /** @param {any} entry the next of its log */
  takeEntry(entry) {
    this.timeline.takeEntry(entry);
    this.#stopTyping(entry.sender_id);
    if (entry.seq > (this.data.last_seq ?? 0)) this.data.last_seq = entry.seq;
    this.place(entry.sender_id, { read_seq: entry.seq, delivered_seq: entry.seq });
    if (entry.kind === 'text' && entry.seq > this.#countedTo) {
      this.#countedTo = entry.seq;
      if (entry.sender_id === this.chat.meId) this.unread = 0;
      else this.unread += 1;
    }
    // The server's count may have had this one in it already; that it mentions me only the entry says.
    if (entry.kind === 'text' && entry.sender_id !== this.chat.meId && entry.mentions?.includes(this.chat.meId)) {
      this.mentioned = this.unread > 0;
    }
    this.#lookForLatest(entry);
  }

  /** @param {string} userId @param {{ read_seq?: number, delivered_seq?: number }} position */
  place(userId, { read_seq: read = 0, delivered_seq: delivered = 0 }) {
    const position = this.#positions.get(userId) ?? { read: 0, delivered: 0 };
    position.read = Math.max(position.read, read);
    position.delivered = Math.max(position.delivered, delivered, read);
    this.#positions.set(userId, position);
  }

  /** My own reading, here or on another device. @param {number} seq */
  readUpTo(seq) {
    if (seq < (this.data.last_seq ?? 0)) return;
    this.unread = 0;
    this.mentioned = false;
  }

  /** `sent`, `delivered` or `read`, by all others. @param {number} seq */
  mark(seq) {
    const others = this.others;
    if (others.length === 0) return 'sent';
    const all = (what) => others.every((id) => (this.#positions.get(id)?.[what] ?? 0) >= seq);
    return all('read') ? 'read' : all('delivered') ? 'delivered' : 'sent';
  }

  /** @param {'read' | 'delivered'} what @param {number} seq */
  who(what, seq) {
    return this.others.filter((id) => (this.#positions.get(id)?.[what] ?? 0) >= seq);
  }

  /** @param {string} userId */
  startTyping(userId) {
    clearTimeout(this.#typing.get(userId));
    this.#typing.set(userId, setTimeout(() => {
      this.#typing.delete(userId);
      this.chat.changed(this.id);
    }, TYPING_MS));
  }

  #stopTyping(userId) {
    clearTimeout(this.#typing.get(userId));
    this.#typing.delete(userId);
  }

  /** Fetches the newest page, once. */
  load() {
    this.#loading ??= this.#fetch({ limit: PAGE }).catch((error) => {
      this.#loading = undefined;
      throw error;
    });
    return this.#loading;
  }

  /** Fetches the page before what is here. */
  async loadOlder() {
    if (!this.timeline.loaded || !this.timeline.hasMore) return;
    await this.#fetch({ before: this.timeline.lowest, limit: PAGE });
  }

  async #fetch(range) {
    const page = await this.chat.tidings.historyPage(this.id, range);
    this.timeline.takePage(page);
    const texts = this.timeline.items.filter((item) => item.kind === 'text');
    const last = texts.at(-1) ?? this.timeline.items.at(-1);
    if (last) this.#latest = last;
    this.chat.changed(this.id);
  }

  #lookForLatest(entry) {
    if (this.timeline.loaded) {
      const item = this.timeline.item(entry.seq);
      if (item) this.#latest = item;
    } else if (entry.kind === 'text') {
      this.#latest = { seq: entry.seq, kind: 'text', sender: entry.sender_id, text: entry.text, createdAt: entry.created_at };
    }
  }
}
