import { Emitter } from '/client/emitter.js';

/** While somebody looks at them, phones are asked for this often. */
const LOOK_EVERY_MS = 700;
/** The application that the page's own phones run. */
const APP_ID = 'org.tidings.demo';

/**
 * The phones that would ring. In `tidings dev` the push services of Apple and Google are fakes beside the server, and
 * the page registers a phone for whoever signs in, just as an application on a real one would. What it shows is asked
 * of the fakes by HTTP: nothing of it comes over the socket.
 *
 * Events: `ready` (whether there are phones is known), `ring` {phone, alert}.
 * @typedef {{ user_id: string, device_id: string, platform: string, alerts: Alert[], badge?: number, rings?: number }} Phone
 * @typedef {{ key: string, title?: string, body?: string, thread?: string, at_ms: number, data: any }} Alert
 */
export class Phones extends Emitter {
  /** Whether there are fake phones here. */
  available = false;
  /** With what a browser subscribes, where the server can push to browsers. @type {string | undefined} */
  vapidKey;
  #http;
  /** What each phone showed when it was last looked at. @type {Map<string, Set<string>>} */
  #shown = new Map();

  /** @param {import('/client/index.js').HttpApi} http @param {string} meId */
  constructor(http, meId) {
    super();
    this.#http = http;
    this.meId = meId;
  }

  async start() {
    try {
      const { vapid_public_key: key, fake_phones: available } = await this.#http.request('GET', '/push');
      this.vapidKey = key;
      if (available) await this.#register();
      this.available = Boolean(available);
    } catch {
      // A server without the route, or none at all: then there are no phones to show.
    }
    this.emit('ready');
  }

  /** As an application does at every start, whatever it registered before. */
  #register() {
    return this.#http.request('PUT', '/devices/phone', {
      platform: 'apns', token: ownToken(this.meId), app_id: APP_ID, environment: 'sandbox',
    });
  }

  /**
   * Follows my phones, and with a conversation those of its members, until the returned function is called.
   * @param {string | undefined} conversationId @param {(phones: Phone[]) => void} onPhones
   */
  follow(conversationId, onPhones) {
    const path = `/dev/phones${conversationId ? `?conversation_id=${encodeURIComponent(conversationId)}` : ''}`;
    let stopped = false;
    let timer;
    const look = async () => {
      try {
        const { phones } = await this.#http.request('GET', path);
        if (stopped) return;
        this.#compare(conversationId, phones);
        onPhones(phones);
      } catch {
        // The server is away; the phones keep showing what they showed.
      }
      if (!stopped) timer = setTimeout(look, LOOK_EVERY_MS);
    };
    void look();
    return () => {
      stopped = true;
      clearTimeout(timer);
    };
  }

  /** Tells of alerts that were not there before. Of others' phones each conversation shows its own part. */
  #compare(conversationId, phones) {
    for (const phone of phones) {
      const id = JSON.stringify([phone.user_id === this.meId ? '' : conversationId, phone.user_id, phone.device_id]);
      const before = this.#shown.get(id);
      // A summary takes the place of itself, and rings again.
      const now = new Set(phone.alerts.map((alert) => `${alert.key} ${alert.at_ms}`));
      if (before) phone.alerts.filter((alert) => !before.has(`${alert.key} ${alert.at_ms}`)).forEach((alert) => this.emit('ring', { phone, alert }));
      this.#shown.set(id, now);
    }
  }
}

/** The token of this user's phone, as Apple's look: 32 bytes in hex. Kept, so that it stays the same phone. */
function ownToken(userId) {
  const key = `tidings.phone.${userId}`;
  try {
    const kept = localStorage.getItem(key);
    if (kept) return kept;
  } catch {
    // Then it is a new phone each time.
  }
  const token = [...crypto.getRandomValues(new Uint8Array(32))].map((byte) => byte.toString(16).padStart(2, '0')).join('');
  try {
    localStorage.setItem(key, token);
  } catch {
    // As above.
  }
  return token;
}
