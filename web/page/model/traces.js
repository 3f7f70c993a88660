/** So many messages' traces are kept. */
const MAX_TRACES = 300;
/** So many frames are kept for looking at. */
const MAX_WIRE = 120;

/**
 * Watches the wire and remembers, for each message, when each step of its journey was seen from here.
 * @typedef {{ clientId?: string, conversationId?: string, seq?: number, sent?: number, resent: number, accepted?: number,
 *   arrived?: number, createdAt?: string, acked?: number, delivered: Map<string, number>, read: Map<string, number>,
 *   frames: WireEvent[] }} Trace
 * @typedef {{ direction: 'in' | 'out', frame: any, at: number, number: number }} WireEvent
 */
export class Traces {
  /** @type {WireEvent[]} newest last */
  wire = [];
  /** @type {Set<Trace>} oldest first */
  #traces = new Set();
  /** @type {Map<string, Trace>} */
  #byClientId = new Map();
  /** @type {Map<string, Trace>} by conversation and seq */
  #bySeq = new Map();
  #frames = 0;

  /** @param {import('/client/index.js').Tidings} tidings @param {string} meId */
  constructor(tidings, meId) {
    this.meId = meId;
    tidings.on('wire', (event) => this.#see(event));
  }

  /** @param {{ clientId?: string, conversationId: string, seq?: number }} message @returns {Trace | undefined} */
  of({ clientId, conversationId, seq }) {
    return (seq && this.#bySeq.get(`${conversationId} ${seq}`)) || (clientId && this.#byClientId.get(clientId)) || undefined;
  }

  #see(seen) {
    const event = { ...redacted(seen), number: (this.#frames += 1) };
    const { frame, at } = event;
    this.wire.push(event);
    if (this.wire.length > MAX_WIRE) this.wire.shift();
    if (frame.type === 'send') this.#sent(event);
    else if (frame.type === 'accepted' && this.#byClientId.has(frame.client_id)) this.#note(this.#byClientId.get(frame.client_id), 'accepted', event);
    else if (frame.type === 'message' && frame.kind === 'text') this.#arrived(frame, event);
    else if (frame.type === 'ack') this.#each(frame, (trace) => this.#note(trace, 'acked', event));
    else if (frame.type === 'receipt') {
      if (frame.user_id === this.meId) return;
      this.#each({ ...frame, seq: frame.delivered_seq ?? frame.read_seq ?? 0 }, (trace) => first(trace.delivered, frame.user_id, at, trace, event));
      this.#each({ ...frame, seq: frame.read_seq ?? 0 }, (trace) => first(trace.read, frame.user_id, at, trace, event));
    }
  }

  #sent(event) {
    const { frame, at } = event;
    const known = this.#byClientId.get(frame.client_id);
    if (known) known.resent += 1;
    const trace = known ?? this.#open();
    this.#byClientId.set(frame.client_id, trace);
    trace.clientId = frame.client_id;
    trace.conversationId ??= frame.conversation_id;
    trace.sent ??= at;
    trace.frames.push(event);
  }

  #arrived(frame, event) {
    const key = `${frame.conversation_id} ${frame.seq}`;
    if (this.#bySeq.has(key)) return;
    const trace = (frame.client_id && this.#byClientId.get(frame.client_id)) || this.#open();
    Object.assign(trace, { seq: frame.seq, conversationId: frame.conversation_id, createdAt: frame.created_at });
    this.#bySeq.set(key, trace);
    this.#note(trace, 'arrived', event);
  }

  #note(trace, step, event) {
    if (trace[step] !== undefined) return;
    trace[step] = event.at;
    trace.frames.push(event);
  }

  #each({ conversation_id: id, seq }, act) {
    for (const trace of this.#traces) if (trace.conversationId === id && trace.seq && trace.seq <= seq) act(trace);
  }

  /** @returns {Trace} */
  #open() {
    const trace = { resent: 0, delivered: new Map(), read: new Map(), frames: [] };
    this.#traces.add(trace);
    if (this.#traces.size > MAX_TRACES) {
      const [oldest] = this.#traces;
      this.#traces.delete(oldest);
      this.#byClientId.delete(oldest.clientId);
      this.#bySeq.delete(`${oldest.conversationId} ${oldest.seq}`);
    }
    return trace;
  }
}

function first(map, user, at, trace, event) {
  if (map.has(user)) return;
  map.set(user, at);
  if (!trace.frames.includes(event)) trace.frames.push(event);
}

/** Tokens are secrets, also from whoever looks over a shoulder. */
function redacted(event) {
  return event.frame.token ? { ...event, frame: { ...event.frame, token: '•••' } } : event;
}
