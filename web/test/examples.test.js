import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { after, before, test } from 'node:test';
import { WebSocket } from 'ws';
import { Tidings } from '../client/index.js';
import { chromiumPath, launch } from './support/browser.js';
import { freePort, startServer } from './support/server.js';

const skip = process.env.TIDINGS_BIN ? false : 'TIDINGS_BIN names no tidings binary';
const run = promisify(execFile);
const examples = join(dirname(fileURLToPath(import.meta.url)), '../../examples');
const secret = randomBytes(32).toString('hex');
const key = randomBytes(32).toString('hex');
const LANGUAGES = {
  node: { command: process.execPath, token: 'node/token.mjs', send: 'node/send.mjs' },
  python: { command: 'python3', token: 'python/tidings_token.py', send: 'python/send.py' },
  php: { command: 'php', token: 'php/token.php', send: 'php/send.php' },
};
let server;

before(async () => {
  if (!skip) server = await startServer({ env: { TIDINGS__AUTH__HS256_SECRET: secret, TIDINGS__AUTH__SERVER_KEYS: key } });
});
after(() => server?.stop());

const isThere = (command) => run(command, ['--version']).then(() => true, () => false);

for (const [language, { command, token, send }] of Object.entries(LANGUAGES)) {
  test(`the ${language} examples: a token that lets one in, and a message from the backend`, { skip, timeout: 40_000 }, async (t) => {
    if (!(await isThere(command))) return t.skip(`${command} is not on this machine`);
    const env = { ...process.env, TIDINGS_SECRET: secret, TIDINGS_URL: server.url, TIDINGS_SERVER_KEY: key };
    const user = `${language}-user`;
    const program = async (file, ...args) => (await run(command, [join(examples, file), ...args], { env })).stdout.trim();
    const tidings = new Tidings({ url: server.url, token: () => program(token, user), WebSocket });
    const message = tidings.once('message');
    await tidings.connect();
    assert.equal(tidings.userId, user);
    const accepted = JSON.parse(await program(send, 'shop', user, 'Your parcel ✓ is on its way'));
    const { text, sender_id: sender, client_id: id } = await message;
    assert.deepEqual({ text, sender, id }, { text: 'Your parcel ✓ is on its way', sender: 'shop', id: accepted.client_id });
    await tidings.close();
    return undefined;
  });
}

test('the example application: two people sign in to it and talk', { skip: skip || (chromiumPath ? false : 'there is no Chromium here'), timeout: 60_000 }, async () => {
  const port = await freePort();
  const backend = spawn(process.execPath, [join(examples, 'node/backend.mjs')], {
    env: { ...process.env, TIDINGS_URL: server.url, TIDINGS_SECRET: secret, PORT: String(port) }, stdio: ['ignore', 'pipe', 'inherit'],
  });
  const browser = await launch();
  try {
    await new Promise((resolve) => backend.stdout.once('data', resolve));
    const enter = async (user) => {
      const page = await (await browser.newContext()).newPage();
      await page.goto(`http://127.0.0.1:${port}`);
      await page.getByLabel('I am').fill(user);
      await page.getByRole('button', { name: 'Sign in' }).click();
      await page.getByLabel('Text').waitFor();
      return page;
    };
    const ann = await enter('ann');
    const ben = await enter('ben');
    await ann.getByLabel('To').fill('ben');
    await ann.getByLabel('Text').fill('Hello <b>Ben</b>');
    await ann.getByRole('button', { name: 'Send' }).click();
    await ben.getByText('ann: Hello <b>Ben</b>').waitFor();
  } finally {
    await browser.close();
    backend.kill('SIGKILL');
  }
});
