import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { act, begin, chromiumPath, composer, join, launch, message, open, say } from './support/browser.js';
import { startCuttable } from './support/proxy.js';
import { skip as noServer, startServer } from './support/server.js';

const skip = noServer || (chromiumPath ? false : 'there is no Chromium here');
const options = { skip, timeout: 90_000 };
const LONG_MS = 20_000;
let browser;
let server;
let proxy;
let people = 0;

before(async () => {
  if (skip) return;
  server = await startServer();
  proxy = await startCuttable(server.url);
  browser = await launch();
});

after(async () => {
  await browser?.close();
  await proxy?.stop();
  await server?.stop();
});

/** Names that are new in every test. */
const fresh = (name) => `${name}${(people += 1)}-${process.pid}`;

/** Two people who have a direct conversation open. */
async function two(url = server.url) {
  const [ann, ben] = [fresh('ann'), fresh('ben')];
  const a = await join(browser, url, { id: ann, name: 'Ann' });
  const b = await join(browser, server.url, { id: ben, name: 'Ben' });
  await begin(a, { who: ben });
  await open(b, 'Ann');
  await composer(b).waitFor();
  return { a, b, ann, ben };
}

const faultless = (...pages) => {
  for (const page of pages) assert.deepEqual(page.faults, []);
};

test('two windows of one browser are two people who talk', options, async () => {
  const context = await browser.newContext();
  const [ann, ben] = [fresh('ann'), fresh('ben')];
  const a = await join(browser, server.url, { id: ann, name: 'Ann', context });
  const b = await join(browser, server.url, { id: ben, name: 'Ben', context });
  await begin(a, { who: ben });
  await say(a, 'Hello Ben');
  await b.locator('.conversation-row .badge', { hasText: '1' }).waitFor();
  await open(b, 'Ann');
  await message(b, 'Hello Ben').waitFor();
  await message(a, 'Hello Ben').locator('.mark.read').waitFor();
  assert.equal(await b.locator('.badge').count(), 0);
  await composer(b).pressSequentially('Hello');
  await a.locator('.typing-line.on', { hasText: 'Ben is typing' }).waitFor();
  await composer(b).press('Enter');
  await message(a, 'Hello').last().waitFor();
  await a.reload();
  await open(a, 'Ben');
  await message(a, 'Hello Ben').waitFor();
  faultless(a, b);
  await context.close();
});

test('a window that loses its connection says so, catches up, and sends what was written meanwhile', options, async () => {
  const { a, b } = await two(proxy.url);
  await say(a, 'before');
  await message(b, 'before').waitFor();
  proxy.cut();
  await a.locator('.banner', { hasText: 'is kept and sent' }).waitFor();
  await say(a, 'written without a connection');
  await message(a, 'written without a connection').locator('.mark.sending').waitFor();
  for (let i = 1; i <= 30; i += 1) await say(b, `missed ${i} of 30`);
  await message(b, 'missed 30 of 30').locator('.mark.sent, .mark.delivered').waitFor();
  proxy.mend();
  await a.getByRole('button', { name: 'Try now' }).click();
  await message(a, 'missed 30 of 30').waitFor({ timeout: LONG_MS });
  await message(b, 'written without a connection').waitFor({ timeout: LONG_MS });
  const missed = await a.locator('.message .text', { hasText: /^missed/ }).allTextContents();
  assert.deepEqual(missed, Array.from({ length: 30 }, (_, i) => `missed ${i + 1} of 30`));
  await a.getByText('Connected').waitFor();
  assert.equal(await message(b, 'written without a connection').count(), 1);
  faultless(a, b);
});

test('a server that is killed and started again loses nothing that was accepted', options, async (t) => {
  if (!process.env.TIDINGS_BIN) return t.skip('the server is not ours to kill');
  const { a, b } = await two();
  await say(a, 'accepted before the crash');
  await message(a, 'accepted before the crash').locator('.mark:not(.sending)').waitFor();
  await server.restart();
  for (const page of [a, b]) {
    await page.evaluate(() => globalThis.dispatchEvent(new Event('online')));
    await page.getByText('Connected').waitFor({ timeout: 40_000 });
  }
  await say(b, 'still here');
  await message(a, 'still here').waitFor({ timeout: LONG_MS });
  assert.equal(await message(b, 'accepted before the crash').count(), 1);
  return undefined;
});

test('text with HTML in it stays text, wherever it is shown', options, async () => {
  const { a, b, ben } = await two();
  const evil = '<img src=x onerror="document.title=\'owned\'"><b>bold</b> &amp; <script>document.title="owned"</script> javascript:alert(1)';
  await say(a, evil);
  await message(b, '<b>bold</b>').waitFor();
  assert.equal(await message(b, '<b>bold</b>').locator('.text').textContent(), evil);
  await begin(a, { who: ben, title: '<i>title</i>' });
  await a.getByRole('heading', { name: '<i>title</i>', level: 2 }).waitFor();
  await say(a, `${evil} again`);
  await act(a, 'again', 'Behind the scenes');
  await a.locator('.trace-text', { hasText: '<b>bold</b>' }).waitFor();
  for (const page of [a, b]) {
    assert.equal(await page.locator('.app img, .app b, .app i, .app script').count(), 0);
    assert.ok(!(await page.title()).includes('owned'));
  }
  faultless(a, b);
});

test('a message can be edited, answered, reacted to and deleted, and all see it', options, async () => {
  const { a, b } = await two();
  await say(a, 'a frist text');
  await message(b, 'frist').waitFor();
  await composer(a).press('ArrowUp');
  await composer(a).fill('a first text');
  await composer(a).press('Enter');
  await message(b, 'a first text').getByText('edited').waitFor();
  await act(b, 'a first text', 'React');
  await b.getByRole('button', { name: 'React with 🎉' }).click();
  await message(a, 'a first text').locator('.reaction', { hasText: '🎉' }).waitFor();
  await message(b, 'a first text').locator('.reaction').click();
  await a.waitForFunction(() => document.querySelectorAll('.reaction').length === 0);
  await act(b, 'a first text', 'Reply');
  await say(b, 'an answer');
  await message(a, 'an answer').locator('.quote', { hasText: 'a first text' }).waitFor();
  await act(a, 'a first text', 'Delete');
  await a.getByRole('dialog').getByRole('button', { name: 'Delete' }).click();
  await message(b, 'Message deleted').first().waitFor();
  faultless(a, b);
});

test('a group has members who come, go and are mentioned', options, async () => {
  const { a, b, ben } = await two();
  const cleo = fresh('cleo');
  const c = await join(browser, server.url, { id: cleo, name: 'Cleo' });
  await begin(a, { who: `${ben}, ${cleo}`, title: 'Three of us' });
  await composer(a).pressSequentially('Look, @Cle');
  await a.getByRole('option', { name: /Cleo/ }).waitFor();
  await composer(a).press('Enter');
  await composer(a).pressSequentially('is here');
  await composer(a).press('Enter');
  await c.locator('.badge.addressed').waitFor();
  await open(c, 'Three of us');
  await c.locator('.mention.me', { hasText: '@Cleo' }).waitFor();
  await a.getByRole('button', { name: 'Members' }).click();
  await a.getByLabel('Title', { exact: true }).fill('Two of us');
  await a.getByRole('button', { name: 'Rename' }).click();
  await b.locator('.conversation-row', { hasText: 'Two of us' }).waitFor();
  await a.getByRole('button', { name: 'Remove Cleo' }).click();
  await c.locator('.conversation-row', { hasText: 'us' }).waitFor({ state: 'detached' });
  await a.getByLabel('Add by user name').fill(cleo);
  await a.getByRole('button', { name: 'Add', exact: true }).click();
  await c.locator('.conversation-row', { hasText: 'Two of us' }).waitFor();
  await a.locator('.line', { hasText: 'You added Cleo' }).waitFor();
  faultless(a, b, c);
});

test('older messages come when one scrolls up, and what is loaded can be searched', options, async () => {
  const { a, b } = await two();
  for (let i = 1; i <= 90; i += 1) await say(a, `number ${i}.`);
  await message(b, 'number 90.').waitFor({ timeout: LONG_MS });
  await b.reload();
  await open(b, 'Ann');
  await message(b, 'number 90.').waitFor();
  assert.ok(await b.locator('.message').count() < 90);
  const scroll = b.locator('.timeline-scroll');
  const end = Date.now() + LONG_MS;
  while (await b.locator('.message').count() < 90) {
    assert.ok(Date.now() < end, 'scrolling up brings all of them');
    await scroll.evaluate((element) => element.scrollTo(0, 0));
  }
  await scroll.evaluate((element) => element.scrollTo(0, element.scrollHeight));
  await b.getByRole('button', { name: 'Search in this conversation' }).click();
  await b.getByRole('searchbox', { name: 'Search in this conversation' }).fill('number 2.');
  await b.locator('.search-bar', { hasText: '1 of 1' }).waitFor();
  await b.locator('mark', { hasText: 'number 2.' }).waitFor();
  assert.ok(await message(b, 'number 2.').isVisible());
  faultless(a, b);
});

test('behind the scenes shows the journey of a message with times', options, async () => {
  const { a, b } = await two();
  await say(a, 'followed');
  await message(b, 'followed').waitFor();
  await message(a, 'followed').locator('.mark.read').waitFor();
  await act(a, 'followed', 'Behind the scenes');
  const steps = a.locator('.steps-list li.done .step-title');
  await a.locator('.steps-list', { hasText: 'Ben has seen it' }).waitFor();
  const words = await steps.allTextContents();
  assert.match(words.join(' '), /Sent.*0 ms.*Accepted.*\+\d+ ms.*Stored and fanned out.*\+\d+ ms.*Acknowledged.*\+\d+ ms.*Read.*\+\d+ ms/);
  const frames = await a.locator('.panel .frame-row code').allTextContents();
  for (const type of ['send', 'accepted', 'message', 'receipt']) assert.ok(frames.includes(type), `${type} is among ${frames}`);
  assert.ok(!(await a.locator('.panel').textContent()).includes('eyJ'), 'no token is shown');
  faultless(a, b);
});

test('everything can be done with the keyboard', options, async () => {
  const { a, b } = await two();
  await say(b, 'reach me');
  await message(a, 'reach me').waitFor();
  await composer(a).focus();
  await a.keyboard.press('Shift+Tab');
  await a.waitForFunction(() => document.activeElement.classList.contains('message'));
  await a.keyboard.press('Enter');
  await a.keyboard.press('Enter');
  await a.waitForFunction(() => document.activeElement.closest('.palette'));
  await a.keyboard.press('Enter');
  await message(b, 'reach me').locator('.reaction').waitFor();
  faultless(a, b);
});

test('a session that ended asks to sign in again, and a wrong password is said', options, async () => {
  const { a, ann } = await two();
  await a.getByRole('button', { name: 'Sign out' }).click();
  await a.getByRole('button', { name: 'Sign in', exact: true }).first().click();
  await a.getByLabel('User name').fill(ann);
  await a.getByLabel('Password').fill('not the password');
  await a.locator('form').getByRole('button', { name: 'Sign in' }).click();
  await a.getByText('The user name or the password is wrong.').waitFor();
  await a.getByLabel('Password').fill('a long password');
  await a.locator('form').getByRole('button', { name: 'Sign in' }).click();
  await a.getByText('Connected').waitFor();
});
