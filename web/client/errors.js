/** What every rejected promise and every `failed` event of this client carries. */
export class TidingsError extends Error {
  /**
   * @param {string} code a code of the protocol (`forbidden`, `rate_limited`, …) or one of the client's own:
   *   `disconnected`, `timeout`, `aborted`, `closed`, `outbox_full`
   * @param {string} [message]
   * @param {{ status?: number, retryAfterMs?: number, clientId?: string, conversationId?: string, cause?: unknown }} [details]
   */
  constructor(code, message, details = {}) {
    super(message || code, details.cause === undefined ? undefined : { cause: details.cause });
    this.name = 'TidingsError';
    this.code = code;
    this.status = details.status;
    this.retryAfterMs = details.retryAfterMs;
    this.clientId = details.clientId;
    this.conversationId = details.conversationId;
  }

  /** Whether the same request may succeed later without being changed. */
  get temporary() {
    return TEMPORARY.has(this.code);
  }

  /** @param {{ code: string, message?: string, retry_after_ms?: number, client_id?: string, conversation_id?: string }} frame */
  static fromFrame(frame) {
    return new TidingsError(frame.code, frame.message, {
      retryAfterMs: frame.retry_after_ms,
      clientId: frame.client_id,
      conversationId: frame.conversation_id,
    });
  }
}

const TEMPORARY = new Set(['unavailable', 'rate_limited', 'internal', 'disconnected', 'timeout']);
