import { h } from '../dom.js';
import { iconButton } from './parts.js';

/**
 * Looks for words in what is loaded of a conversation.
 * @param {import('../model/conversation.js').Conversation} conversation
 * @param {{ onFind: (seq: number, words: string) => void }} options
 */
export function searchBar(conversation, { onFind }) {
  let hits = [];
  let current = -1;
  const input = h('input', { type: 'search', placeholder: 'Search in what is loaded', 'aria-label': 'Search in this conversation' });
  const result = h('span', { class: 'muted', role: 'status' });
  const node = h('form', {
    class: 'search-bar', role: 'search', hidden: true, on: { submit: (event) => event.preventDefault() },
  }, input, result,
  iconButton('Earlier hit', 'up', () => go(-1)), iconButton('Later hit', 'downSmall', () => go(1)), iconButton('Close the search', 'close', () => toggle()));

  function look() {
    const words = input.value.trim().toLowerCase();
    hits = words ? conversation.timeline.items.filter((item) => item.kind === 'text' && item.text?.toLowerCase().includes(words)).map((item) => item.seq) : [];
    current = hits.length - 1;
    show();
  }

  function go(step) {
    if (hits.length === 0) return;
    current = (current + step + hits.length) % hits.length;
    show();
  }

  function show() {
    const words = input.value.trim();
    const more = conversation.timeline.hasMore ? ' (scroll up to load more)' : '';
    result.textContent = !words ? '' : hits.length ? `${current + 1} of ${hits.length}` : `Not found${more}`;
    if (hits.length) onFind(hits[current], words);
    else onFind(-1, '');
  }

  function toggle() {
    node.hidden = !node.hidden;
    if (!node.hidden) {
      input.focus();
      return;
    }
    input.value = '';
    look();
  }

  input.addEventListener('input', look);
  input.addEventListener('keydown', (event) => {
    if (event.key === 'Enter') go(event.shiftKey ? 1 : -1);
    else if (event.key === 'Escape') toggle();
    else return;
    event.preventDefault();
    event.stopPropagation();
  });
  return { node, toggle, close: () => {} };
}
