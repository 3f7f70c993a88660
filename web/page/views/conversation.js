import { fill, h } from '../dom.js';
import { count, lastSeen, list as sentence } from '../format.js';
import { composer } from './composer.js';
import { offlineBanner } from './connection.js';
import { avatar, iconButton } from './parts.js';
import { searchBar } from './search.js';
import { timelineView } from './timeline.js';

/**
 * One conversation: who, what was said, and where to say more.
 * @param {import('../model/chat.js').Chat} chat
 * @param {import('../model/conversation.js').Conversation} conversation
 * @param {{ onBack: () => void, onMembers: () => void, onTrace: (message?: any) => void,
 *   onPhones: () => void }} options
 */
export function conversationView(chat, conversation, { onBack, onMembers, onTrace, onPhones }) {
  const write = composer(chat, conversation);
  const timeline = timelineView(chat, conversation, {
    onReply: (item) => write.reply(item),
    onEdit: (item) => write.edit(item),
    onTrace,
  });
  const search = searchBar(conversation, { onFind: (seq, words) => timeline.find(seq, words) });
  const banner = offlineBanner(chat);
  const head = h('div', { class: 'head-who' });
  const phones = h('span', {});
  const typing = h('p', { class: 'typing-line', 'aria-live': 'off' });
  const node = h('section', { class: 'conversation', 'aria-label': conversation.title },
    h('header', { class: 'conversation-head' },
      iconButton('Back to the list', 'back', onBack, { class: 'icon-button back' }),
      head,
      iconButton('Search in this conversation', 'search', () => search.toggle()),
      conversation.direct ? null : iconButton('Members', 'people', onMembers),
      iconButton('Behind the scenes', 'pulse', () => onTrace()),
      phones),
    banner.node, search.node, timeline.node, typing, write.node);

  function draw() {
    const { people } = chat;
    fill(head,
      avatar({ id: conversation.peer ?? conversation.id, name: conversation.title, group: !conversation.direct, online: conversation.direct && people.online(conversation.peer) }),
      h('div', { class: 'head-words' }, h('h2', {}, conversation.title), h('p', { class: 'muted' }, subtitle(chat, conversation))));
    const names = conversation.typing.map((id) => people.name(id));
    typing.textContent = names.length ? `${names.length > 3 ? 'Several people' : sentence(names)} ${names.length > 1 ? 'are' : 'is'} typing…` : '';
    typing.classList.toggle('on', names.length > 0);
    write.draw();
  }

  /** What a push would reach; the server says late whether there is any. */
  function drawPhones() {
    const { available } = chat.phones;
    if (phones.firstChild || !(available || chat.browserPush.possible)) return;
    fill(phones, iconButton(available ? 'Phones' : 'Notifications', available ? 'phone' : 'bell', onPhones));
  }

  const stops = [
    chat.phones.on('ready', drawPhones),
    chat.on('people', draw),
    chat.on('conversation', ({ id }) => {
      if (id === conversation.id) draw();
    }),
  ];
  chat.people.watch(conversation.others.slice(0, 100));
  draw();
  drawPhones();

  return {
    node,
    focus: () => write.focus(),
    close() {
      stops.forEach((stop) => stop());
      timeline.close();
      banner.close();
      search.close();
    },
  };
}

function subtitle(chat, conversation) {
  if (conversation.direct) {
    const presence = chat.people.presence(conversation.peer);
    return presence?.status === 'online' ? 'online' : lastSeen(presence?.last_seen_at);
  }
  const total = conversation.data.member_count ?? conversation.memberIds.length;
  const here = conversation.others.filter((id) => chat.people.online(id)).length;
  return `${count(total, 'member')}${here ? `, ${here} online` : ''}`;
}
