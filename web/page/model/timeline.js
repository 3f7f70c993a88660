/**
 * What a conversation looks like now, made from its log: texts with their edits, deletions and reactions in place,
 * and lines about members and titles. Holds one unbroken stretch that ends at the present.
 */
export class Timeline {
  /** @type {Map<number, Item>} */
  #items = new Map();
  /** Entries that came while the first page was being fetched. */
  #early = [];
  /** Sends that have not come back as an entry. @type {Map<string, any>} by client_id */
  pending = new Map();
  loaded = false;
  hasMore = false;
  /** The lowest seq that is here. */
  lowest = Infinity;

  /** @returns {Item[]} ascending */
  get items() {
    return [...this.#items.values()].sort((a, b) => a.seq - b.seq);
  }

  /** @param {number} seq */
  item(seq) {
    return this.#items.get(seq);
  }

  /** Takes a page of history, which already shows the present state of what it holds. */
  takePage({ messages, has_more: hasMore }) {
    for (const entry of messages) {
      this.lowest = Math.min(this.lowest, entry.seq);
      if (!this.#items.has(entry.seq)) this.#place(entry);
    }
    this.hasMore = hasMore;
    if (this.loaded) return;
    this.loaded = true;
    for (const entry of this.#early.splice(0)) this.takeEntry(entry);
  }

  /** Takes the next entry of the log. @param {any} entry */
  takeEntry(entry) {
    if (entry.client_id) this.pending.delete(entry.client_id);
    if (!this.loaded) {
      this.#early.push(entry);
      return;
    }
    this.lowest = Math.min(this.lowest, entry.seq);
    const target = entry.target_seq && this.#items.get(entry.target_seq);
    if (entry.kind === 'edit' && target) {
      Object.assign(target, { text: entry.text, data: entry.data, editedAt: entry.created_at });
    } else if (entry.kind === 'delete' && target) {
      Object.assign(target, { text: undefined, data: undefined, deletedAt: entry.created_at });
      target.reactions.clear();
    } else if (entry.kind === 'reaction' && target) {
      react(target, entry);
    } else if (!this.#items.has(entry.seq)) {
      this.#place(entry);
    }
  }

  #place(entry) {
    if (entry.kind === 'edit' || entry.kind === 'delete' || entry.kind === 'reaction') return;
    this.#items.set(entry.seq, {
      seq: entry.seq, id: entry.id, kind: entry.kind, sender: entry.sender_id, text: entry.text, data: entry.data,
      replyTo: entry.reply_to, mentions: entry.mentions ?? [], userIds: entry.user_ids ?? [], title: entry.title ?? entry.text,
      createdAt: entry.created_at, editedAt: entry.edited_at, deletedAt: entry.deleted_at, clientId: entry.client_id,
      reactions: readReactions(entry.reactions),
    });
  }
}

/** Adding and taking away are idempotent, since an entry may repeat what history already showed. */
function react(target, { emoji, sender_id: user, remove }) {
  const reaction = target.reactions.get(emoji) ?? { users: new Set(), more: 0 };
  if (remove) reaction.users.delete(user);
  else reaction.users.add(user);
  if (reaction.users.size + reaction.more > 0) target.reactions.set(emoji, reaction);
  else target.reactions.delete(emoji);
}

/** History names at most 20 of those who reacted, and counts them all. */
function readReactions(reactions) {
  const map = new Map();
  for (const [emoji, value] of Object.entries(reactions ?? {})) {
    const users = Array.isArray(value) ? value : (value?.user_ids ?? value?.users ?? []);
    const total = Array.isArray(value) ? users.length : (value?.count ?? users.length);
    if (total > 0) map.set(emoji, { users: new Set(users), more: Math.max(0, total - users.length) });
  }
  return map;
}

/**
 * @typedef {{ seq: number, id: string, kind: string, sender: string, text?: string, data?: unknown, replyTo?: number,
 *   mentions: string[], userIds: string[], title?: string, createdAt: string, editedAt?: string, deletedAt?: string,
 *   clientId?: string, reactions: Map<string, { users: Set<string>, more: number }> }} Item
 */
