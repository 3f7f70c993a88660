import { fill, h } from '../dom.js';
import { avatar } from './parts.js';

const MAX_SHOWN = 6;

/**
 * Offers the members' names after an `@`.
 * @param {import('../model/chat.js').Chat} chat
 * @param {import('../model/conversation.js').Conversation} conversation
 * @param {HTMLTextAreaElement} input
 */
export function mentionMenu(chat, conversation, input) {
  const node = h('ul', { class: 'mention-menu', role: 'listbox', id: 'mention-menu', 'aria-label': 'Members', hidden: true });
  let shown = [];
  let current = 0;

  const word = () => /(?:^|\s)@([^\s@]*)$/u.exec(input.value.slice(0, input.selectionStart))?.[1];

  function draw() {
    const typed = word()?.toLowerCase();
    shown = typed === undefined || conversation.direct ? [] : conversation.others
      .map((id) => ({ id, name: chat.people.name(id) }))
      .filter(({ id, name }) => name.toLowerCase().startsWith(typed) || id.toLowerCase().startsWith(typed))
      .slice(0, MAX_SHOWN);
    current = Math.min(current, Math.max(0, shown.length - 1));
    node.hidden = shown.length === 0;
    input.setAttribute('aria-expanded', String(!node.hidden));
    if (node.hidden) input.removeAttribute('aria-activedescendant');
    else input.setAttribute('aria-activedescendant', `mention-${current}`);
    fill(node, shown.map(({ id, name }, index) => h('li', {
      id: `mention-${index}`, role: 'option', 'aria-selected': String(index === current),
      on: {
        mousedown: (event) => {
          event.preventDefault();
          choose(index);
        },
      },
    }, avatar({ id, name, size: 'small' }), h('span', {}, name), h('span', { class: 'muted' }, id))));
  }

  function choose(index) {
    const { name } = shown[index];
    const typed = word() ?? '';
    const at = input.selectionStart;
    input.setRangeText(`@${name} `, at - typed.length - 1, at, 'end');
    input.dispatchEvent(new Event('input'));
    draw();
  }

  input.setAttribute('role', 'combobox');
  input.setAttribute('aria-autocomplete', 'list');
  input.setAttribute('aria-controls', 'mention-menu');
  input.setAttribute('aria-expanded', 'false');
  input.addEventListener('input', draw);
  input.addEventListener('blur', () => close());

  function close() {
    node.hidden = true;
    shown = [];
    input.setAttribute('aria-expanded', 'false');
    input.removeAttribute('aria-activedescendant');
  }

  return {
    node,
    close,
    /** Whom a text mentions: members whose name or id stands after an `@`. @param {string} text @returns {string[]} */
    mentionsIn: (text) => conversation.others.filter((id) => text.includes(`@${chat.people.name(id)}`) || text.includes(`@${id}`)).slice(0, 50),
    /** @param {KeyboardEvent} event @returns {boolean} whether the key was for the menu */
    takesKey(event) {
      if (node.hidden || shown.length === 0) return false;
      const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
      if (step) {
        current = (current + step + shown.length) % shown.length;
        draw();
      } else if (event.key === 'Enter' || event.key === 'Tab') choose(current);
      else if (event.key === 'Escape') close();
      else return false;
      event.preventDefault();
      event.stopPropagation();
      return true;
    },
  };
}
