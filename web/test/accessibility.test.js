import assert from 'node:assert/strict';
import { mkdir } from 'node:fs/promises';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join as path } from 'node:path';
import { after, before, test } from 'node:test';
import { act, begin, chromiumPath, composer, join, launch, message, open, say } from './support/browser.js';
import { skip as noServer, startServer } from './support/server.js';

const skip = noServer || (chromiumPath ? false : 'there is no Chromium here');
const WIDTHS = [[1360, 860], [900, 760], [390, 800]];
const folder = process.env.TIDINGS_SCREENSHOTS ?? path(tmpdir(), 'tidings-screenshots');
const axe = createRequire(import.meta.url).resolve('axe-core/axe.min.js');
let browser;
let server;

before(async () => {
  if (skip) return;
  await mkdir(folder, { recursive: true });
  server = await startServer();
  browser = await launch();
});

after(async () => {
  await browser?.close();
  await server?.stop();
});

/** What axe calls serious or worse. @param {import('playwright-core').Page} page */
async function faults(page) {
  // The policy of the page forbids inline scripts; evaluating through the debugger is not one.
  await page.evaluate(await readFile(axe, 'utf8'));
  const { violations } = await page.evaluate(() => globalThis.axe.run(document));
  return violations.filter(({ impact }) => impact === 'serious' || impact === 'critical')
    .map(({ id, nodes }) => `${id}: ${nodes.map((node) => `${node.html.slice(0, 120)} ${node.failureSummary}`).join(' | ')}`);
}

test('axe finds no serious fault in any view, light and dark, at three widths', { skip, timeout: 240_000 }, async (t) => {
  const tag = process.pid;
  const first = await (await browser.newContext()).newPage();
  await first.goto(server.url);
  await first.getByLabel('User name').waitFor();
  const ann = await join(browser, server.url, { id: `ann-${tag}`, name: 'Ann Winter' });
  const ben = await join(browser, server.url, { id: `ben-${tag}`, name: 'Ben Okafor' });
  const empty = await join(browser, server.url, { id: `nobody-${tag}`, name: 'New Here' });
  await begin(ben, { who: `ann-${tag}` });
  await say(ben, 'Morning! Are we still on for the mountain on Saturday?');
  await open(ann, 'Ben Okafor');
  await say(ann, 'Absolutely. The ridge, or the lake?');
  await act(ben, 'Absolutely', 'Reply');
  await say(ben, 'The ridge!');
  await act(ann, 'The ridge!', 'React');
  await ann.getByRole('button', { name: 'React with 🎉' }).click();
  await ann.locator('.reaction').waitFor();
  const dialog = await join(browser, server.url, { id: `dialog-${tag}`, name: 'Dialog' });
  await dialog.getByRole('button', { name: 'New conversation' }).click();
  const group = await join(browser, server.url, { id: `group-${tag}`, name: 'Group Owner' });
  await begin(group, { who: `ann-${tag}, ben-${tag}`, title: 'Saturday' });
  await say(group, 'Hello both, @Ann Winter first');
  await group.getByRole('button', { name: 'Members' }).click();
  await group.getByRole('button', { name: 'Remove Ben Okafor' }).waitFor();
  const trace = await join(browser, server.url, { id: `trace-${tag}`, name: 'Trace' });
  await begin(trace, { who: `ann-${tag}` });
  await say(trace, 'How does it get there?');
  await act(trace, 'How does it', 'Behind the scenes');
  await trace.locator('.steps-list').waitFor();
  await composer(trace).focus();

  const phones = await join(browser, server.url, { id: `phones-${tag}`, name: 'Phones' });
  await begin(phones, { who: `ann-${tag}` });
  await phones.getByRole('button', { name: 'Phones' }).click();
  await phones.locator(`.phone-of[data-user="ann-${tag}"]`).waitFor();
  const locked = await join(browser, server.url, { id: `locked-${tag}`, name: 'Locked' });
  await locked.getByRole('button', { name: /^Lock this window/ }).click();
  await locked.getByRole('dialog', { name: 'Locked' }).waitFor();
  const writer = await join(browser, server.url, { id: `writer-${tag}`, name: 'Writer' });
  await begin(writer, { who: `locked-${tag}` });
  await say(writer, 'Hello to whoever is away');
  await locked.locator('.alert').waitFor();

  const views = { 'sign-in': first, empty, conversation: ann, dialog, members: group, trace, phones, locked };
  const found = [];
  for (const [name, page] of Object.entries(views)) {
    for (const colorScheme of ['light', 'dark']) {
      await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
      for (const [width, height] of WIDTHS) {
        await page.setViewportSize({ width, height });
        await page.screenshot({ path: path(folder, `${name}-${width}-${colorScheme}.png`) });
        for (const fault of await faults(page)) found.push(`${name} ${width} ${colorScheme}: ${fault}`);
        assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), `${name} fits ${width} pixels`);
      }
    }
  }
  t.diagnostic(`screenshots are in ${folder}`);
  assert.deepEqual(found, []);
});
