import { fill, h, reconcile } from '../dom.js';
import { brief, count, list as sentence } from '../format.js';
import { icon } from '../icons.js';
import { theme } from '../theme.js';
import { connectionState } from './connection.js';
import { firstSteps } from './first-steps.js';
import { newConversation } from './new-conversation.js';
import { avatar, iconButton } from './parts.js';

const THEMES = { auto: ['auto', 'Colours as the system has them'], light: ['sun', 'Light colours'], dark: ['moon', 'Dark colours'] };

/**
 * Who I am, and my conversations.
 * @param {import('../model/chat.js').Chat} chat
 * @param {{ onOpen: (id: string) => void, onLock: () => void, onSignOut: () => void }} options
 */
export function sidebar(chat, { onOpen, onLock, onSignOut }) {
  const kept = new Map();
  const items = h('ul', { class: 'conversations', role: 'list', 'aria-label': 'Conversations' });
  const nothing = h('div', { class: 'nothing' });
  const connection = connectionState(chat);
  const filter = h('input', {
    type: 'search', class: 'filter', placeholder: 'Find a conversation', 'aria-label': 'Find a conversation', on: { input: () => draw() },
  });
  const lock = iconButton('Lock this window: only the phone hears', 'lock', onLock, { hidden: true });
  const start = () => newConversation(chat, { onOpen });

  function draw() {
    const wanted = filter.value.trim().toLowerCase();
    const shown = chat.list.filter((conversation) => conversation.title.toLowerCase().includes(wanted));
    reconcile(items, shown.map((conversation) => row(chat, conversation, onOpen)), kept);
    fill(nothing, shown.length ? null : chat.conversations.size ? 'No conversation has that name.'
      : [h('p', {}, 'No conversations yet. ', h('button', { type: 'button', class: 'link', on: { click: start } }, 'Start one'), '.'),
        // Where there is no room for a second column, this is all there is to see.
        h('div', { class: 'narrow-only' }, firstSteps(chat))]);
  }

  const drawLock = () => {
    lock.hidden = !chat.phones.available;
    draw();
  };
  const stops = [chat.on('list', draw), chat.on('people', draw), chat.phones.on('ready', drawLock)];
  const node = h('nav', { class: 'sidebar', 'aria-label': 'Conversations and account' },
    h('header', { class: 'sidebar-head' },
      h('span', { class: 'wordmark' }, icon('send'), 'Tidings'),
      connection.node),
    h('div', { class: 'sidebar-tools' }, h('div', { class: 'search-field' }, icon('search'), filter),
      iconButton('New conversation', 'plus', start, { class: 'icon-button accent' })),
    h('div', { class: 'sidebar-list' }, items, nothing),
    h('footer', { class: 'sidebar-foot' },
      avatar({ id: chat.meId, name: chat.session.name }),
      h('span', { class: 'me' }, h('strong', {}, chat.session.name), h('span', { class: 'muted' }, chat.meId)),
      lock,
      themeButton(),
      iconButton('Sign out', 'out', onSignOut)));
  draw();
  return {
    node,
    draw,
    close() {
      stops.forEach((stop) => stop());
      connection.close();
    },
  };
}

function row(chat, conversation, onOpen) {
  const { id, title, unread, mentioned, latest, typing, direct, peer } = conversation;
  const open = chat.openId === id;
  const online = direct && chat.people.online(peer);
  const said = typing.length ? 'typing…' : preview(chat, conversation);
  const when = latest ? brief(latest.createdAt) : '';
  const badge = unread > 99 ? '99+' : String(unread);
  return {
    key: id,
    state: [title, unread, mentioned, said, when, open, online, typing.length],
    make: () => h('li', {},
      h('button', {
        type: 'button', class: `conversation-row${unread ? ' unread' : ''}`, 'aria-current': open ? 'true' : null, on: { click: () => onOpen(id) },
      },
      avatar({ id: direct ? peer : id, name: title, online, group: !direct }),
      h('span', { class: 'row-title' }, title, online ? h('span', { class: 'visually-hidden' }, ', online') : null),
      h('span', { class: 'row-when' }, when),
      h('span', { class: `row-preview${typing.length ? ' typing' : ''}` }, said),
      unread ? h('span', { class: `badge${mentioned ? ' addressed' : ''}` }, mentioned ? `@ ${badge}` : badge, h('span', { class: 'visually-hidden' }, ' unread')) : null)),
  };
}

function preview(chat, conversation) {
  const pending = [...conversation.timeline.pending.values()].at(-1);
  const latest = pending ?? conversation.latest;
  if (!latest) return conversation.direct ? 'Say hello' : count(conversation.data.member_count ?? 1, 'member');
  if (latest.deletedAt) return 'Message deleted';
  const { people, meId } = chat;
  if (latest.kind && latest.kind !== 'text') return describe(people, latest);
  const who = latest.sender === meId ? 'You: ' : conversation.direct ? '' : `${people.name(latest.sender)}: `;
  return `${who}${latest.text ?? 'sent something'}`;
}

/** A line of the log that is not a text, as a sentence. */
export function describe(people, { kind, sender, userIds, title }) {
  const by = people.nameOrYou(sender);
  const whom = userIds.filter((id) => id !== sender).map((id) => (id === people.meId ? 'you' : people.name(id)));
  if (kind === 'title_changed') return title ? `${by} named the group “${title}”` : `${by} changed the title`;
  if (kind === 'member_joined') return whom.length ? `${by} added ${sentence(whom)}` : `${by} joined`;
  if (kind === 'member_left') return whom.length ? `${by} removed ${sentence(whom)}` : `${by} left`;
  if (kind === 'role_changed') return `${by} changed what ${whom.length ? sentence(whom) : 'somebody'} may do`;
  return '';
}

function themeButton() {
  const button = iconButton('', 'auto', () => {
    theme.advance();
    draw();
  });
  const draw = () => {
    const [iconName, words] = THEMES[theme.choice];
    button.setAttribute('aria-label', `${words}. Change`);
    button.title = words;
    fill(button, icon(iconName));
  };
  draw();
  return button;
}
