// Type declarations of the Tidings client. Fields of frames and objects have the wire's names.

export interface TidingsOptions {
  /** The server's address, `https://…` or `wss://…`; `/v1/ws` is added. */
  url: string;
  /** A token, or a function that fetches one: asked at the start, before the token expires, and when it was refused. */
  token: string | (() => string | Promise<string>);
  /** This device's own name, 1–64 characters. Made up anew each time when left out. */
  deviceId?: string;
  /** Where cursors are kept, by default in memory. */
  storage?: Storage;
  /** The class to connect with: needed in Node 20 (`import WebSocket from 'ws'`). */
  WebSocket?: new (url: string, protocols?: string[]) => any;
  fetch?: typeof fetch;
  /** Whether the application is in front at the start (true). */
  active?: boolean;
  /** Full jitter between 0 and a limit that doubles from `baseMs` (1000) to `maxMs` (30000). */
  reconnect?: { baseMs?: number; maxMs?: number; random?: () => number };
  /** `limit`: frames kept at most (1000). `window`: of one conversation under way at a time (1, strictly ordered). */
  outbox?: { limit?: number; window?: number };
}

export interface Storage {
  getItem(key: string): string | null | undefined | Promise<string | null | undefined>;
  setItem(key: string, value: string): unknown;
}

export type State = 'idle' | 'connecting' | 'syncing' | 'online' | 'waiting' | 'closed';
export type EntryKind = 'text' | 'edit' | 'delete' | 'reaction' | 'member_joined' | 'member_left' | 'title_changed';

/** One entry of a conversation's log. */
export interface Entry {
  conversation_id: string;
  seq: number;
  id: string;
  kind: EntryKind;
  sender_id: string;
  client_id?: string;
  text?: string;
  data?: unknown;
  target_seq?: number;
  reply_to?: number;
  mentions?: string[];
  emoji?: string;
  remove?: boolean;
  user_ids?: string[];
  /** Only in history. */
  reactions?: Record<string, unknown>;
  created_at: string;
  edited_at?: string;
  deleted_at?: string;
}

export interface Member {
  user_id: string;
  role: 'owner' | 'admin' | 'member';
  display_name?: string;
  avatar_url?: string;
  read_seq?: number;
  delivered_seq?: number;
}

export interface Conversation {
  id: string;
  kind: 'direct' | 'group' | 'channel';
  title?: string;
  last_seq: number;
  first_seq: number;
  created_at: string;
  member_count: number;
  members?: Member[];
  role?: 'owner' | 'admin' | 'member';
  read_seq?: number;
  unread?: number;
  notify?: 'all' | 'mentions' | 'none';
  muted_until?: string;
}

export interface Outgoing {
  conversation_id?: string;
  /** Another user: the direct conversation with them. */
  to?: string;
  /** Made up when left out. */
  client_id?: string;
  text?: string;
  data?: unknown;
  reply_to?: number;
  mentions?: string[];
}

export interface Accepted { client_id: string; conversation_id: string }
export interface HistoryPage { conversation_id: string; messages: Entry[]; has_more: boolean; first_seq: number }

export interface Events {
  /** The next entry of a conversation: each one once, in order of `seq`, missing ones fetched before. */
  message: Entry;
  /** A conversation is there, changed, or (removed) is no longer this user's. Always before its first `message`. */
  conversation: { conversation: Conversation; removed: boolean };
  receipt: { conversation_id: string; user_id: string; delivered_seq?: number; read_seq?: number };
  typing: { conversation_id: string; user_id: string };
  presence: { user_id: string; status: 'online' | 'offline'; last_seen_at?: string };
  state: { state: State; retryAt?: number; reason?: string; error?: TidingsError };
  /** Something that had been accepted could not be stored after all. */
  failed: TidingsError;
  /** Entries that the server no longer has. */
  skipped: { conversation_id: string; from: number; to: number };
  /** An error that answers no request. */
  error: TidingsError;
  /** Every frame, with the time of this device in milliseconds. */
  wire: { direction: 'in' | 'out'; frame: Record<string, unknown> & { type: string }; at: number };
}

declare class Emitter {
  on<K extends keyof Events>(name: K, listener: (value: Events[K]) => void): () => void;
  off<K extends keyof Events>(name: K, listener: (value: Events[K]) => void): void;
  once<K extends keyof Events>(name: K, accept?: (value: Events[K]) => boolean): Promise<Events[K]>;
}

export class Tidings extends Emitter {
  constructor(options: TidingsOptions);
  readonly state: State;
  readonly pending: number;
  readonly deviceId: string;
  readonly userId: string | undefined;
  readonly http: HttpApi;
  connect(): Promise<void>;
  close(): Promise<void>;
  flush(): Promise<void>;
  wake(): void;
  setActive(active: boolean): void;
  send(message: Outgoing, options?: { signal?: AbortSignal }): Promise<Accepted>;
  edit(conversationId: string, targetSeq: number, content: { text?: string; data?: unknown }): Promise<Accepted>;
  delete(conversationId: string, targetSeq: number): Promise<Accepted>;
  react(conversationId: string, targetSeq: number, emoji: string, options?: { remove?: boolean }): Promise<Accepted>;
  read(conversationId: string, seq: number): void;
  typing(conversationId: string): void;
  watchPresence(userIds: string[]): void;
  unwatchPresence(userIds: string[]): void;
  historyPage(conversationId: string, range?: { before?: number; after?: number; limit?: number; signal?: AbortSignal }): Promise<HistoryPage>;
  history(conversationId: string, range?: { before?: number; after?: number; pageSize?: number }): AsyncIterableIterator<Entry>;
  cursors(): Record<string, number>;
}

export interface Profile { user_id: string; display_name?: string; avatar_url?: string }

export class HttpApi {
  constructor(options: { url: string; tokens?: { get(): Promise<string> }; fetch?: typeof fetch });
  createAccount(account: { user_id: string; password: string; display_name?: string }): Promise<{ user: Profile; token: string }>;
  signIn(credentials: { user_id: string; password: string }): Promise<{ user: Profile; token: string; expires_at: string }>;
  signOut(): Promise<void>;
  me(): Promise<Profile>;
  updateMe(changes: { display_name?: string; avatar_url?: string }): Promise<Profile>;
  users(ids: string[]): Promise<Profile[]>;
  direct(userId: string): Promise<Conversation>;
  createGroup(group: { title: string; member_ids: string[]; kind?: 'group' | 'channel'; client_id?: string }): Promise<Conversation>;
  conversation(id: string): Promise<Conversation>;
  rename(id: string, title: string): Promise<Conversation>;
  members(id: string): Promise<Member[]>;
  addMembers(id: string, userIds: string[]): Promise<unknown>;
  setRole(id: string, userId: string, role: Member['role']): Promise<unknown>;
  removeMember(id: string, userId: string): Promise<unknown>;
  notify(id: string, settings: { notify?: 'all' | 'mentions' | 'none'; muted_until?: string | null }): Promise<unknown>;
  trace(id: string, seq: number): Promise<unknown>;
  request(method: string, path: string, body?: object): Promise<any>;
}

export class TidingsError extends Error {
  readonly code: string;
  readonly status?: number;
  readonly retryAfterMs?: number;
  readonly clientId?: string;
  readonly conversationId?: string;
  readonly temporary: boolean;
}

export function memoryStorage(): Storage;
export function browserStorage(area?: { getItem(key: string): string | null; setItem(key: string, value: string): void }): Storage;
export function followPage(tidings: Tidings): () => void;
export function newClientId(): string;
