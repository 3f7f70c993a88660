import { TidingsError } from './errors.js';

/** A token that ends sooner than this is not worth connecting with. */
const STALE_BEFORE_MS = 15_000;

/**
 * Where tokens come from: a fixed string, or a function that fetches one and is asked again when the last one is
 * about to expire or was refused.
 */
export class TokenSource {
  #given;
  /** @type {string | undefined} */
  #current;
  /** @type {Promise<string> | undefined} */
  #fetching;

  /** @param {string | (() => string | Promise<string>)} token */
  constructor(token) {
    if (typeof token !== 'string' && typeof token !== 'function') {
      throw new TypeError('token must be a string or a function that returns one');
    }
    this.#given = token;
    if (typeof token === 'string') this.#current = token;
  }

  /** Whether a new token can be had at all. */
  get renewable() {
    return typeof this.#given === 'function';
  }

  /** @returns {Promise<string>} a token that is good for a while yet, as far as can be told */
  async get() {
    const expires = this.#current && expiry(this.#current);
    if (this.#current && (!this.renewable || !expires || expires - Date.now() > STALE_BEFORE_MS)) return this.#current;
    return this.renew();
  }

  /** Forgets the current token and fetches another. Concurrent callers share one fetch. */
  renew() {
    if (typeof this.#given !== 'function') {
      return Promise.reject(new TidingsError('unauthenticated', 'the token was refused and there is no way to get another'));
    }
    this.#fetching ??= Promise.resolve()
      .then(this.#given)
      .then((token) => {
        if (typeof token !== 'string' || token === '') throw new TidingsError('unauthenticated', 'the token function returned no token');
        this.#current = token;
        return token;
      })
      .finally(() => {
        this.#fetching = undefined;
      });
    return this.#fetching;
  }
}

/** @param {string} token @returns {number | undefined} when it expires, in milliseconds since 1970 */
export function expiry(token) {
  const exp = claims(token).exp;
  return typeof exp === 'number' ? exp * 1000 : undefined;
}

/** @param {string} token @returns {string | undefined} whose it is */
export function subject(token) {
  const sub = claims(token).sub;
  return typeof sub === 'string' ? sub : undefined;
}

/**
 * Reads the middle of a JWT without checking anything: the server decides, this only plans ahead.
 * @param {string} token @returns {Record<string, unknown>}
 */
function claims(token) {
  try {
    const bytes = fromBase64Url(token.split('.')[1]);
    const percent = bytes.map((byte) => `%${byte.toString(16).padStart(2, '0')}`).join('');
    const value = JSON.parse(decodeURIComponent(percent));
    return value !== null && typeof value === 'object' ? value : {};
  } catch {
    return {};
  }
}

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';

/** `atob` and `TextDecoder` are missing in some React Native engines. @param {string} text @returns {number[]} */
function fromBase64Url(text) {
  const bytes = [];
  let bits = 0;
  let value = 0;
  for (const char of text.replace(/=+$/, '')) {
    const index = ALPHABET.indexOf(char);
    if (index < 0) throw new Error('not base64url');
    value = ((value << 6) | index) & 0xffff;
    bits += 6;
    if (bits >= 8) {
      bits -= 8;
      bytes.push((value >> bits) & 0xff);
    }
  }
  return bytes;
}
