import { followPage, newClientId, Tidings } from '/client/index.js';
import { Emitter } from '/client/emitter.js';
import { BrowserPush } from './browser-push.js';
import { Conversation } from './conversation.js';
import { People } from './people.js';
import { Phones } from './phones.js';
import { Traces } from './traces.js';

/** Conversations whose newest page is fetched without being asked for, so that the list can show it. */
const PREVIEWS = 20;

/**
 * All that a signed-in person sees, kept up to date by the client. The views read it and call it; it knows no view.
 *
 * Events: `conversation` {id} (something of it changed), `list`, `people`, `connection`, `incoming` {conversation,
 * entry}, `problem` {text}, `ended`.
 */
export class Chat extends Emitter {
  /** @type {Map<string, Conversation>} */
  conversations = new Map();
  connection = { state: 'idle' };
  /** The conversation in front. @type {string | undefined} */
  openId;
  #unfollow = () => {};
  #pendingChanges = new Set();

  /** @param {import('../session.js').Session} session */
  constructor(session) {
    super();
    this.session = session;
    this.meId = session.userId;
    this.tidings = new Tidings({
      url: location.origin, token: session.token, deviceId: session.deviceId,
      active: document.visibilityState === 'visible',
    });
    this.people = new People(this.tidings, { userId: this.meId, name: session.name });
    this.traces = new Traces(this.tidings, this.meId);
    this.phones = new Phones(this.tidings.http, this.meId);
    this.browserPush = new BrowserPush(this.tidings.http, this.phones, this.meId);
    this.people.on('change', () => this.emit('people'));
    this.#listen();
  }

  async start() {
    this.#unfollow = followPage(this.tidings);
    try {
      await this.tidings.connect();
    } catch {
      return; // The state's event says it too, and how.
    }
    void this.#loadPreviews();
    await this.phones.start();
    await this.browserPush.refresh();
  }

  /** Puts this window away: it hears nothing more, as if it were closed. */
  lock() {
    return this.tidings.close();
  }

  async unlock() {
    try {
      await this.tidings.connect();
    } catch {
      // As at the start: the state's event says it.
    }
  }

  async stop() {
    this.#unfollow();
    await this.tidings.close();
  }

  /** The latest first. */
  get list() {
    return [...this.conversations.values()].sort((a, b) => (a.lastActivity < b.lastActivity ? 1 : -1));
  }

  get unread() {
    return this.list.filter((conversation) => conversation.unread > 0).length;
  }

  /** Something of a conversation changed; views hear of it once a turn. @param {string} id */
  changed(id) {
    if (this.#pendingChanges.size === 0) {
      queueMicrotask(() => {
        const ids = [...this.#pendingChanges];
        this.#pendingChanges.clear();
        for (const changed of ids) this.emit('conversation', { id: changed });
        this.emit('list');
      });
    }
    this.#pendingChanges.add(id);
  }

  /**
   * Sends a text and shows it at once; it stays marked until it is accepted.
   * @param {Conversation} conversation @param {{ text: string, replyTo?: number, mentions?: string[] }} message
   */
  send(conversation, { text, replyTo, mentions }) {
    const message = {
      clientId: newClientId(), text, replyTo, mentions: mentions ?? [], sender: this.meId, createdAt: new Date().toISOString(), state: 'sending',
    };
    conversation.timeline.pending.set(message.clientId, message);
    this.#transmit(conversation, message);
    return message;
  }

  /** @param {Conversation} conversation @param {any} message one that failed */
  retry(conversation, message) {
    message.state = 'sending';
    this.#transmit(conversation, message);
  }

  /** @param {Conversation} conversation @param {any} message one that failed */
  discard(conversation, message) {
    conversation.timeline.pending.delete(message.clientId);
    this.changed(conversation.id);
  }

  #transmit(conversation, message) {
    this.changed(conversation.id);
    this.tidings.send({
      conversation_id: conversation.id, client_id: message.clientId, text: message.text, reply_to: message.replyTo,
      mentions: message.mentions.length ? message.mentions : undefined,
    }).then(
      () => Object.assign(message, { state: 'accepted' }),
      (error) => Object.assign(message, { state: 'failed', reason: error.message }),
    ).then(() => this.changed(conversation.id));
  }

  /** Says when an edit, a deletion or a reaction was refused. @param {Promise<unknown>} action @param {string} what */
  attempt(action, what) {
    action.catch((error) => this.emit('problem', { text: `${what}: ${error.message}` }));
  }

  /** All of the open conversation is in view. @param {Conversation} conversation */
  read(conversation) {
    const seq = conversation.data.last_seq ?? 0;
    if (seq === 0 || document.visibilityState !== 'visible') return;
    this.tidings.read(conversation.id, seq);
    if (conversation.unread === 0 && !conversation.mentioned) return;
    conversation.readUpTo(seq);
    this.changed(conversation.id);
  }

  /** Makes a conversation from an HTTP answer known, if the socket has not already. @param {any} data */
  adopt(data) {
    if (!this.conversations.has(data.id)) this.#takeConversation({ conversation: data, removed: false });
    return /** @type {Conversation} */ (this.conversations.get(data.id));
  }

  #listen() {
    this.tidings.on('conversation', (change) => this.#takeConversation(change));
    this.tidings.on('message', (entry) => this.#takeEntry(entry));
    this.tidings.on('receipt', (receipt) => {
      const conversation = this.conversations.get(receipt.conversation_id);
      if (!conversation) return;
      conversation.place(receipt.user_id, receipt);
      if (receipt.user_id === this.meId && receipt.read_seq) conversation.readUpTo(receipt.read_seq);
      this.changed(conversation.id);
    });
    this.tidings.on('typing', ({ conversation_id: id, user_id: user }) => {
      this.conversations.get(id)?.startTyping(user);
      this.changed(id);
    });
    this.tidings.on('failed', (error) => {
      this.emit('problem', { text: `A message could not be stored: ${error.message}` });
    });
    this.tidings.on('state', (state) => {
      this.connection = state;
      this.emit('connection', state);
      if (state.state === 'closed' && state.error) this.emit('ended', state.error);
    });
  }

  #takeConversation({ conversation: data, removed }) {
    const known = this.conversations.get(data.id);
    if (removed) this.conversations.delete(data.id);
    else if (known) known.update(data);
    else {
      const conversation = new Conversation(this, data);
      this.conversations.set(data.id, conversation);
      if (conversation.peer) this.people.watch([conversation.peer]);
    }
    this.changed(data.id);
  }

  #takeEntry(entry) {
    const conversation = this.conversations.get(entry.conversation_id);
    if (!conversation) return;
    conversation.takeEntry(entry);
    this.changed(conversation.id);
    if (entry.kind === 'text' && entry.sender_id !== this.meId) this.emit('incoming', { conversation, entry });
    if (['member_joined', 'member_left', 'role_changed', 'title_changed'].includes(entry.kind)) void this.#refresh(conversation.id);
  }

  /** The members or the title changed: their present state comes from the server. */
  async #refresh(id) {
    try {
      const data = await this.tidings.http.conversation(id);
      const conversation = this.conversations.get(id);
      if (!conversation) return;
      const unread = conversation.unread;
      conversation.update(data);
      if (this.openId === id) conversation.unread = unread;
      this.changed(id);
    } catch {
      // The next sync brings it.
    }
  }

  async #loadPreviews() {
    for (const conversation of this.list.slice(0, PREVIEWS)) {
      try {
        await conversation.load();
      } catch {
        return;
      }
    }
  }
}
