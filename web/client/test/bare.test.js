import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { test } from 'node:test';
import { promisify } from 'node:util';

const run = promisify(execFile);
const client = new URL('../index.js', import.meta.url).href;
/** What an engine of React Native, or an old Node, may not have. */
const ABSENT = [
  'window', 'document', 'navigator', 'localStorage', 'sessionStorage', 'WebSocket', 'crypto', 'fetch', 'Response', 'Request', 'TextEncoder',
  'TextDecoder', 'atob', 'btoa', 'Buffer', 'structuredClone', 'reportError', 'queueMicrotask', 'Event', 'EventTarget', 'MessageChannel', 'performance',
];

test('importing it touches nothing of a browser or of Node, and neither does talking with what one passes', async () => {
  const script = `
    for (const name of ${JSON.stringify(ABSENT)}) {
      Object.defineProperty(globalThis, name, { get() { throw new Error(name + ' was touched'); }, configurable: true });
    }
    const { Tidings, memoryStorage, newClientId } = await import(${JSON.stringify(client)});
    for (const name of ${JSON.stringify(ABSENT)}) delete globalThis[name];
    class Socket {
      constructor() { setTimeout(() => this.onopen({})); }
      send(text) {
        const frame = JSON.parse(text);
        if (frame.type === 'hello') {
          this.say({ type: 'welcome', user_id: 'ann', heartbeat_s: 25, max_frame_bytes: 65536 });
          this.say({ type: 'sync', conversations: [], done: true });
        }
        if (frame.type === 'send') this.say({ type: 'accepted', client_id: frame.client_id, conversation_id: 'c' });
      }
      say(frame) { setTimeout(() => this.onmessage({ data: JSON.stringify(frame) })); }
      close() {}
    }
    const token = 'e30.' + 'eyJzdWIiOiJhbm4ifQ' + '.x';
    const tidings = new Tidings({ url: 'https://chat.example', token, WebSocket: Socket, storage: memoryStorage() });
    await tidings.connect();
    const { client_id } = await tidings.send({ to: 'ben', text: 'Grüße 👋' });
    await tidings.close();
    process.stdout.write([tidings.userId, client_id.length, newClientId().length].join(' '));
  `;
  const { stdout } = await run(process.execPath, ['--input-type=module', '-e', script]);
  assert.equal(stdout, 'ann 36 36');
});
