import { ConversationLog } from './log.js';

/** Entries asked for at a time; the protocol's largest page. */
const PAGE = 200;
/** Gaps that are being filled at the same time. */
const MAX_FILLERS = 4;
/** A page that should bring the next entry and does not is asked for again this often, then the gap is let go. */
const MAX_FRUITLESS = 3;
/** The protocol's limit for cursors in one frame. */
const MAX_CURSORS = 500;
/** Entries held for a conversation that is not known yet; the rest comes from its history. */
const MAX_HELD = 100;

/**
 * The logs of all conversations: decides from `sync`, `message` and `history` what the application sees next, so
 * that it sees each entry once and in order, and asks for what is missing.
 */
export class Journal {
  /** @type {Map<string, ConversationLog>} the most recently active last */
  #logs = new Map();
  /** Entries of conversations that have not been introduced. @type {Map<string, any[]>} */
  #held = new Map();
  /** Conversations with a gap, waiting for a filler. @type {Set<string>} */
  #queue = new Set();
  /** Conversations with a filler at work. @type {Set<string>} */
  #filling = new Set();
  #syncing = false;
  /** Whether this device has been in sync before: then what it does not know is new, not old. */
  #seasoned = false;
  #ports;

  /**
   * @param {{
   *   history: (conversationId: string, after: number, limit: number) => Promise<any>,
   *   conversation: (conversationId: string) => Promise<any>,
   *   resync: () => void,
   *   onConversation: (change: { conversation: any, removed: boolean }) => void,
   *   onEntry: (entry: any) => void,
   *   onSkipped: (gap: { conversation_id: string, from: number, to: number }) => void,
   *   onCursor: (conversationId: string, seq: number, conversation?: any) => void,
   * }} ports
   */
  constructor(ports) {
    this.#ports = ports;
  }

  /** @param {Record<string, number>} cursors those of an earlier life */
  restore(cursors) {
    for (const [id, seq] of Object.entries(cursors)) if (!this.#logs.has(id)) this.#logs.set(id, new ConversationLog(seq));
    this.#seasoned = true;
  }

  /** @returns {Record<string, number>} all cursors */
  cursors() {
    return Object.fromEntries([...this.#logs].map(([id, log]) => [id, log.cursor]));
  }

  /** Those for a `hello` or `sync`: the latest conversations; the others are compared by their `last_seq`. */
  cursorsToSend() {
    return Object.fromEntries([...this.#logs].slice(-MAX_CURSORS).map(([id, log]) => [id, log.cursor]));
  }

  /** A session begins: gaps wait until its `sync` has said what is there. */
  begin() {
    this.#syncing = true;
  }

  /** The session ended. */
  end() {
    this.#queue.clear();
  }

  /** @param {{ conversations?: any[], done?: boolean }} frame */
  takeSync({ conversations = [], done = true }) {
    for (const item of conversations) {
      const { conversation, messages = [] } = item;
      if (item.removed || conversation.removed) this.#remove(conversation, messages);
      else this.#takeSynced(conversation, messages);
    }
    if (!done) return;
    this.#syncing = false;
    this.#seasoned = true;
    for (const [id, log] of this.#logs) if (log.behind) this.#fillSoon(id);
    for (const id of this.#held.keys()) void this.#introduce(id);
  }

  #takeSynced(conversation, messages) {
    const known = this.#logs.get(conversation.id);
    // The very first sync of a device starts at the present; what appears later is new from its beginning.
    const start = this.#seasoned ? firstSeq(conversation) - 1 : conversation.last_seq;
    const log = known ?? this.#open(conversation.id, Math.max(start, 0));
    log.expect(conversation.last_seq);
    this.#ports.onConversation({ conversation, removed: false });
    this.#hand(conversation.id, log.startAt(firstSeq(conversation)));
    for (const message of messages) this.#hand(conversation.id, log.offer(message));
    this.#ports.onCursor(conversation.id, log.cursor, conversation);
    this.#release(conversation.id);
  }

  /** @param {{ conversation: any, removed?: boolean }} frame */
  takeConversation({ conversation, removed = false }) {
    if (removed) {
      this.#remove(conversation, []);
      return;
    }
    const log = this.#logs.get(conversation.id) ?? this.#open(conversation.id, firstSeq(conversation) - 1);
    this.#ports.onConversation({ conversation, removed: false });
    log.expect(conversation.last_seq ?? 0);
    this.#hand(conversation.id, log.startAt(firstSeq(conversation)));
    this.#release(conversation.id);
    if (log.behind) this.#fillSoon(conversation.id);
  }

  /** @param {any} entry a live one */
  takeEntry(entry) {
    const id = entry.conversation_id;
    const log = this.#logs.get(id);
    if (!log) {
      const held = this.#held.get(id) ?? [];
      if (held.length < MAX_HELD) held.push(entry);
      this.#held.set(id, held);
      if (!this.#syncing) void this.#introduce(id);
      return;
    }
    this.#hand(id, log.offer(entry));
    if (log.behind) this.#fillSoon(id);
  }

  /** An entry came before its conversation: fetch that first, so that applications always know where it belongs. */
  async #introduce(id) {
    if (this.#filling.has(id)) return;
    this.#filling.add(id);
    try {
      const conversation = await this.#ports.conversation(id);
      if (!this.#logs.has(id)) this.takeConversation({ conversation });
    } catch (error) {
      // Where HTTP does not get through, a sync names every conversation; otherwise it is not ours (any more).
      if (error?.temporary) this.#ports.resync();
      else this.#held.delete(id);
    } finally {
      this.#filling.delete(id);
    }
    if (this.#logs.get(id)?.behind) this.#fillSoon(id);
  }

  #open(id, cursor) {
    const log = new ConversationLog(cursor);
    this.#logs.set(id, log);
    return log;
  }

  #release(id) {
    const held = this.#held.get(id) ?? [];
    this.#held.delete(id);
    for (const entry of held) this.takeEntry(entry);
  }

  #remove(conversation, messages) {
    const log = this.#logs.get(conversation.id);
    if (log) for (const message of messages) this.#hand(conversation.id, log.offer(message));
    this.#logs.delete(conversation.id);
    this.#held.delete(conversation.id);
    this.#queue.delete(conversation.id);
    this.#ports.onConversation({ conversation, removed: true });
  }

  #hand(id, entries) {
    for (const entry of entries) this.#ports.onEntry(entry);
    if (entries.length === 0) return;
    const log = /** @type {ConversationLog} */ (this.#logs.get(id));
    if (!log) return;
    this.#logs.delete(id);
    this.#logs.set(id, log);
    this.#ports.onCursor(id, log.cursor);
  }

  #fillSoon(id) {
    if (this.#syncing || this.#filling.has(id)) return;
    this.#queue.add(id);
    while (this.#filling.size < MAX_FILLERS && this.#queue.size > 0) {
      const [next] = this.#queue;
      this.#queue.delete(next);
      void this.#fill(next);
    }
  }

  async #fill(id) {
    this.#filling.add(id);
    let fruitless = 0;
    try {
      for (let log = this.#logs.get(id); log?.behind && !this.#syncing; log = this.#logs.get(id)) {
        const before = log.cursor;
        const page = await this.#ports.history(id, before, PAGE);
        if (this.#logs.get(id) !== log) break;
        this.#hand(id, log.startAt(page.first_seq ?? 1));
        for (const message of page.messages) this.#hand(id, log.offer(message));
        fruitless = log.cursor > before ? 0 : fruitless + 1;
        if (fruitless >= MAX_FRUITLESS) this.#skip(id, log, page.messages);
      }
    } catch {
      // Disconnected or refused: the sync of the next session, or the next entry, starts this again.
    } finally {
      this.#filling.delete(id);
      const [next] = this.#queue;
      if (next !== undefined) this.#fillSoon(next);
    }
  }

  /** The server does not have what its numbers promise; better to go on and say so than to stop for ever. */
  #skip(id, log, messages) {
    const from = log.cursor + 1;
    const next = messages[0]?.seq ?? log.head + 1;
    this.#ports.onSkipped({ conversation_id: id, from, to: next - 1 });
    this.#hand(id, log.startAt(next));
    this.#ports.onCursor(id, log.cursor);
  }
}

/** Where history begins for this user. */
function firstSeq(conversation) {
  return conversation.first_seq > 0 ? conversation.first_seq : 1;
}
