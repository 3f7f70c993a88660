import { announce, h } from '../dom.js';
import { phoneView } from './phone.js';

/**
 * The window is put away: its socket is closed and only the phone is left, as in a pocket. Pressing an alert unlocks
 * and opens its conversation.
 * @param {import('../model/chat.js').Chat} chat
 * @param {{ onUnlock: (conversationId?: string) => void }} options
 */
export function lockScreen(chat, { onUnlock }) {
  const view = phoneView({ label: 'Your phone, locked', onOpen: (alert) => unlock(alert.data?.conversation_id) });
  const unlockButton = h('button', { type: 'button', class: 'button unlock', on: { click: () => unlock() } }, 'Unlock');
  const node = h('dialog', { class: 'lock', 'aria-label': 'Locked' },
    h('div', { class: 'lock-inner' },
      h('div', { class: 'lock-words' },
        h('h2', {}, 'Locked'),
        h('p', {}, 'This window has closed its socket; nothing reaches it any more. What others write to ', h('strong', {}, chat.session.name), ' arrives by push alone.'),
        h('p', { class: 'muted' }, 'Write from another window and watch. Press an alert to unlock and read.')),
      view.node,
      unlockButton));

  const stops = [
    chat.phones.follow(undefined, (phones) => {
      const phone = phones.find(({ device_id: id }) => id === 'phone');
      if (phone) view.show(phone);
      document.title = phone?.badge ? `(${phone.badge}) Locked` : 'Locked';
    }),
    chat.phones.on('ring', ({ alert }) => announce(`The phone rings. ${alert.title ?? ''}: ${alert.body ?? ''}`)),
  ];

  function unlock(conversationId) {
    close();
    onUnlock(conversationId);
  }

  function close() {
    stops.forEach((stop) => stop());
    view.close();
    node.remove();
  }

  node.addEventListener('cancel', (event) => {
    event.preventDefault();
    unlock();
  });
  document.body.append(node);
  node.showModal();
  unlockButton.focus();
  return { close };
}
