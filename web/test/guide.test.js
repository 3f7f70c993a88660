import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { cp, mkdtemp, mkdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
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
