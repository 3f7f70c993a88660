import { h } from '../dom.js';
import { clock, list as sentence, moment } from '../format.js';
import { icon } from '../icons.js';
import { avatar, confirm, iconButton } from './parts.js';
import { richText } from './text.js';

const QUICK = ['👍', '❤️', '😂', '🎉', '😮', '🙏'];
const MARKS = {
  sending: ['clock', 'Being sent'],
  accepted: ['check', 'Accepted: it will arrive'],
  sent: ['check', 'Sent'],
  delivered: ['checks', 'Delivered'],
  read: ['checks', 'Read'],
  failed: ['alert', 'Not sent'],
};

/** One message. @param {any} view what `messageRow` found out about it */
export function messageView(chat, conversation, view, actions) {
  const classes = ['message', view.mine ? 'mine' : 'theirs'];
  for (const flag of ['first', 'last']) if (view[flag]) classes.push(flag);
  if (view.pending) classes.push('pending', view.pending.state);
  const toggle = (emoji, remove) => chat.attempt(chat.tidings.react(conversation.id, view.seq, emoji, { remove }), 'The reaction was not taken');
  return h('li', { class: classes.join(' '), tabindex: -1, data: { seq: view.seq ?? '' } },
    view.group && !view.mine && view.last ? avatar({ id: view.sender, name: view.name, size: 'small' }) : null,
    h('div', { class: 'bubble' },
      view.group && !view.mine && view.first ? h('p', { class: 'sender' }, view.name) : h('span', { class: 'visually-hidden' }, view.mine ? 'You: ' : `${view.name}: `),
      view.quote ? quoted(view.quote, actions) : null,
      h('div', { class: 'said' }, body(chat, view), meta(view))),
    view.reactions.length ? reactions(view, toggle) : null,
    view.pending ? failure(chat, conversation, view.pending) : view.deletedAt ? null : toolbar(chat, conversation, view, actions, toggle));
}

function body(chat, view) {
  if (view.deletedAt) return h('p', { class: 'text gone' }, 'Message deleted');
  if (view.text === undefined) return h('pre', { class: 'text data' }, JSON.stringify(view.data, null, 1));
  return h('p', { class: `text${onlyEmoji(view.text) ? ' big' : ''}` },
    richText(view.text, { mentioned: view.mentioned, meId: chat.meId, words: view.words }));
}

function meta(view) {
  const [iconName, words] = MARKS[view.mark] ?? [];
  return h('p', { class: 'meta' },
    view.editedAt && !view.deletedAt ? h('span', { title: `Edited ${moment(view.editedAt)}` }, 'edited') : null,
    h('time', { datetime: view.createdAt, title: moment(view.createdAt) }, clock(view.createdAt)),
    iconName ? h('span', { class: `mark ${view.mark}`, title: words }, icon(iconName), h('span', { class: 'visually-hidden' }, words)) : null);
}

function quoted(quote, { onJump }) {
  return h('button', { type: 'button', class: 'quote', on: { click: () => onJump(quote.seq) } },
    h('span', { class: 'visually-hidden' }, 'In reply to '),
    quote.name ? h('strong', {}, quote.name) : null, h('span', { class: 'quote-text' }, quote.text));
}

function reactions(view, toggle) {
  return h('ul', { class: 'reactions', role: 'list', 'aria-label': 'Reactions' }, view.reactions.map(({ emoji, count, mine, names }) => h('li', {},
    h('button', {
      type: 'button', class: 'reaction', 'aria-pressed': String(mine), title: sentence(names), 'aria-label': `${emoji} ${count}: ${sentence(names)}`,
      on: { click: () => toggle(emoji, mine || undefined) },
    }, h('span', { class: 'emoji' }, emoji), count > 1 ? ` ${count}` : null))));
}

function toolbar(chat, conversation, view, { onReply, onEdit, onTrace }, toggle) {
  const palette = h('div', { class: 'palette', role: 'group', 'aria-label': 'Reactions', hidden: true }, QUICK.map((emoji) => h('button', {
    type: 'button', class: 'emoji', 'aria-label': `React with ${emoji}`,
    on: {
      click: () => {
        palette.hidden = true;
        toggle(emoji, view.reactions.some((reaction) => reaction.emoji === emoji && reaction.mine) || undefined);
      },
    },
  }, emoji)));
  const openPalette = () => {
    palette.hidden = !palette.hidden;
    if (!palette.hidden) palette.querySelector('button').focus();
  };
  const remove = async () => {
    if (!await confirm('Delete this message?', 'It disappears for everyone. That it was there stays visible.', 'Delete')) return;
    chat.attempt(chat.tidings.delete(conversation.id, view.seq), 'The message was not deleted');
  };
  return h('div', { class: 'actions', role: 'group', 'aria-label': 'What to do with this message' },
    view.mayWrite ? iconButton('React', 'smile', openPalette) : null,
    view.mayWrite ? iconButton('Reply', 'reply', () => onReply(view)) : null,
    view.mine && view.mayWrite && view.text !== undefined ? iconButton('Edit', 'edit', () => onEdit(view)) : null,
    view.mayDelete ? iconButton('Delete', 'trash', remove) : null,
    iconButton('Behind the scenes', 'pulse', () => onTrace(view)),
    palette);
}

function failure(chat, conversation, message) {
  if (message.state !== 'failed') return null;
  return h('p', { class: 'failure', role: 'alert' }, `Not sent: ${message.reason}. `,
    h('button', { type: 'button', class: 'link', on: { click: () => chat.retry(conversation, message) } }, 'Send again'), ' ',
    h('button', { type: 'button', class: 'link', on: { click: () => chat.discard(conversation, message) } }, 'Throw away'));
}

function onlyEmoji(text) {
  return text.length <= 24 && /^(\p{Extended_Pictographic}|\p{Emoji_Modifier}|\u200d|\ufe0f|\s)+$/u.test(text);
}
