import { announce, fill, h } from '../dom.js';
import { count } from '../format.js';
import { conversationView } from './conversation.js';
import { firstSteps } from './first-steps.js';
import { lockScreen } from './lock.js';
import { membersPanel } from './members.js';
import { toast } from './parts.js';
import { phonesPanel } from './phones.js';
import { sidebar } from './sidebar.js';
import { tracePanel } from './trace.js';

/**
 * The three columns and what connects them: which conversation is open, which panel, what the address bar says.
 * @param {import('../model/chat.js').Chat} chat @param {{ onSignOut: () => void }} options
 */
export function shell(chat, { onSignOut }) {
  const main = h('main', { class: 'main' });
  const side = h('aside', { class: 'panel', 'aria-label': 'Details', hidden: true });
  const list = sidebar(chat, { onOpen: (id) => show(id), onLock: lock, onSignOut });
  const node = h('div', { class: 'app', data: { view: 'list' } }, list.node, main, side);
  const stops = [];
  let view;
  let panel;
  let locked;

  function show(id) {
    const hash = id ? `#${encodeURIComponent(id)}` : location.pathname;
    if (id !== chat.openId || !view) history.pushState(null, '', hash);
    open(id);
  }

  function open(id) {
    const conversation = id && chat.conversations.get(id);
    if (id && id === chat.openId && view) {
      node.dataset.view = 'conversation';
      return;
    }
    view?.close();
    closePanel();
    view = undefined;
    chat.openId = conversation ? id : undefined;
    node.dataset.view = conversation ? 'conversation' : 'list';
    if (conversation) {
      view = conversationView(chat, conversation, {
        onBack: () => show(undefined), onMembers: () => toggle('members'), onTrace: (message) => toggle('trace', message), onPhones: () => toggle('phones'),
      });
      fill(main, view.node);
      view.focus();
    } else {
      fill(main, welcome(chat));
    }
    list.draw();
  }

  function toggle(kind, message) {
    if (panel?.kind === kind && !message) {
      closePanel();
      return;
    }
    panel?.close();
    const conversation = chat.conversations.get(chat.openId);
    const made = {
      members: () => membersPanel(chat, conversation, { onClose: closePanel }),
      phones: () => phonesPanel(chat, conversation, { onClose: closePanel, onLock: lock }),
      trace: () => tracePanel(chat, conversation, message, { onClose: closePanel }),
    }[kind]();
    panel = { kind, close: made.close };
    fill(side, made.node);
    side.hidden = false;
    node.dataset.panel = 'open';
  }

  function closePanel() {
    panel?.close();
    panel = undefined;
    side.hidden = true;
    fill(side);
    delete node.dataset.panel;
  }

  /** The phone is all that is left of this window, until it is unlocked. */
  function lock() {
    if (locked) return;
    closePanel();
    void chat.lock();
    locked = lockScreen(chat, {
      onUnlock: (id) => {
        locked = undefined;
        drawTitle();
        void chat.unlock();
        if (id && chat.conversations.has(id)) show(id);
      },
    });
  }

  function drawTitle() {
    if (!locked) document.title = chat.unread ? `(${chat.unread}) Tidings` : 'Tidings';
  }

  /** A notification was pressed: the service worker asks whether this is the window for it. */
  const fromNotification = (event) => {
    const id = event.data?.open;
    const mine = Boolean(id) && chat.conversations.has(id);
    event.ports[0]?.postMessage(mine);
    if (mine) show(id);
  };

  const fromAddress = () => open(decodeURIComponent(location.hash.slice(1)) || undefined);

  stops.push(
    chat.on('list', () => {
      drawTitle();
      if (chat.openId && !chat.conversations.has(chat.openId)) show(undefined);
      else if (!chat.openId && location.hash && chat.conversations.has(decodeURIComponent(location.hash.slice(1)))) fromAddress();
      else if (!view) fill(main, welcome(chat));
    }),
    chat.phones.on('ready', () => {
      if (!view) fill(main, welcome(chat));
    }),
    chat.phones.on('ring', ({ phone, alert }) => {
      if (phone.user_id !== chat.meId) announce(`The phone of ${chat.people.name(phone.user_id)} rings: ${alert.title ?? ''} ${alert.body ?? ''}`);
    }),
    chat.on('problem', ({ text }) => toast(text)),
    chat.on('incoming', ({ conversation, entry }) => {
      const where = conversation.direct || conversation.id === chat.openId ? '' : ` in ${conversation.title}`;
      announce(`${chat.people.name(entry.sender_id)}${where}: ${entry.text ?? 'sent something'}`);
    }),
  );
  const keys = (event) => {
    if (event.key === 'Escape' && panel && !document.querySelector('dialog[open]')) closePanel();
  };
  globalThis.addEventListener('popstate', fromAddress);
  document.addEventListener('keydown', keys);
  navigator.serviceWorker?.addEventListener('message', fromNotification);
  open(undefined);

  return {
    node,
    close() {
      globalThis.removeEventListener('popstate', fromAddress);
      document.removeEventListener('keydown', keys);
      navigator.serviceWorker?.removeEventListener('message', fromNotification);
      locked?.close();
      stops.forEach((stop) => stop());
      view?.close();
      panel?.close();
      list.close();
    },
  };
}

/** What stands where a conversation would: says what to do next. */
function welcome(chat) {
  const known = chat.conversations.size;
  return h('div', { class: 'welcome' },
    h('div', { class: 'welcome-card' },
      h('h2', {}, known ? 'Choose a conversation' : 'Somebody to talk to'),
      known
        ? h('p', {}, `You have ${count(known, 'conversation')}${chat.unread ? `, ${chat.unread} with something new` : ', and have read them all'}.`)
        : firstSteps(chat)));
}
