import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { cp, mkdtemp, mkdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { after, before, test } from 'node:test';
import { skip, startServer } from './support/server.js';

const run = promisify(execFile);
const here = dirname(fileURLToPath(import.meta.url));
const options = { skip, timeout: 60_000 };
let server;
let folder;
let guide;

before(async () => {
  if (skip) return;
  server = await startServer();
  folder = await mkdtemp(join(tmpdir(), 'tidings-guide-'));
  guide = (await readFile(join(here, '../../docs/getting-started.md'), 'utf8')).replaceAll('http://127.0.0.1:8080', server.url);
});

after(async () => {
  await server?.stop();
  if (folder) await rm(folder, { recursive: true, force: true });
});

/** The blocks of code below a comment `<!-- what -->`. */
const blocks = (what) => [...guide.matchAll(new RegExp(`<!-- ${what} -->\\n\`\`\`\\w+\\n([\\s\\S]*?)\`\`\``, 'g'))].map((match) => match[1]);

test('the commands of the guide do what it says, typed in as they stand there', options, async () => {
  const script = blocks('run').join('\necho\n');
  const { stdout } = await run('bash', ['-euo', 'pipefail', '-c', script]);
  const answers = stdout.split('\n').filter((line) => line.startsWith('{')).map((line) => JSON.parse(line));
  const [first, again, history] = answers;
  assert.equal(first.client_id, '5f0c3a52-6a0e-4f4e-9d57-0e8f0f3b7c11');
  assert.deepEqual(again, first);
  assert.deepEqual(history.messages.map((message) => message.text), ['Hello from curl']);
});

test('what the guide does with websocat, where that is on the machine', options, async (t) => {
  if (!(await run('websocat', ['--version']).catch(() => undefined))) return t.skip('websocat is not on this machine');
  const [command] = blocks('websocat');
  const ada = await account(`ada-${process.pid}`);
  const ben = await account(`ben-${process.pid}`);
  const child = spawn('bash', ['-c', command.replace('ws://127.0.0.1:8080', server.url.replace('http', 'ws'))], {
    env: { ...process.env, BEN: ben }, stdio: ['pipe', 'pipe', 'inherit'],
  });
  try {
    const frames = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    // One's own message and its `accepted` come in any order.
    const pending = [];
    const until = async (type) => {
      for (;;) {
        const place = pending.findIndex((frame) => frame.type === type);
        if (place >= 0) return pending.splice(place, 1)[0];
        const { value, done } = await frames.next();
        assert.ok(!done, `websocat ended before ${type}`);
        pending.push(JSON.parse(value));
      }
    };
    child.stdin.write('{"type":"hello"}\n');
    await until('sync');
    await fetch(`${server.url}/v1/messages`, {
      method: 'POST', headers: { authorization: `Bearer ${ada}`, 'content-type': 'application/json' },
      body: JSON.stringify({ to: `ben-${process.pid}`, text: 'Hello from curl', client_id: randomUUID() }),
    });
    assert.equal((await until('message')).text, 'Hello from curl');
    const frame = blocks('frame')[0].replace('"ada"', `"ada-${process.pid}"`);
    child.stdin.write(`${frame.trim()}\n`);
    assert.equal((await until('accepted')).client_id, JSON.parse(frame).client_id);
    assert.equal((await until('message')).text, 'Hello from websocat');
  } finally {
    child.kill();
  }
  return undefined;
});

async function account(user_id) {
  const answer = await fetch(`${server.url}/v1/accounts`, {
    method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ user_id, password: 'a long password' }),
  });
  return (await answer.json()).token;
}

test('the application of the guide lets two people talk in two terminals, over a restart of the server', options, async (t) => {
  if (!process.env.TIDINGS_BIN) return t.skip('the server is not ours to stop');
  await mkdir(join(folder, 'node_modules'));
  await cp(join(here, '../client'), join(folder, 'node_modules/tidings-client'), { recursive: true });
  await symlink(join(here, 'node_modules/ws'), join(folder, 'node_modules/ws'));
  await writeFile(join(folder, 'talk.mjs'), blocks('file: talk.mjs')[0]);
  const cleo = terminal('cleo', 'dan');
  const dan = terminal('dan', 'cleo');
  try {
    await Promise.all([cleo.reads('(online)'), dan.reads('(online)')]);
    cleo.types('Hello Dan');
    await dan.reads('cleo: Hello Dan');
    await server.restart();
    dan.types('typed while the server was away or back');
    await cleo.reads('dan: typed while the server was away or back');
  } finally {
    cleo.end();
    dan.end();
  }
  return undefined;
});

/** One terminal in which the guide's application runs. */
function terminal(me, other) {
  const child = spawn(process.execPath, ['talk.mjs', me, other], { cwd: folder, stdio: 'pipe' });
  let text = '';
  let wake = () => {};
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk) => {
      text += chunk;
      wake();
    });
  }
  return {
    types: (line) => child.stdin.write(`${line}\n`),
    end: () => child.kill('SIGKILL'),
    async reads(wanted) {
      const timer = setTimeout(() => wake(new Error(`${me} never read ${wanted}, but: ${text}`)), 40_000);
      try {
        while (!text.includes(wanted)) {
          const error = await new Promise((resolve) => {
            wake = resolve;
          });
          if (error) throw error;
        }
      } finally {
        clearTimeout(timer);
      }
    },
  };
}
