import assert from 'node:assert/strict';
import { afterEach, mock, test } from 'node:test';
import { Backoff } from '../backoff.js';
import { Tidings } from '../index.js';
import { Double } from './double.js';
import { Clients, jwt, until } from './support.js';

const clients = new Clients();
afterEach(async () => {
  await clients.close();
  mock.timers.reset();
});

const soon = () => new Promise((resolve) => setImmediate(resolve));
const hellos = (double) => double.received.filter((frame) => frame.type === 'hello');
const inSeconds = (s) => Math.floor(Date.now() / 1000) + s;

/** Lets promises and microtasks run while the clock stands. */
async function settle() {
  for (let i = 0; i < 20; i += 1) await soon();
}

test('waiting times are random below a limit that doubles up to a maximum', () => {
  const backoff = new Backoff({ baseMs: 100, maxMs: 1_000, random: () => 1 });
  assert.deepEqual([1, 2, 3, 4, 5, 6].map(() => backoff.next()), [100, 200, 400, 800, 1_000, 1_000]);
  backoff.reset();
  assert.equal(backoff.next(), 100);
  const low = new Backoff({ random: () => 0 });
  assert.equal(low.next(), 0);
});

test('without a WebSocket of its own the client says what it needs', () => {
  const own = globalThis.WebSocket;
  delete globalThis.WebSocket;
  assert.throws(() => new Tidings({ url: 'http://x', token: 't' }), /option WebSocket/);
  if (own) globalThis.WebSocket = own;
});

test('hello names the device, the cursors and whether the application is in front', async () => {
  const double = new Double();
  const bob = clients.make(double, 'bob', { deviceId: 'phone', active: false });
  await bob.connect();
  const [hello] = hellos(double);
  assert.deepEqual({ ...hello, user: undefined }, { type: 'hello', token: 'token-bob', device_id: 'phone', cursors: {}, active: false, user: undefined });
  assert.equal(bob.userId, 'bob');
});

test('the advice of reconnect is followed to the millisecond', async () => {
  mock.timers.enable({ apis: ['setTimeout', 'Date'] });
  const double = new Double();
  const bob = clients.make(double, 'bob', { reconnect: { random: () => 1 } });
  await bob.connect();
  for (const socket of double.sockets) {
    socket.give({ type: 'reconnect', after_ms: 7_000, reason: 'deploy' });
    await settle();
    socket.finish(1012);
  }
  await settle();
  assert.equal(bob.state, 'waiting');
  bob.wake();
  mock.timers.tick(6_999);
  await settle();
  assert.equal(hellos(double).length, 1);
  mock.timers.tick(1);
  await settle();
  assert.equal(hellos(double).length, 2);
});

test('a server that says nothing any more is left', async () => {
  mock.timers.enable({ apis: ['setTimeout', 'Date'] });
  const double = new Double();
  const bob = clients.make(double, 'bob', { reconnect: { random: () => 1 } });
  await bob.connect();
  double.intercept = (frame) => frame.type === 'ping';
  mock.timers.tick(25_000);
  await settle();
  assert.equal(double.received.at(-1).type, 'ping');
  mock.timers.tick(10_000);
  await settle();
  assert.equal(bob.state, 'waiting');
  double.intercept = () => false;
  bob.wake();
  await settle();
  assert.equal(bob.state, 'online');
});

test('a server that answers pings is kept', async () => {
  mock.timers.enable({ apis: ['setTimeout', 'Date'] });
  const double = new Double();
  const bob = clients.make(double, 'bob');
  await bob.connect();
  for (let i = 0; i < 10; i += 1) {
    mock.timers.tick(25_000);
    await settle();
  }
  assert.equal(bob.state, 'online');
  assert.equal(hellos(double).length, 1);
});

test('a fixed token that is refused ends the client', async () => {
  const double = new Double();
  double.refuse = () => true;
  const bob = clients.make(double, 'bob');
  await assert.rejects(bob.connect(), { code: 'unauthenticated' });
  assert.equal(bob.state, 'closed');
});

test('a refused token is replaced at once when there is a function for it', async () => {
  const double = new Double();
  double.refuse = (token) => token === 'token-bob-1';
  let n = 0;
  const bob = clients.make(double, 'bob', { token: async () => `token-bob-${(n += 1)}` });
  await bob.connect();
  assert.deepEqual(hellos(double).map((frame) => frame.token), ['token-bob-1', 'token-bob-2']);
});

test('tokens that are refused again and again are not asked for without end', async () => {
  const double = new Double();
  double.refuse = () => true;
  let asked = 0;
  const bob = clients.make(double, 'bob', { token: () => `token-bob-${(asked += 1)}` });
  await assert.rejects(bob.connect(), { code: 'unauthenticated' });
  assert.equal(asked, 3);
});

test('a token function that fails is asked again later', async () => {
  const double = new Double();
  let asked = 0;
  const bob = clients.make(double, 'bob', {
    token: async () => {
      asked += 1;
      if (asked < 4) throw new Error('the backend is away');
      return 'token-bob';
    },
  });
  await bob.connect();
  assert.equal(bob.state, 'online');
});

test('a fresh token is given before the old one expires, and its welcome begins no new session', async () => {
  mock.timers.enable({ apis: ['setTimeout', 'Date'], now: 1_700_000_000_000 });
  const double = new Double();
  double.users = () => 'bob';
  const bob = clients.make(double, 'bob', { token: async () => jwt({ sub: 'bob', exp: inSeconds(300) }) });
  const states = [];
  bob.on('state', ({ state }) => states.push(state));
  await bob.connect();
  mock.timers.tick(269_000);
  await settle();
  assert.equal(double.received.filter((frame) => frame.type === 'auth').length, 0);
  mock.timers.tick(1_000);
  await settle();
  const [auth] = double.received.filter((frame) => frame.type === 'auth');
  assert.equal(JSON.parse(Buffer.from(auth.token.split('.')[1], 'base64url')).exp, inSeconds(300));
  assert.deepEqual(states, ['connecting', 'syncing', 'online']);
});

test('typing is told at most every three seconds and never later', async () => {
  mock.timers.enable({ apis: ['setTimeout', 'Date'], now: 1_700_000_000_000 });
  const double = new Double();
  double.conversation('c', ['bob']);
  const bob = clients.make(double, 'bob');
  bob.typing('c');
  await bob.connect();
  bob.typing('c');
  bob.typing('c');
  mock.timers.tick(3_000);
  bob.typing('c');
  await settle();
  assert.equal(double.received.filter((frame) => frame.type === 'typing').length, 2);
});

test('watched presence is asked for again in every session', async () => {
  const double = new Double();
  const bob = clients.make(double, 'bob');
  await bob.connect();
  bob.watchPresence(['ann', 'eve']);
  bob.watchPresence(['ann']);
  bob.unwatchPresence(['eve']);
  await until(() => double.received.at(-1).type === 'presence');
  double.cut();
  await bob.once('state', ({ state }) => state === 'online');
  await until(() => double.received.filter((frame) => frame.type === 'presence').length === 2);
  assert.deepEqual(double.received.filter((frame) => frame.type === 'presence').map((frame) => frame.user_ids), [['ann', 'eve'], ['ann']]);
});

test('a question is asked again when its answer was lost with the connection', async () => {
  const double = new Double();
  double.conversation('c', ['bob']);
  double.append('c', 'bob', { text: 'x' });
  const bob = clients.make(double, 'bob');
  await bob.connect();
  let cut = false;
  double.intercept = (frame) => {
    if (frame.type !== 'history' || cut) return false;
    cut = true;
    double.cut();
    return true;
  };
  const page = await bob.historyPage('c', { limit: 10 });
  assert.equal(page.messages.length, 1);
});
