import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HttpApi } from '../index.js';
import { expiry, subject } from '../token.js';
import { jwt } from './support.js';

function api(answer, seen = []) {
  return new HttpApi({
    url: 'wss://chat.example/v1/ws',
    tokens: { get: async () => 'secret' },
    fetch: async (url, init) => {
      seen.push({ url, ...init });
      return answer();
    },
  });
}

test('requests go to the routes below /v1 with the token', async () => {
  const seen = [];
  await api(() => new Response('{}'), seen).rename('a/b', 'New title');
  assert.equal(seen[0].url, 'https://chat.example/v1/conversations/a%2Fb');
  assert.equal(seen[0].method, 'PATCH');
  assert.equal(seen[0].headers.authorization, 'Bearer secret');
  assert.deepEqual(JSON.parse(seen[0].body), { title: 'New title' });
});

test('a problem of the server is an error with its code and its advice', async () => {
  const body = JSON.stringify({ title: 'Slow down', status: 429, code: 'rate_limited', detail: 'too fast' });
  const limited = api(() => new Response(body, { status: 429, headers: { 'retry-after': '2' } }));
  await assert.rejects(limited.me(), { code: 'rate_limited', status: 429, message: 'too fast', retryAfterMs: 2_000, temporary: true });
});

test('an answer of something in between is an error too', async () => {
  await assert.rejects(api(() => new Response('<html>bad gateway', { status: 502 })).me(), { code: 'unavailable', status: 502 });
});

test('a network that fails is disconnected', async () => {
  await assert.rejects(api(() => { throw new TypeError('failed to fetch'); }).me(), { code: 'disconnected', temporary: true });
});

test('members are read to the last page', async () => {
  const pages = [{ members: [{ user_id: 'a' }], next: 'a' }, { members: [{ user_id: 'b' }] }];
  const all = await api(() => new Response(JSON.stringify(pages.shift()))).members('c');
  assert.deepEqual(all.map((member) => member.user_id), ['a', 'b']);
});

test('claims are read from tokens, names outside ASCII too, and nothing from what is no token', () => {
  assert.equal(subject(jwt({ sub: 'žofie ✓' })), 'žofie ✓');
  assert.equal(expiry(jwt({ exp: 1_800_000_000 })), 1_800_000_000_000);
  assert.equal(subject('opaque'), undefined);
  assert.equal(expiry('a.!!.c'), undefined);
});
