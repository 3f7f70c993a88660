/**
 * A stand-in for the server in the client's own unit tests: enough of the protocol to talk to, in memory, with
 * switches for the faults that a real server cannot be told to have.
 */
export class Double {
  sockets = new Set();
  /** Every frame received, with the token and the user. */
  received = [];
  conversations = new Map();
  /** @type {Map<string, object>} accepted sends, by conversation, sender and client_id */
  #accepted = new Map();
  /** Called before a frame is handled; returning true swallows it. */
  intercept = () => false;
  /** Called for each live delivery; returns how often to deliver it: 0 loses it, 2 doubles it. */
  copies = () => 1;
  users = (token) => token.replace(/^token-/, '').replace(/-\d+$/, '');

  /** The class to hand to the client as `WebSocket`. */
  get WebSocket() {
    const double = this;
    return class {
      constructor(url, protocols) {
        this.url = url;
        this.protocols = protocols;
        this.frames = [];
        queueMicrotask(() => {
          if (double.refuseConnections) return this.finish(1006);
          double.sockets.add(this);
          this.onopen?.({});
        });
      }
      send(text) {
        if (this.closed) throw new Error('closed');
        const frame = JSON.parse(text);
        queueMicrotask(() => !this.closed && double.#take(this, frame));
      }
      close() {
        this.finish(1000);
      }
      give(frame) {
        queueMicrotask(() => !this.closed && this.onmessage?.({ data: JSON.stringify(frame) }));
      }
      finish(code, reason = '') {
        if (this.closed) return;
        this.closed = true;
        double.sockets.delete(this);
        queueMicrotask(() => this.onclose?.({ code, reason }));
      }
    };
  }

  /** @param {string} id @param {string[]} members */
  conversation(id, members, kind = 'group') {
    let conversation = this.conversations.get(id);
    if (!conversation) this.conversations.set(id, (conversation = { id, kind, members, entries: [], firstSeq: 1 }));
    return conversation;
  }

  /** Appends an entry and delivers it. */
  append(id, sender, fields) {
    const conversation = this.conversations.get(id);
    const entry = {
      type: 'message', conversation_id: id, seq: conversation.entries.length + 1, id: `${id}-${conversation.entries.length + 1}`,
      kind: 'text', sender_id: sender, created_at: new Date(0).toISOString(), ...fields,
    };
    conversation.entries.push(entry);
    this.deliver(conversation, entry);
    return entry;
  }

  deliver(conversation, entry) {
    for (const socket of this.sockets) {
      if (!conversation.members.includes(socket.user)) continue;
      for (let n = this.copies(entry, socket); n > 0; n -= 1) socket.give(entry);
    }
  }

  /** Closes every socket, as a dying server does. */
  cut(code = 1006) {
    for (const socket of [...this.sockets]) socket.finish(code);
  }

  view(conversation) {
    return {
      id: conversation.id, kind: conversation.kind, last_seq: conversation.entries.length, first_seq: conversation.firstSeq,
      member_count: conversation.members.length, members: conversation.members.map((user_id) => ({ user_id })), unread: 0,
    };
  }

  #take(socket, frame) {
    this.received.push({ ...frame, user: socket.user });
    if (this.intercept(frame, socket)) return;
    const answer = HANDLERS[frame.type];
    if (answer) answer.call(this, socket, frame);
    else socket.give({ type: 'error', ref: frame.ref, code: 'unsupported' });
  }

  takeSend(socket, frame) {
    const id = frame.conversation_id ?? `direct:${[socket.user, frame.to].sort().join(':')}`;
    const conversation = this.conversation(id, [socket.user, frame.to], 'direct');
    const key = `${id} ${socket.user} ${frame.client_id}`;
    socket.give({ type: 'accepted', ref: frame.ref, client_id: frame.client_id, conversation_id: id });
    if (this.#accepted.has(key)) return;
    this.#accepted.set(key, frame);
    if (conversation.entries.length === 0) {
      for (const other of this.sockets) {
        if (conversation.members.includes(other.user)) other.give({ type: 'conversation', conversation: this.view(conversation) });
      }
    }
    this.append(id, socket.user, { text: frame.text, client_id: frame.client_id });
  }

  sync(socket, cursors) {
    const conversations = [...this.conversations.values()].filter((c) => c.members.includes(socket.user)).map((conversation) => {
      const after = cursors[conversation.id];
      const missing = after === undefined ? [] : conversation.entries.filter((e) => e.seq > after);
      return { conversation: this.view(conversation), messages: missing.slice(0, 100), limited: missing.length > 100 };
    });
    socket.give({ type: 'sync', conversations, done: true });
  }

  history(socket, frame) {
    const conversation = this.conversations.get(frame.conversation_id);
    const limit = frame.limit ?? 50;
    const all = conversation.entries.filter((e) => e.seq >= conversation.firstSeq
      && (frame.after === undefined || e.seq > frame.after) && (frame.before === undefined || e.seq < frame.before));
    const messages = frame.after === undefined ? all.slice(-limit) : all.slice(0, limit);
    socket.give({
      type: 'history', ref: frame.ref, conversation_id: frame.conversation_id, messages,
      has_more: messages.length < all.length, first_seq: conversation.firstSeq,
    });
  }
}

const HANDLERS = {
  hello(socket, frame) {
    if (this.refuse?.(frame.token)) return socket.finish(4401, 'token expired');
    socket.user = this.users(frame.token);
    socket.give({ type: 'welcome', session_id: 's', user_id: socket.user, heartbeat_s: 25, max_frame_bytes: 65536 });
    this.sync(socket, frame.cursors ?? {});
  },
  sync(socket, frame) {
    this.sync(socket, frame.cursors ?? {});
  },
  send(socket, frame) {
    this.takeSend(socket, frame);
  },
  history(socket, frame) {
    this.history(socket, frame);
  },
  auth(socket) {
    socket.give({ type: 'welcome', session_id: 's', user_id: socket.user, heartbeat_s: 25, max_frame_bytes: 65536 });
  },
  ping(socket, frame) {
    socket.give({ type: 'pong', ref: frame.ref });
  },
  ack() {},
  read() {},
  typing() {},
  state() {},
  presence() {},
};
