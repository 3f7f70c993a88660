import { newClientId } from '/client/index.js';

const KEY = 'tidings.browser';
/** Without a network a browser tries long to reach its push service. */
const SUBSCRIBE_WITHIN_MS = 10_000;

/**
 * Notifications of this browser, by Web Push: they come when no page is open. One browser has one subscription, and
 * it belongs to who switched it on last.
 */
export class BrowserPush {
  #http;
  #phones;

  /** @param {import('/client/index.js').HttpApi} http @param {import('./phones.js').Phones} phones @param {string} meId */
  constructor(http, phones, meId) {
    this.#http = http;
    this.#phones = phones;
    this.meId = meId;
  }

  get possible() {
    return Boolean(this.#phones.vapidKey) && 'serviceWorker' in navigator && 'PushManager' in globalThis && 'Notification' in globalThis;
  }

  /** `on`, `stand-in` (a fake browser of the server subscribed), `off` or `denied`. */
  get state() {
    const kept = read();
    if (kept?.userId === this.meId) return kept.standIn ? 'stand-in' : 'on';
    return Notification.permission === 'denied' ? 'denied' : 'off';
  }

  /** Registers again at every start, as the server's documentation asks of an application. */
  async refresh() {
    if (!this.possible || this.state !== 'on') return;
    try {
      await this.#register(await this.#subscribe(), false);
    } catch {
      forget(); // The permission was taken back, or the server's key changed and the service is away.
    }
  }

  /** Asks the user and subscribes. @returns {Promise<void>} rejects with words for the user */
  async switchOn() {
    if (await Notification.requestPermission() !== 'granted') {
      throw new Error('This browser does not allow notifications of this page.');
    }
    let subscription;
    try {
      subscription = await this.#subscribe();
    } catch (error) {
      if (!this.#phones.available) throw new Error('This browser cannot reach its push service.', { cause: error });
      const made = await this.#http.request('POST', '/dev/subscriptions', { application_server_key: this.#phones.vapidKey });
      return this.#register(made.subscription, true);
    }
    return this.#register(subscription, false);
  }

  async switchOff() {
    const kept = read();
    forget();
    if (kept) await this.#http.request('DELETE', `/devices/${kept.deviceId}`).catch(ignoreMissing);
    const registration = await navigator.serviceWorker.getRegistration('/');
    await (await registration?.pushManager.getSubscription())?.unsubscribe();
  }

  async #subscribe() {
    await navigator.serviceWorker.register('/sw.js');
    const { pushManager } = await navigator.serviceWorker.ready;
    const options = { userVisibleOnly: true, applicationServerKey: this.#phones.vapidKey };
    const known = await pushManager.getSubscription();
    if (known && !sameKey(known.options.applicationServerKey, options.applicationServerKey)) await known.unsubscribe();
    return within(pushManager.subscribe(options), SUBSCRIBE_WITHIN_MS);
  }

  async #register(subscription, standIn) {
    const deviceId = read()?.deviceId ?? `browser-${newClientId()}`;
    await this.#http.request('PUT', `/devices/${deviceId}`, {
      platform: 'webpush', token: JSON.stringify(subscription), app_id: location.origin,
    });
    localStorage.setItem(KEY, JSON.stringify({ deviceId, userId: this.meId, standIn }));
  }
}

function read() {
  try {
    return JSON.parse(localStorage.getItem(KEY) ?? 'null') ?? undefined;
  } catch {
    return undefined;
  }
}

function forget() {
  try {
    localStorage.removeItem(KEY);
  } catch {
    // Then there was nothing kept either.
  }
}

/** Without a device there is nothing to remove. */
function ignoreMissing(error) {
  if (error.code !== 'not_found') throw error;
}

/** @param {ArrayBuffer | null} bytes @param {string} text in URL-safe base64 */
function sameKey(bytes, text) {
  if (!bytes) return false;
  const encoded = btoa(String.fromCharCode(...new Uint8Array(bytes)));
  return encoded.replaceAll('+', '-').replaceAll('/', '_').replace(/=+$/, '') === text;
}

function within(promise, ms) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error('the push service does not answer')), ms);
    promise.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}
