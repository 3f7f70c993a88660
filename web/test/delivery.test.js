import assert from 'node:assert/strict';
import { test } from 'node:test';
import { WebSocket } from 'ws';
import { HttpApi, Tidings, memoryStorage } from '../client/index.js';
import { startRough, generator } from './support/rough-proxy.js';
import { skip, startServer } from './support/server.js';

const MESSAGES = Number(process.env.TIDINGS_MESSAGES ?? 10_000);
const CUTS = Number(process.env.TIDINGS_CUTS ?? 50);
const SEED = Number(process.env.TIDINGS_SEED ?? 1);
const CONVERSATIONS = 20;
/** Three senders, so that messages meet in one conversation and no sender reaches its rate. */
const SENDERS = ['ann', 'ben', 'cleo'].map((name) => `${name}-${process.pid}`);
const READER = `reader-${process.pid}`;

/** Without the limit on sends: what is tested here is not how fast a client may be. */
const FAST = {
  TIDINGS__GATEWAY__MESSAGES_PER_SECOND: '100000',
  TIDINGS__GATEWAY__MESSAGE_BURST: '100000',
  TIDINGS__GATEWAY__USER_MESSAGES_PER_SECOND: '100000',
};

async function account(url, user_id) {
  const http = new HttpApi({ url });
  return (await http.createAccount({ user_id, password: 'a long password' })).token;
}

function client(url, httpUrl, token, options = {}) {
  return new Tidings({
    url, token, WebSocket, reconnect: { baseMs: 50, maxMs: 500 },
    fetch: (input, init) => fetch(String(input).replace(url.replace('ws', 'http'), httpUrl), init),
    ...options,
  });
}

test(`${MESSAGES} messages over ${CUTS} cuts, delays, losses and doubles are each seen once and in order`, { skip, timeout: 600_000 }, async (t) => {
  const server = await startServer({ env: FAST });
  const proxy = await startRough(server.url.replace('http', 'ws'), { seed: SEED });
  const random = generator(SEED + 1);
  const all = [];
  const open = async (user, options) => {
    const tidings = client(proxy.url, server.url, await account(server.url, user), options);
    all.push(tidings);
    return tidings;
  };
  try {
    const storage = memoryStorage();
    const readerToken = await account(server.url, READER);
    let reader;
    /** Per conversation the seqs in the order in which the application was handed them; across lives of the reader. */
    const got = new Map();
    let seen = 0;
    const arrived = { wanted: Infinity, resolve: () => {} };
    const read = async () => {
      reader = client(proxy.url, server.url, readerToken, { storage, deviceId: 'reader-device' });
      all.push(reader);
      reader.on('message', (entry) => {
        if (!got.has(entry.conversation_id)) got.set(entry.conversation_id, []);
        got.get(entry.conversation_id).push(entry);
        if (entry.kind === 'text' && (seen += 1) >= arrived.wanted) arrived.resolve();
      });
      await reader.connect();
    };
    await read();
    const senders = await Promise.all(SENDERS.map((user) => open(user, { outbox: { limit: MESSAGES } })));
    await Promise.all(senders.map((sender) => sender.connect()));
    const groups = [];
    for (let i = 0; i < CONVERSATIONS; i += 1) {
      groups.push(await senders[i % senders.length].http.createGroup({ title: `group ${i}`, member_ids: [...SENDERS, READER] }));
    }

    const sent = [];
    const everything = new Promise((resolve) => {
      arrived.wanted = MESSAGES;
      arrived.resolve = resolve;
    });
    let accepted = 0;
    let cutsDone = 0;
    let restarted = false;
    for (let n = 0; n < MESSAGES; n += 1) {
      const sender = senders[Math.floor(random() * senders.length)];
      const group = groups[Math.floor(random() * groups.length)];
      sent.push(sender.send({ conversation_id: group.id, text: String(n) }).then(async (answer) => {
        accepted += 1;
        // The cuts are spread over the whole run, by what was accepted: there is always something under way.
        while (cutsDone < CUTS && accepted >= (cutsDone + 1) * (MESSAGES / (CUTS + 1))) {
          cutsDone += 1;
          proxy.cutOne();
        }
        if (!restarted && accepted >= MESSAGES / 2) {
          restarted = true;
          await reader.close();
          await read();
        }
        return answer;
      }));
    }
    const answers = await Promise.all(sent);
    proxy.beGentle();
    for (const sender of senders) await sender.send({ conversation_id: groups[0].id, text: 'the last' });
    for (const group of groups) await senders[0].send({ conversation_id: group.id, text: 'the end' });
    await everything;
    arrived.wanted = MESSAGES + SENDERS.length + groups.length;
    if (seen < arrived.wanted) await new Promise((resolve) => {
      arrived.resolve = resolve;
    });

    t.diagnostic(`seed ${SEED}: ${JSON.stringify({ ...proxy.counts, seen })}`);
    assert.equal(proxy.counts.cuts, CUTS);
    assert.equal(new Set(answers.map((answer) => answer.client_id)).size, MESSAGES);
    const texts = new Map();
    for (const [id, entries] of got) {
      const seqs = entries.map((entry) => entry.seq);
      assert.deepEqual(seqs, seqs.map((_, index) => seqs[0] + index), `the seqs of ${id} run without a hole or a repetition`);
      const last = new Map();
      for (const entry of entries.filter(({ kind, text }) => kind === 'text' && /^\d+$/.test(text))) {
        assert.ok(!texts.has(entry.text), `${entry.text} is there once`);
        texts.set(entry.text, entry);
        const n = Number(entry.text);
        assert.ok(n > (last.get(entry.sender_id) ?? -1), `what ${entry.sender_id} sent stays in order`);
        last.set(entry.sender_id, n);
      }
    }
    assert.equal(texts.size, MESSAGES);
  } finally {
    await Promise.all(all.map((tidings) => tidings.close()));
    await proxy.stop();
    await server.stop();
  }
});
