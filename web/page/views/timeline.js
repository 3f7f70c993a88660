import { fill, h, reconcile } from '../dom.js';
import { count } from '../format.js';
import { icon } from '../icons.js';
import { buildRows } from './rows.js';

/** Closer to the end than this counts as being there, in pixels. */
const NEAR_END = 80;

/**
 * What was said, with older pages fetched when one scrolls up to them.
 * @param {import('../model/chat.js').Chat} chat
 * @param {import('../model/conversation.js').Conversation} conversation
 * @param {{ onReply: (item: any) => void, onEdit: (item: any) => void, onTrace: (item: any) => void }} actions
 */
export function timelineView(chat, conversation, actions) {
  const kept = new Map();
  const list = h('ol', { class: 'messages', role: 'list', 'aria-label': 'Messages' });
  const top = h('div', { class: 'timeline-top' });
  const jump = h('button', { type: 'button', class: 'jump', hidden: true, on: { click: () => toEnd(true) } });
  const scroll = h('div', { class: 'timeline-scroll' }, top, list);
  const node = h('div', { class: 'timeline' }, scroll, jump);
  /** The seq before which nothing was new when this was opened. */
  let newFrom = conversation.unread > 0 ? { unread: conversation.unread, seq: undefined } : undefined;
  let atEnd = true;
  let seenSeq = 0;
  let fetching = false;
  let words = '';
  let failed;

  function draw() {
    const { timeline } = conversation;
    if (timeline.loaded && newFrom && newFrom.seq === undefined) newFrom.seq = firstNew(timeline, newFrom.unread, chat.meId);
    // Who answers has seen what was new.
    if (newFrom?.seq && timeline.items.some((item) => item.seq > newFrom.seq && item.sender === chat.meId)) newFrom = undefined;
    const fromEnd = scroll.scrollHeight - scroll.scrollTop;
    const lowestBefore = list.firstElementChild;
    reconcile(list, buildRows(chat, conversation, { ...actions, onJump: find, newFrom: newFrom?.seq, words }), kept);
    reach(list);
    drawTop();
    if (atEnd) toEnd();
    else if (list.firstElementChild !== lowestBefore) scroll.scrollTop = scroll.scrollHeight - fromEnd;
    drawJump();
    read();
  }

  function drawTop() {
    const { timeline } = conversation;
    if (failed) fill(top, h('p', { class: 'muted' }, failed, ' ', h('button', { type: 'button', class: 'link', on: { click: () => load() } }, 'Try again')));
    else if (!timeline.loaded) fill(top, h('p', { class: 'muted loading' }, 'Fetching what was said…'));
    else if (timeline.hasMore) fill(top, h('button', { type: 'button', class: 'link', on: { click: () => older() } }, fetching ? 'Fetching…' : 'Earlier messages'));
    else if (timeline.items.length + timeline.pending.size === 0) fill(top, beginning(conversation, chat));
    else fill(top, h('p', { class: 'muted' }, 'This is where it began.'));
  }

  function drawJump() {
    const last = conversation.data.last_seq ?? 0;
    if (atEnd) seenSeq = last;
    const fresh = conversation.timeline.items.filter((item) => item.seq > seenSeq && item.kind === 'text' && item.sender !== chat.meId).length;
    jump.hidden = atEnd;
    fill(jump, icon('down'), fresh ? `${count(fresh, 'new message')}` : 'Latest');
  }

  function toEnd(smooth = false) {
    atEnd = true;
    scroll.scrollTo({ top: scroll.scrollHeight, behavior: smooth && !matchMedia('(prefers-reduced-motion: reduce)').matches ? 'smooth' : 'auto' });
  }

  function read() {
    if (atEnd && conversation.timeline.loaded) chat.read(conversation);
  }

  async function load() {
    failed = undefined;
    drawTop();
    try {
      await conversation.load();
    } catch (error) {
      failed = `The history could not be fetched: ${error.message}.`;
    }
    draw();
  }

  async function older() {
    if (fetching || !conversation.timeline.hasMore) return;
    fetching = true;
    drawTop();
    try {
      await conversation.loadOlder();
    } catch (error) {
      failed = `Earlier messages could not be fetched: ${error.message}.`;
    }
    fetching = false;
    draw();
  }

  /** Brings a message into view, fetching back to it. @param {number} seq @param {string} [highlighted] */
  async function find(seq, highlighted = '') {
    words = highlighted;
    while (seq < conversation.timeline.lowest && conversation.timeline.hasMore && !failed) await older();
    draw();
    const found = kept.get(`m${seq}`)?.node;
    if (!found) return;
    atEnd = false;
    found.scrollIntoView({ block: 'center' });
    found.classList.remove('found');
    requestAnimationFrame(() => found.classList.add('found'));
  }

  const onScroll = () => {
    atEnd = scroll.scrollHeight - scroll.scrollTop - scroll.clientHeight < NEAR_END;
    if (scroll.scrollTop < 200 && conversation.timeline.loaded) void older();
    drawJump();
    read();
  };
  scroll.addEventListener('scroll', onScroll, { passive: true });
  list.addEventListener('keydown', (event) => walk(event, list));
  list.addEventListener('focusin', (event) => rove(event.target.closest('.message'), list));
  const resized = new ResizeObserver(() => atEnd && toEnd());
  resized.observe(scroll);
  document.addEventListener('visibilitychange', read);
  const stops = [
    chat.on('people', draw),
    chat.on('conversation', ({ id }) => id === conversation.id && draw()),
    () => resized.disconnect(),
    () => document.removeEventListener('visibilitychange', read),
  ];
  draw();
  void load();
  return { node, find, close: () => stops.forEach((stop) => stop()) };
}

function firstNew(timeline, unread, meId) {
  const theirs = timeline.items.filter((item) => item.kind === 'text' && item.sender !== meId);
  return theirs.at(-unread)?.seq;
}

function beginning(conversation, chat) {
  const others = conversation.others.map((id) => chat.people.name(id));
  return h('div', { class: 'beginning' },
    h('h3', {}, conversation.direct ? `You and ${conversation.title}` : conversation.title),
    h('p', { class: 'muted' }, conversation.direct
      ? 'Nothing was said yet. Your first message waits for them, wherever they are.'
      : others.length ? 'Nothing was said yet. Everyone here reads the same messages in the same order.' : 'You are alone here. Add somebody by the members button above.'));
}

/** Arrow keys go from message to message; the one in focus shows what can be done with it. */
function walk(event, list) {
  const current = event.target.closest('.message');
  if (!current || event.target.matches('input, textarea')) return;
  const step = { ArrowUp: -1, ArrowDown: 1 }[event.key];
  if (step) {
    const all = [...list.querySelectorAll('.message')];
    all[all.indexOf(current) + step]?.focus();
    event.preventDefault();
  } else if (event.key === 'Escape' && event.target !== current) {
    current.focus();
    event.preventDefault();
  } else if (event.key === 'Enter' && event.target === current) {
    current.querySelector('.actions button')?.focus();
    event.preventDefault();
  }
}

/** The tab key reaches one message, the last unless one had the focus already. */
function reach(list) {
  if (list.querySelector('.message[tabindex="0"]')) return;
  const last = [...list.querySelectorAll('.message')].at(-1);
  if (last) last.tabIndex = 0;
}

function rove(message, list) {
  if (!message) return;
  for (const other of list.querySelectorAll('.message[tabindex="0"]')) if (other !== message) other.tabIndex = -1;
  message.tabIndex = 0;
}
