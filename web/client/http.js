import { TidingsError } from './errors.js';
import { uuid } from './ids.js';

/** A request that takes longer has failed. */
const WITHIN_MS = 20_000;

/** The routes under `/v1`: everything that is not a matter of one live conversation. */
export class HttpApi {
  #base;
  #fetch;
  #tokens;

  /**
   * @param {{ url: string, tokens?: { get(): Promise<string> }, fetch?: typeof fetch }} options `url` is the server's
   *   address without `/v1`; without `tokens` only accounts and sessions can be asked for
   */
  constructor({ url, tokens, fetch }) {
    this.#base = url.replace(/^ws/, 'http').replace(/\/+$/, '').replace(/\/v1(\/ws)?$/, '');
    this.#tokens = tokens;
    this.#fetch = fetch ?? ((input, init) => globalThis.fetch(input, init));
  }

  /** Makes a built-in account. @param {{ user_id: string, password: string, display_name?: string }} account */
  createAccount(account) {
    return this.request('POST', '/accounts', account);
  }

  /** @param {{ user_id: string, password: string }} credentials @returns {Promise<{ user: any, token: string, expires_at: string }>} */
  signIn(credentials) {
    return this.request('POST', '/sessions', credentials);
  }

  signOut() {
    return this.request('DELETE', '/sessions');
  }

  me() {
    return this.request('GET', '/me');
  }

  /** @param {{ display_name?: string, avatar_url?: string }} changes */
  updateMe(changes) {
    return this.request('PATCH', '/me', changes);
  }

  /** Public profiles. @param {string[]} ids @returns {Promise<any[]>} */
  async users(ids) {
    const answer = await this.request('GET', `/users?ids=${ids.map(encodeURIComponent).join(',')}`);
    return answer.users ?? [];
  }

  /**
   * The direct conversation with someone, made when there is none. @param {string} user_id
   */
  direct(user_id) {
    return this.request('POST', '/conversations', { kind: 'direct', user_id });
  }

  /** @param {{ title: string, member_ids: string[], kind?: 'group' | 'channel', client_id?: string }} group */
  createGroup({ kind = 'group', client_id = uuid(), ...rest }) {
    return this.request('POST', '/conversations', { kind, client_id, ...rest });
  }

  /** @param {string} id */
  conversation(id) {
    return this.request('GET', `/conversations/${part(id)}`);
  }

  /** @param {string} id @param {string} title */
  rename(id, title) {
    return this.request('PATCH', `/conversations/${part(id)}`, { title });
  }

  /** All members, page by page. @param {string} id @returns {Promise<any[]>} */
  async members(id) {
    const all = [];
    let after;
    do {
      const page = await this.request('GET', `/conversations/${part(id)}/members?limit=200${after ? `&after=${part(after)}` : ''}`);
      all.push(...page.members);
      after = page.next;
    } while (after);
    return all;
  }

  /** @param {string} id @param {string[]} user_ids */
  addMembers(id, user_ids) {
    return this.request('POST', `/conversations/${part(id)}/members`, { user_ids });
  }

  /** @param {string} id @param {string} userId @param {'owner' | 'admin' | 'member'} role */
  setRole(id, userId, role) {
    return this.request('PUT', `/conversations/${part(id)}/members/${part(userId)}`, { role });
  }

  /** @param {string} id @param {string} userId oneself to leave */
  removeMember(id, userId) {
    return this.request('DELETE', `/conversations/${part(id)}/members/${part(userId)}`);
  }

  /** @param {string} id @param {{ notify?: 'all' | 'mentions' | 'none', muted_until?: string | null }} settings */
  notify(id, settings) {
    return this.request('PATCH', `/conversations/${part(id)}/members/me`, settings);
  }

  /** Where a message is; answers to server keys. @param {string} id @param {number} seq */
  trace(id, seq) {
    return this.request('GET', `/conversations/${part(id)}/messages/${seq}/trace`);
  }

  /**
   * Any other route.
   * @param {string} method @param {string} path below `/v1` @param {object} [body]
   * @returns {Promise<any>} the answer's JSON; an error answer is thrown as a TidingsError
   */
  async request(method, path, body) {
    const headers = { accept: 'application/json' };
    if (body !== undefined) headers['content-type'] = 'application/json';
    if (this.#tokens) headers.authorization = `Bearer ${await this.#tokens.get()}`;
    const abort = new AbortController();
    const timer = setTimeout(() => abort.abort(), WITHIN_MS);
    try {
      const answer = await this.#fetch(`${this.#base}/v1${path}`, {
        method, headers, body: body === undefined ? undefined : JSON.stringify(body), signal: abort.signal,
      });
      const text = await answer.text();
      const value = text ? parse(text) : undefined;
      if (!answer.ok) throw problem(answer, value);
      return value;
    } catch (error) {
      if (error instanceof TidingsError) throw error;
      throw new TidingsError(abort.signal.aborted ? 'timeout' : 'disconnected', 'the server could not be reached', { cause: error });
    } finally {
      clearTimeout(timer);
    }
  }
}

const part = encodeURIComponent;

function parse(text) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function problem(answer, value) {
  const seconds = Number(answer.headers.get('retry-after'));
  return new TidingsError(value?.code ?? fallbackCode(answer.status), value?.detail ?? value?.message ?? value?.title ?? `HTTP ${answer.status}`, {
    status: answer.status,
    retryAfterMs: value?.retry_after_ms ?? (seconds > 0 ? seconds * 1_000 : undefined),
  });
}

/** For answers that come from something in between. @param {number} status */
function fallbackCode(status) {
  if (status === 401) return 'unauthenticated';
  if (status === 403) return 'forbidden';
  if (status === 404) return 'not_found';
  if (status === 429) return 'rate_limited';
  return status >= 500 ? 'unavailable' : 'bad_request';
}
