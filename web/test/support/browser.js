import { existsSync } from 'node:fs';
import { chromium } from 'playwright-core';

const PLACES = [process.env.TIDINGS_CHROMIUM, '/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];
const FLAGS = [
  '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
  '--disable-component-update', '--disable-sync',
];

/** Where a Chromium is on this machine, if anywhere. */
export const chromiumPath = PLACES.find((path) => path && existsSync(path));

export function launch() {
  return chromium.launch({ executablePath: chromiumPath, headless: true, args: FLAGS });
}

/**
 * Opens the page as somebody new, in a window of their own.
 * @param {import('playwright-core').Browser} browser @param {string} url
 * @param {{ id: string, name?: string, context?: import('playwright-core').BrowserContext, options?: object }} person
 */
export async function join(browser, url, { id, name, context, options }) {
  const own = context ?? await browser.newContext({ viewport: { width: 1200, height: 800 }, ...options });
  const page = await own.newPage();
  page.setDefaultTimeout(15_000);
  page.faults = [];
  page.on('pageerror', (error) => page.faults.push(String(error)));
  page.on('console', (message) => {
    if (message.type() === 'error' && !/ERR_|WebSocket connection|Failed to load resource/.test(message.text())) page.faults.push(message.text());
  });
  page.on('request', (request) => {
    const target = new URL(request.url());
    if (target.protocol.startsWith('http') && target.origin !== new URL(url).origin) page.faults.push(`a request left the origin: ${request.url()}`);
  });
  await page.goto(url);
  await page.getByLabel('User name').fill(id);
  await page.getByLabel('Your name').fill(name ?? id);
  await page.getByLabel('Password').fill('a long password');
  await page.getByRole('button', { name: 'Create account' }).click();
  await page.getByText('Connected').waitFor();
  return page;
}

/** Starts a conversation from the list. @param {import('playwright-core').Page} page @param {{ who: string, title?: string }} with_ */
export async function begin(page, { who, title }) {
  await page.getByRole('button', { name: 'New conversation' }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByLabel('With whom').fill(who);
  if (title) await dialog.getByLabel('Title, for a group').fill(title);
  await dialog.getByRole('button', { name: /^Start talking|^Create the group/ }).click();
  await page.getByRole('textbox', { name: 'Message' }).or(page.getByRole('combobox', { name: 'Message' })).waitFor();
}

/** @param {import('playwright-core').Page} page @param {string} text */
export async function say(page, text) {
  const box = composer(page);
  await box.fill(text);
  await box.press('Enter');
}

/** @param {import('playwright-core').Page} page */
export const composer = (page) => page.locator('.composer-input');

/** @param {import('playwright-core').Page} page @param {string} text */
export const message = (page, text) => page.locator('.message', { hasText: text });

/**
 * Presses one of the buttons that a message shows under the mouse. A message that is still on its way has none and
 * changes when it arrives, so its number is waited for.
 * @param {import('playwright-core').Page} page @param {string} text @param {string} name
 */
export async function act(page, text, name) {
  const found = page.locator('.message:not([data-seq=""])', { hasText: text }).first();
  await found.waitFor();
  await page.mouse.move(0, 0);
  await found.hover();
  await found.getByRole('button', { name, exact: true }).click();
}

/** Opens a conversation of the list. @param {import('playwright-core').Page} page @param {string} title */
export const open = (page, title) => page.locator('.conversation-row', { hasText: title }).click();
