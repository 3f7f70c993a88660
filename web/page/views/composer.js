import { fill, h } from '../dom.js';
import { iconButton } from './parts.js';
import { mentionMenu } from './mentions.js';

/** The protocol's limit for a text. */
const MAX_BYTES = 8 * 1_024;
/** From here on the room that is left is shown. */
const WARN_BYTES = 7 * 1_024;
/** Taller than this it scrolls, in pixels. */
const MAX_HEIGHT = 160;
const encoder = new TextEncoder();

/**
 * Where messages are written, edited and answered.
 * @param {import('../model/chat.js').Chat} chat
 * @param {import('../model/conversation.js').Conversation} conversation
 */
export function composer(chat, conversation) {
  /** @type {{ kind: 'reply' | 'edit', item: any } | undefined} */
  let context;
  const input = h('textarea', { class: 'composer-input', rows: 1, 'aria-label': 'Message', placeholder: 'Write a message', enterkeyhint: 'send' });
  const about = h('div', { class: 'composer-about', hidden: true });
  const size = h('span', { class: 'composer-size', 'aria-live': 'polite' });
  const send = iconButton('Send', 'send', () => submit(), { class: 'icon-button accent send', type: 'submit' });
  const menu = mentionMenu(chat, conversation, input);
  const box = h('form', { class: 'composer-box', on: { submit: (event) => event.preventDefault() } }, input, size, send);
  const closed = h('p', { class: 'composer-closed', hidden: true }, 'Only the owner and the admins write in this channel.');
  const node = h('div', { class: 'composer' }, about, menu.node, box, closed);

  function draw() {
    box.hidden = !conversation.mayWrite;
    closed.hidden = conversation.mayWrite;
  }

  function measure() {
    input.style.setProperty('height', 'auto');
    // Before it is on the page it has no height to go by.
    if (input.scrollHeight > 0) input.style.setProperty('height', `${Math.min(input.scrollHeight, MAX_HEIGHT)}px`);
    const bytes = encoder.encode(input.value.trim()).length;
    size.textContent = bytes > WARN_BYTES ? `${MAX_BYTES - bytes} left` : '';
    send.disabled = bytes === 0 || bytes > MAX_BYTES;
  }

  function submit() {
    const text = input.value.trim();
    if (send.disabled || text === '') return;
    if (context?.kind === 'edit') {
      if (text !== context.item.text) chat.attempt(chat.tidings.edit(conversation.id, context.item.seq, { text }), 'The edit was not taken');
    } else {
      chat.send(conversation, { text, replyTo: context?.item.seq, mentions: menu.mentionsIn(text) });
    }
    leave();
  }

  function enter(kind, item) {
    context = { kind, item };
    about.hidden = false;
    fill(about,
      h('span', { class: 'about-words' },
        h('strong', {}, kind === 'edit' ? 'Editing' : `Replying to ${item.mine ? 'yourself' : item.name}`),
        h('span', { class: 'quote-text' }, item.text ?? '')),
      iconButton('Cancel', 'close', leave));
    if (kind === 'edit') input.value = item.text;
    measure();
    input.focus();
  }

  function leave() {
    context = undefined;
    about.hidden = true;
    fill(about);
    input.value = '';
    menu.close();
    measure();
    input.focus();
  }

  function editLast() {
    const own = conversation.timeline.items.findLast((item) => item.kind === 'text' && item.sender === chat.meId && !item.deletedAt && item.text !== undefined);
    if (own) enter('edit', { ...own, mine: true });
  }

  input.addEventListener('input', () => {
    measure();
    if (input.value.trim() && context?.kind !== 'edit') chat.tidings.typing(conversation.id);
  });
  input.addEventListener('keydown', (event) => {
    if (event.isComposing || menu.takesKey(event)) return;
    if (event.key === 'Enter' && !event.shiftKey) {
      event.preventDefault();
      submit();
    } else if (event.key === 'Escape' && context) {
      event.stopPropagation();
      leave();
    } else if (event.key === 'ArrowUp' && input.value === '') {
      event.preventDefault();
      editLast();
    }
  });
  measure();

  return {
    node,
    draw,
    reply: (item) => enter('reply', item),
    edit: (item) => enter('edit', item),
    focus() {
      // On a phone the keyboard would cover what one came to read.
      if (matchMedia('(pointer: fine)').matches) input.focus();
    },
  };
}
