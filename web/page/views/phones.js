import { fill, h } from '../dom.js';
import { iconButton } from './parts.js';
import { phoneView } from './phone.js';

/** Phones that one panel shows. */
const MAX_SHOWN = 6;

/**
 * What would ring: the phones of a conversation's members, mine last, and the notifications of this browser.
 * @param {import('../model/chat.js').Chat} chat
 * @param {import('../model/conversation.js').Conversation} conversation
 * @param {{ onClose: () => void, onLock: () => void }} options
 */
export function phonesPanel(chat, conversation, { onClose, onLock }) {
  const list = h('div', { class: 'phones' });
  const body = h('div', { class: 'panel-body', tabindex: 0, role: 'group', 'aria-label': 'Phones' });
  /** @type {Map<string, { node: Element, update: (phone: any) => void, close: () => void }>} by user and device */
  const shown = new Map();
  const browser = browserSwitch(chat);

  function draw(phones) {
    const rest = phones.filter((phone) => phone.user_id !== chat.meId);
    const wanted = [...rest, ...phones.filter((phone) => phone.user_id === chat.meId)].slice(-MAX_SHOWN);
    const keys = wanted.map((phone) => `${phone.user_id} ${phone.device_id}`);
    for (const [key, one] of shown) {
      if (keys.includes(key)) continue;
      one.close();
      one.node.remove();
      shown.delete(key);
    }
    wanted.forEach((phone, index) => {
      const key = keys[index];
      if (!shown.has(key)) shown.set(key, onePhone(chat, phone, { onLock }));
      const one = shown.get(key);
      one.update(phone);
      if (list.children[index] !== one.node) list.insertBefore(one.node, list.children[index] ?? null);
    });
  }

  fill(body,
    chat.phones.available ? [
      h('p', { class: 'muted' }, 'A phone rings for what no open page of its owner has acknowledged. Close a window or lock it, write to it from here, and watch.'),
      list,
    ] : null,
    browser?.node);
  const stop = chat.phones.available ? chat.phones.follow(conversation.id, draw) : () => {};
  const node = h('div', { class: 'panel-inner' },
    h('header', { class: 'panel-head' }, h('h2', {}, chat.phones.available ? 'Phones' : 'Notifications'), iconButton('Close', 'close', onClose)), body);
  return {
    node,
    close() {
      stop();
      for (const one of shown.values()) one.close();
    },
  };
}

function onePhone(chat, { user_id: userId, device_id: deviceId, platform }, { onLock }) {
  const mine = userId === chat.meId;
  const owner = mine ? 'Your' : `${chat.people.name(userId)}’s`;
  const label = `${owner} ${platform === 'webpush' ? 'browser' : 'phone'}`;
  const view = phoneView({ label });
  const state = h('p', { class: 'muted small', role: 'status' });
  const node = h('div', { class: 'phone-of', data: { user: userId, device: deviceId } },
    h('h3', {}, label), view.node, state,
    mine ? h('div', { class: 'phone-actions' },
      platform === 'webpush' ? null : h('button', { type: 'button', class: 'button', on: { click: onLock } }, 'Lock this window'),
      h('button', { type: 'button', class: 'button', on: { click: tryOut } }, 'Send a test push')) : null);
  /** The provider's own words, whatever they are. */
  async function tryOut() {
    try {
      const { provider, outcome, status } = await chat.tidings.http.request('POST', `/devices/${encodeURIComponent(deviceId)}/test`);
      state.textContent = `${provider} says: ${outcome}${status ? `, status ${status}` : ''}.`;
    } catch (error) {
      state.textContent = `The test push was not sent: ${error.message}`;
    }
  }

  const drawState = () => {
    state.textContent = mine ? 'Silent while this window is in front.' : chat.people.online(userId) ? 'Has a page open, which acknowledges.' : 'No page is open: the phone rings.';
  };
  const stop = chat.on('people', drawState);
  drawState();
  return {
    node,
    update: view.show,
    close() {
      stop();
      view.close();
    },
  };
}

const WORDS = {
  on: 'This browser shows a notification when none of your pages is in front.',
  'stand-in': 'This browser cannot reach its push service. A stand-in above shows what it would show.',
  denied: 'Notifications of this page are forbidden in the settings of this browser.',
  off: 'Be told of messages when no page is open.',
};

/** Web Push for this browser, where the server has a key for it. */
function browserSwitch(chat) {
  const { browserPush } = chat;
  if (!browserPush.possible) return undefined;
  const words = h('p', { class: 'muted' });
  const problem = h('p', { class: 'problem', role: 'alert' });
  const button = h('button', { type: 'button', class: 'button' });
  const draw = () => {
    const { state } = browserPush;
    const on = state === 'on' || state === 'stand-in';
    words.textContent = WORDS[state];
    button.textContent = on ? 'Switch off' : 'Switch on';
    button.disabled = state === 'denied';
    button.setAttribute('aria-pressed', String(on));
  };
  button.addEventListener('click', async () => {
    fill(problem);
    button.disabled = true;
    try {
      await (button.getAttribute('aria-pressed') === 'true' ? browserPush.switchOff() : browserPush.switchOn());
    } catch (error) {
      fill(problem, error.message);
    }
    button.disabled = false;
    draw();
  });
  draw();
  return { node: h('section', { class: 'browser-push', 'aria-label': 'Notifications of this browser' }, h('h3', {}, 'This browser'), words, problem, h('div', {}, button)) };
}
