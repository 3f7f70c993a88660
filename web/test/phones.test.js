import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { act, begin, chromiumPath, composer, join, launch, message, open, say } from './support/browser.js';
import { skip as noServer, startServer } from './support/server.js';

const skip = noServer || (chromiumPath ? false : 'there is no Chromium here');
const options = { skip, timeout: 90_000 };
let browser;
let server;
let people = 0;

before(async () => {
  if (skip) return;
  server = await startServer();
  browser = await launch();
});

after(async () => {
  await browser?.close();
  await server?.stop();
});

const fresh = (name) => `${name}${(people += 1)}-${process.pid}`;

/** Ann has Ben's phone before her, Ben has the conversation open. */
async function two() {
  const [ann, ben] = [fresh('ann'), fresh('ben')];
  const a = await join(browser, server.url, { id: ann, name: 'Ann' });
  const b = await join(browser, server.url, { id: ben, name: 'Ben' });
  await begin(a, { who: ben });
  await open(b, 'Ann');
  await composer(b).waitFor();
  await a.getByRole('button', { name: 'Phones' }).click();
  const phone = a.locator(`.phone-of[data-user="${ben}"]`);
  await phone.waitFor();
  return { a, b, ann, ben, phone };
}

test('a window is closed, and its phone rings in the other', options, async () => {
  const { a, b, phone } = await two();
  await say(a, 'read at once');
  await message(b, 'read at once').waitFor();
  await b.close();
  await phone.getByText('No page is open').waitFor();
  await say(a, 'into the pocket');
  await phone.locator('.alert-body', { hasText: 'into the pocket' }).waitFor();
  assert.deepEqual(await phone.locator('.alert-body').allTextContents(), ['into the pocket']);
  assert.deepEqual(a.faults, []);
});

test('a locked window hears nothing but the push, and a press on that unlocks and opens the conversation', options, async () => {
  const { a, b, phone } = await two();
  await b.getByRole('button', { name: /^Lock this window/ }).click();
  const lock = b.getByRole('dialog', { name: 'Locked' });
  await lock.waitFor();
  await phone.getByText('No page is open').waitFor();
  await say(a, 'are you there?');
  await lock.locator('.alert-body', { hasText: 'are you there?' }).waitFor();
  await lock.locator('.phone-badge', { hasText: '1' }).waitFor();
  assert.equal(await message(b, 'are you there?').count(), 0, 'the socket is closed');
  await lock.getByRole('button', { name: /are you there/ }).click();
  await message(b, 'are you there?').waitFor();
  assert.equal(await lock.count(), 0);
  await message(a, 'are you there?').locator('.mark.read').waitFor();
  await phone.getByText('Nothing on the screen').waitFor();
  assert.deepEqual([...a.faults, ...b.faults], []);
});

test('a test push rings the phone at once, and the panel says what the provider answered', options, async () => {
  const { a, ann } = await two();
  const own = a.locator(`.phone-of[data-user="${ann}"]`);
  await own.getByRole('button', { name: 'Send a test push' }).click();
  await own.getByText('apns says: delivered, status 200.').waitFor();
  await own.locator('.alert').waitFor();
  assert.deepEqual(a.faults, []);
});

test('behind the scenes: when it was stored and fanned out, and that the phone rang', options, async () => {
  const { a, b, phone } = await two();
  await b.close();
  await phone.getByText('No page is open').waitFor();
  await say(a, 'follow me');
  await phone.locator('.alert-body', { hasText: 'follow me' }).waitFor();
  await act(a, 'follow me', 'Behind the scenes');
  await a.locator('.pushed li', { hasText: 'Ben’s phone' }).filter({ hasText: 'It rang: apns took it' }).waitFor();
  const labels = await a.locator('.span-label').allTextContents();
  for (const label of ['Accepted', 'Stored', 'Fanned out', 'Pushed']) assert.ok(labels.includes(label), `${label} in ${labels}`);
  assert.deepEqual(a.faults, []);
});

test('the escape key unlocks, and what was missed is there', options, async () => {
  const { a, b } = await two();
  await b.getByRole('button', { name: /^Lock this window/ }).click();
  await b.getByRole('dialog', { name: 'Locked' }).waitFor();
  await say(a, 'while it was locked');
  await message(a, 'while it was locked').locator('.mark:not(.sending)').waitFor();
  await b.keyboard.press('Escape');
  await message(b, 'while it was locked').waitFor();
  await b.getByText('Connected').waitFor();
});

/** A page with the service worker, and a way to hand that a push. */
async function withServiceWorker() {
  const context = await browser.newContext();
  await context.grantPermissions(['notifications'], { origin: server.url });
  const page = await join(browser, server.url, { id: fresh('web'), name: 'Web', context });
  const devtools = await context.newCDPSession(page);
  const registered = new Promise((resolve) => {
    devtools.on('ServiceWorker.workerRegistrationUpdated', ({ registrations: [first] }) => first && resolve(first.registrationId));
  });
  await devtools.send('ServiceWorker.enable');
  await page.evaluate(() => navigator.serviceWorker.register('/sw.js').then(() => navigator.serviceWorker.ready).then(() => true));
  const registrationId = await registered;
  return {
    page, context,
    push: (data) => devtools.send('ServiceWorker.deliverPushMessage', { origin: server.url, registrationId, data: JSON.stringify(data) }),
    shown: () => page.evaluate(async () => {
      const registration = await navigator.serviceWorker.getRegistration('/');
      return (await registration.getNotifications()).map(({ title, body, tag }) => ({ title, body, tag }));
    }),
  };
}

/** Asks again until it is so. */
async function eventually(read, wanted) {
  const end = Date.now() + 10_000;
  for (;;) {
    const value = await read();
    if (JSON.stringify(value) === JSON.stringify(wanted)) return;
    if (Date.now() > end) assert.deepEqual(value, wanted);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

test('the service worker shows a push, replaces it by its tag, and closes it when it was read elsewhere', options, async () => {
  const { push, shown, context } = await withServiceWorker();
  const data = (seq) => ({ type: 'message', conversation_id: 'c', seq });
  await push({ notification: { title: 'Ann', body: 'lunch?', tag: 'one' }, badge: 1, data: data(1) });
  await eventually(shown, [{ title: 'Ann', body: 'lunch?', tag: 'one' }]);
  await push({ notification: { title: 'Ann', body: '2 new messages', tag: 'one' }, badge: 2, data: data(2) });
  await eventually(shown, [{ title: 'Ann', body: '2 new messages', tag: 'one' }]);
  await push({ notification: { title: 'Eve', body: 'later', tag: 'two' }, badge: 3, data: data(9) });
  await eventually(async () => (await shown()).length, 2);
  await push({ badge: 1, data: { type: 'clear', conversation_id: 'c', seq: 5 } });
  await eventually(shown, [{ title: 'Eve', body: 'later', tag: 'two' }]);
  await context.close();
});

test('a press on a notification opens its conversation in the window that knows it', options, async () => {
  const { page, push, shown, context } = await withServiceWorker();
  const peer = fresh('peer');
  const other = await join(browser, server.url, { id: peer, name: 'Peer' });
  await begin(page, { who: peer });
  await say(page, 'hello');
  await message(page, 'hello').locator('.mark:not(.sending)').waitFor();
  const id = await page.evaluate(() => decodeURIComponent(location.hash.slice(1)));
  await page.goBack();
  await page.locator('.welcome').waitFor();
  await push({ notification: { title: 'Peer', body: 'hi', tag: 'x' }, data: { type: 'message', conversation_id: id, seq: 2 } });
  await eventually(async () => (await shown()).length, 1);
  const worker = context.serviceWorkers()[0] ?? await context.waitForEvent('serviceworker');
  await worker.evaluate(async () => {
    const [notification] = await self.registration.getNotifications();
    self.dispatchEvent(new NotificationEvent('notificationclick', { notification }));
  });
  await page.getByRole('heading', { name: 'Peer', level: 2 }).waitFor();
  await eventually(shown, []);
  assert.deepEqual(page.faults, []);
  await other.close();
  await context.close();
});

test('a browser that cannot reach its push service gets a stand-in, whose phone rings', options, async () => {
  const context = await browser.newContext();
  await context.grantPermissions(['notifications'], { origin: server.url });
  const [ann, ben] = [fresh('ann'), fresh('ben')];
  const a = await join(browser, server.url, { id: ann, name: 'Ann' });
  const b = await join(browser, server.url, { id: ben, name: 'Ben', context });
  await begin(a, { who: ben });
  await open(b, 'Ann');
  await b.getByRole('button', { name: 'Phones' }).click();
  await b.getByRole('button', { name: 'Switch on' }).click();
  await b.getByText('A stand-in above shows').waitFor({ timeout: 20_000 });
  await b.getByRole('heading', { name: 'Your browser' }).waitFor();
  await a.getByRole('button', { name: 'Phones' }).click();
  await b.close();
  const stranded = a.locator(`.phone-of[data-user="${ben}"][data-device^="browser-"]`);
  await stranded.getByText('No page is open').waitFor();
  await say(a, 'to the browser too');
  await stranded.locator('.alert-body', { hasText: 'to the browser too' }).waitFor();
  await context.close();
});

test('with a real key there are no fake phones, and a browser that cannot subscribe says so', options, async (t) => {
  if (!process.env.TIDINGS_BIN) return t.skip('the server is not ours to configure');
  // The private key of the example in RFC 8291.
  const real = await startServer({ env: {
    TIDINGS__WEBPUSH__VAPID_PRIVATE_KEY: 'yfWPiYE-n46HLnH0KqZOF1fJJU3MYrct3AELtAQ-oRw', TIDINGS__WEBPUSH__SUBJECT: 'mailto:push@example.org',
  } });
  const context = await browser.newContext();
  try {
    await context.grantPermissions(['notifications'], { origin: real.url });
    const page = await join(browser, real.url, { id: fresh('web'), name: 'Web', context });
    const peer = fresh('peer');
    await (await join(browser, real.url, { id: peer, name: 'Peer' })).close();
    await begin(page, { who: peer });
    await page.getByRole('button', { name: 'Notifications' }).click();
    assert.equal(await page.locator('.phone').count(), 0);
    assert.equal(await page.getByRole('button', { name: /^Lock this window/ }).count(), 0);
    await page.getByRole('button', { name: 'Switch on' }).click();
    await page.getByText('This browser cannot reach its push service.').waitFor({ timeout: 20_000 });
  } finally {
    await context.close();
    await real.stop();
  }
  return undefined;
});
