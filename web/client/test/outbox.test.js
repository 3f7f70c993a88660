import assert from 'node:assert/strict';
import { afterEach, test } from 'node:test';
import { Double } from './double.js';
import { Clients, seen, until, upTo } from './support.js';

const clients = new Clients();
afterEach(() => clients.close());

const texts = (double) => double.conversations.get('c').entries.map((entry) => entry.text);
const sends = (double) => double.received.filter((frame) => frame.type === 'send');

async function pair() {
  const double = new Double();
  double.conversation('c', ['ann', 'bob']);
  const ann = clients.make(double, 'ann');
  await ann.connect();
  return { double, ann };
}

test('what is sent while there is no connection goes out in order when there is one', async () => {
  const { double, ann } = await pair();
  double.refuseConnections = true;
  double.cut();
  const all = upTo(20).map((n) => ann.send({ conversation_id: 'c', text: String(n) }));
  assert.equal(ann.pending, 20);
  double.refuseConnections = false;
  await Promise.all(all);
  assert.deepEqual(texts(double), upTo(20).map(String));
  assert.equal(ann.pending, 0);
});

test('a send whose answer was lost goes again with the same client_id and is there once', async () => {
  const { double, ann } = await pair();
  let lost = false;
  double.intercept = (frame, socket) => {
    if (frame.type !== 'send' || lost) return false;
    lost = true;
    double.takeSend({ user: socket.user, give: () => {} }, frame);
    double.cut();
    return true;
  };
  const { client_id: id } = await ann.send({ conversation_id: 'c', text: 'once' });
  assert.deepEqual(sends(double).map((frame) => frame.client_id), [id, id]);
  assert.deepEqual(texts(double), ['once']);
  await seen(ann, 1);
});

test('a refusal for a moment neither loses a message nor changes the order', async () => {
  const { double, ann } = await pair();
  let n = 0;
  double.intercept = (frame, socket) => {
    if (frame.type !== 'send' || (n += 1) % 3 !== 0) return false;
    socket.give({ type: 'error', code: n % 2 ? 'unavailable' : 'rate_limited', client_id: frame.client_id, retry_after_ms: 2 });
    return true;
  };
  await Promise.all(upTo(12).map((k) => ann.send({ conversation_id: 'c', text: String(k) })));
  assert.deepEqual(texts(double), upTo(12).map(String));
});

test('a refusal for good rejects that message and lets the next ones pass', async () => {
  const { double, ann } = await pair();
  double.intercept = (frame, socket) => {
    if (frame.text !== 'bad') return false;
    socket.give({ type: 'error', code: 'forbidden', message: 'no', client_id: frame.client_id });
    return true;
  };
  const bad = ann.send({ conversation_id: 'c', text: 'bad' });
  const good = ann.send({ conversation_id: 'c', text: 'good' });
  await assert.rejects(bad, { name: 'TidingsError', code: 'forbidden', message: 'no' });
  await good;
  assert.deepEqual(texts(double), ['good']);
});

test('a message to a user and one to the conversation it opened keep their order', async () => {
  const double = new Double();
  const ann = clients.make(double, 'ann');
  await ann.connect();
  const { conversation_id: id } = await ann.send({ to: 'bob', text: '1' });
  double.intercept = (frame) => frame.type === 'send';
  const toUser = ann.send({ to: 'bob', text: '2' });
  const toConversation = ann.send({ conversation_id: id, text: '3' });
  await until(() => sends(double).length === 2);
  assert.deepEqual(sends(double).map((frame) => frame.text), ['1', '2']);
  double.intercept = () => false;
  double.cut();
  await Promise.all([toUser, toConversation]);
  assert.deepEqual(double.conversations.get(id).entries.map((entry) => entry.text), ['1', '2', '3']);
});

test('a message that had been accepted and was refused later is reported', async () => {
  const { double, ann } = await pair();
  const { client_id: id } = await ann.send({ conversation_id: 'c', text: 'late' });
  const failed = ann.once('failed');
  for (const socket of double.sockets) socket.give({ type: 'error', code: 'forbidden', client_id: id });
  const error = await failed;
  assert.equal(error.clientId, id);
  assert.equal(error.code, 'forbidden');
});

test('a message longer than the server reads is refused here, not by a closed socket', async () => {
  const { double, ann } = await pair();
  await assert.rejects(ann.send({ conversation_id: 'c', text: 'ü'.repeat(40_000) }), { code: 'too_large' });
  assert.equal(sends(double).length, 0);
  assert.equal(ann.state, 'online');
});

test('the outbox has a limit, and what waits can be given up', async () => {
  const double = new Double();
  double.conversation('c', ['ann']);
  const ann = clients.make(double, 'ann', { outbox: { limit: 2 } });
  const giveUp = new AbortController();
  const first = ann.send({ conversation_id: 'c', text: '1' }, { signal: giveUp.signal });
  const second = ann.send({ conversation_id: 'c', text: '2' });
  await assert.rejects(ann.send({ conversation_id: 'c', text: '3' }), { code: 'outbox_full' });
  giveUp.abort();
  await assert.rejects(first, { code: 'aborted' });
  await ann.connect();
  await second;
  assert.deepEqual(texts(double), ['2']);
});

test('closing rejects what was not accepted', async () => {
  const { double, ann } = await pair();
  double.intercept = (frame) => frame.type === 'send';
  const waiting = ann.send({ conversation_id: 'c', text: 'x' });
  const refused = assert.rejects(waiting, { code: 'closed' });
  await ann.close();
  await refused;
  await assert.rejects(ann.send({ conversation_id: 'c', text: 'y' }), { code: 'closed' });
});
