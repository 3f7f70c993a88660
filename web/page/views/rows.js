import { h } from '../dom.js';
import { day } from '../format.js';
import { messageView } from './message.js';
import { describe } from './sidebar.js';

/** Messages of one sender closer together than this are one block. */
const BLOCK_MS = 5 * 60_000;

/** The rows of a timeline: days, the line above what is new, and messages, with what decides how each looks. */
export function buildRows(chat, conversation, options) {
  const rows = [];
  const { timeline } = conversation;
  const pending = [...timeline.pending.values()];
  const all = [...timeline.items, ...pending.map((message) => ({ ...message, kind: 'text', pending: message, reactions: new Map() }))];
  all.forEach((item, index) => {
    const before = all[index - 1];
    const after = all[index + 1];
    const title = day(item.createdAt);
    if (!before || day(before.createdAt) !== title) rows.push(dayRow(title, item));
    if (options.newFrom !== undefined && item.seq === options.newFrom) rows.push(newRow());
    if (item.kind !== 'text') rows.push(lineRow(chat, item));
    else rows.push(messageRow(chat, conversation, item, { ...options, first: !joins(before, item), last: !joins(item, after) }));
  });
  const lastMessage = rows.findLast((row) => row.message);
  if (lastMessage) lastMessage.reachable = true;
  return rows;
}

/** Whether `b` continues the block of `a`. */
function joins(a, b) {
  return Boolean(a && b) && a.kind === 'text' && b.kind === 'text' && a.sender === b.sender
    && Date.parse(b.createdAt) - Date.parse(a.createdAt) < BLOCK_MS && day(a.createdAt) === day(b.createdAt);
}

function dayRow(title, item) {
  return { key: `d${title}${item.seq ?? item.clientId}`, state: title, make: () => h('li', { class: 'day' }, h('span', {}, title)) };
}

function newRow() {
  return { key: 'new', state: '', make: () => h('li', { class: 'new-line' }, h('span', {}, 'New')) };
}

function lineRow(chat, item) {
  const words = describe(chat.people, item);
  return { key: `m${item.seq}`, state: words, make: () => h('li', { class: 'line' }, words) };
}

function messageRow(chat, conversation, item, options) {
  const view = {
    ...item,
    mine: item.sender === chat.meId,
    name: chat.people.name(item.sender),
    mark: item.sender === chat.meId ? item.pending?.state ?? conversation.mark(item.seq) : undefined,
    quote: item.replyTo ? quote(chat, conversation, item.replyTo) : undefined,
    mentioned: item.mentions.map((id) => ({ id, name: chat.people.name(id) })),
    reactions: [...item.reactions].map(([emoji, { users, more }]) => ({
      emoji, count: users.size + more, mine: users.has(chat.meId), names: [...users].map((id) => chat.people.nameOrYou(id)),
    })),
    mayDelete: item.sender === chat.meId || conversation.manages,
    mayWrite: conversation.mayWrite,
    group: !conversation.direct,
    first: options.first,
    last: options.last,
    words: options.words,
  };
  return {
    // A message that was pending and came back keeps its row under a new key; only its look changes.
    key: item.seq ? `m${item.seq}` : `p${item.clientId}`,
    message: true,
    state: { ...view, pending: item.pending?.reason ?? null },
    make: () => messageView(chat, conversation, view, options),
  };
}

function quote(chat, conversation, seq) {
  const target = conversation.timeline.item(seq);
  if (!target) return { seq, name: '', text: 'An earlier message' };
  return { seq, name: chat.people.nameOrYou(target.sender), text: target.deletedAt ? 'Message deleted' : (target.text ?? 'Something else').slice(0, 160) };
}
