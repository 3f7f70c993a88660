import assert from 'node:assert/strict';
import { afterEach, test } from 'node:test';
import { memoryStorage } from '../index.js';
import { Double } from './double.js';
import { Clients, seen, upTo } from './support.js';

const clients = new Clients();
afterEach(() => clients.close());
const client = (...args) => clients.make(...args);

test('live messages are handed on once and in order although some are lost and some come twice', async () => {
  const double = new Double();
  double.conversation('c', ['ann', 'bob']);
  const bob = client(double, 'bob');
  await bob.connect();
  let n = 0;
  double.copies = () => [1, 0, 2, 1, 0, 0, 1, 2][(n += 1) % 8];
  for (let i = 0; i < 500; i += 1) double.append('c', 'ann', { text: String(i) });
  double.copies = () => 1;
  double.append('c', 'ann', { text: 'last' });
  await seen(bob, 501);
  assert.deepEqual(bob.seen, upTo(501));
});

test('a device that was away receives all it missed, more than a sync holds included', async () => {
  const double = new Double();
  double.conversation('c', ['ann', 'bob']);
  const bob = client(double, 'bob');
  await bob.connect();
  double.append('c', 'ann', { text: 'first' });
  await seen(bob, 1);
  double.refuseConnections = true;
  double.cut();
  for (let i = 0; i < 730; i += 1) double.append('c', 'ann', { text: String(i) });
  double.refuseConnections = false;
  await seen(bob, 731);
  assert.deepEqual(bob.seen, upTo(731));
});

test('a conversation that began while the device was away is handed on from its beginning', async () => {
  const double = new Double();
  const bob = client(double, 'bob');
  await bob.connect();
  double.refuseConnections = true;
  double.cut();
  double.conversation('new', ['ann', 'bob']);
  double.append('new', 'ann', { text: 'hello' });
  double.refuseConnections = false;
  await seen(bob, 1);
  assert.deepEqual(bob.seen, [1]);
});

test('a new device starts at the present and reads the past as history', async () => {
  const double = new Double();
  double.conversation('c', ['ann', 'bob']);
  for (let i = 0; i < 130; i += 1) double.append('c', 'ann', { text: String(i) });
  const bob = client(double, 'bob');
  await bob.connect();
  double.append('c', 'ann', { text: 'now' });
  await seen(bob, 1);
  assert.deepEqual(bob.seen, [131]);
  const backwards = [];
  for await (const entry of bob.history('c', { pageSize: 40 })) backwards.push(entry.seq);
  assert.deepEqual(backwards, upTo(131).reverse());
  const forwards = [];
  for await (const entry of bob.history('c', { after: 100, pageSize: 10 })) forwards.push(entry.seq);
  assert.deepEqual(forwards, upTo(131).slice(100));
});

test('a device that starts again with its storage goes on where it stopped', async () => {
  const double = new Double();
  double.conversation('c', ['ann', 'bob']);
  const storage = memoryStorage();
  const before = client(double, 'bob', { storage, deviceId: 'phone' });
  await before.connect();
  double.append('c', 'ann', { text: '1' });
  await seen(before, 1);
  await before.close();
  double.append('c', 'ann', { text: '2' });
  const after = client(double, 'bob', { storage, deviceId: 'phone' });
  await after.connect();
  await seen(after, 1);
  assert.deepEqual(after.seen, [2]);
});

test('what retention took away is passed over without stopping the log', async () => {
  const double = new Double();
  const c = double.conversation('c', ['ann', 'bob']);
  const bob = client(double, 'bob');
  await bob.connect();
  double.refuseConnections = true;
  double.cut();
  for (let i = 0; i < 10; i += 1) double.append('c', 'ann', { text: String(i) });
  c.firstSeq = 7;
  const all = c.entries;
  double.sync = (socket) => socket.give({ type: 'sync', conversations: [{ conversation: double.view(c), messages: [], limited: true }], done: true });
  double.refuseConnections = false;
  await seen(bob, 4);
  assert.deepEqual(bob.seen, all.slice(6).map((e) => e.seq));
});

test('an entry whose conversation is not known waits until that was fetched', async () => {
  const double = new Double();
  const order = [];
  const bob = client(double, 'bob', {
    fetch: async () => new Response(JSON.stringify(double.view(double.conversations.get('n')))),
  });
  bob.on('conversation', ({ conversation }) => order.push(conversation.id));
  bob.on('message', (entry) => order.push(entry.seq));
  await bob.connect();
  double.conversation('n', ['ann', 'bob']);
  double.append('n', 'ann', { text: 'first' });
  double.append('n', 'ann', { text: 'second' });
  await seen(bob, 2);
  assert.deepEqual(order, ['n', 1, 2]);
});

test('an entry whose conversation cannot be fetched by HTTP comes by a sync', async () => {
  const double = new Double();
  const bob = client(double, 'bob', {
    fetch: async () => {
      throw new TypeError('blocked by CORS');
    },
  });
  await bob.connect();
  double.conversation('n', ['ann', 'bob']);
  double.append('n', 'ann', { text: 'first' });
  await seen(bob, 1);
  double.append('n', 'ann', { text: 'second' });
  await seen(bob, 2);
  assert.deepEqual(bob.seen, [1, 2]);
});

test('resync makes the client ask for what it may have missed', async () => {
  const double = new Double();
  double.conversation('c', ['ann', 'bob']);
  const bob = client(double, 'bob');
  await bob.connect();
  double.copies = () => 0;
  double.append('c', 'ann', { text: 'unheard' });
  for (const socket of double.sockets) socket.give({ type: 'resync', reason: 'redis' });
  await seen(bob, 1);
  assert.deepEqual(bob.seen, [1]);
});

test('a fault of one listener stops neither the others nor the log', async () => {
  const double = new Double();
  double.conversation('c', ['ann', 'bob']);
  const reported = new Promise((resolve) => {
    globalThis.reportError = resolve;
  });
  const bob = client(double, 'bob');
  let thrown = false;
  bob.on('message', () => {
    if (thrown) return;
    thrown = true;
    throw new Error('the listener is at fault');
  });
  await bob.connect();
  double.append('c', 'ann', { text: '1' });
  double.append('c', 'ann', { text: '2' });
  await seen(bob, 2);
  assert.equal((await reported).message, 'the listener is at fault');
  delete globalThis.reportError;
});

test('receipts for a burst are one frame and never go back', async () => {
  const double = new Double();
  double.conversation('c', ['ann', 'bob']);
  const bob = client(double, 'bob');
  await bob.connect();
  for (let i = 0; i < 50; i += 1) double.append('c', 'ann', { text: String(i) });
  await seen(bob, 50);
  bob.read('c', 50);
  bob.read('c', 20);
  await bob.flush();
  await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(double.received.filter((f) => f.type === 'ack').map((f) => f.seq), [50]);
  assert.deepEqual(double.received.filter((f) => f.type === 'read').map((f) => f.seq), [50]);
});
