import { fill, h } from '../dom.js';
import { confirm, avatar, iconButton } from './parts.js';

const ROLES = { owner: 'Owner', admin: 'Admin', member: 'Member' };
const NOTIFY = { all: 'Every message', mentions: 'Only mentions of me', none: 'Nothing' };

/**
 * Who is in a group, and what one may do about it.
 * @param {import('../model/chat.js').Chat} chat
 * @param {import('../model/conversation.js').Conversation} conversation
 * @param {{ onClose: () => void }} options
 */
export function membersPanel(chat, conversation, { onClose }) {
  const { http } = chat.tidings;
  const problem = h('p', { class: 'problem', role: 'alert' });
  const list = h('ul', { class: 'members', role: 'list', 'aria-label': 'Members' });
  const tools = h('div', {});
  let members = conversation.data.members ?? [];

  async function attempt(action) {
    fill(problem);
    try {
      await action();
      await reload();
    } catch (error) {
      fill(problem, error.code === 'forbidden' ? 'You may not do that.' : error.message);
    }
  }

  async function reload() {
    if ((conversation.data.member_count ?? 0) > members.length || conversation.data.members === undefined) {
      try {
        members = await http.members(conversation.id);
      } catch {
        members = conversation.data.members ?? members;
      }
    } else {
      members = conversation.data.members;
    }
    draw();
  }

  function draw() {
    fill(list, [...members].sort(byRank).map((member) => row(member)));
  }

  function row(member) {
    const id = member.user_id;
    const me = id === chat.meId;
    const name = chat.people.name(id);
    const above = conversation.role === 'owner' || (conversation.role === 'admin' && member.role === 'member');
    return h('li', { class: 'member' },
      avatar({ id, name, online: chat.people.online(id) }),
      h('span', { class: 'member-words' }, h('strong', {}, name, me ? ' (you)' : ''), h('span', { class: 'muted' }, id)),
      conversation.role === 'owner' && !me
        ? h('select', { 'aria-label': `Role of ${name}`, on: { change: (event) => attempt(() => http.setRole(conversation.id, id, event.target.value)) } },
          Object.entries(ROLES).map(([role, words]) => h('option', { value: role, selected: role === member.role }, words)))
        : h('span', { class: 'role' }, ROLES[member.role] ?? ''),
      conversation.manages && !me && above
        ? iconButton(`Remove ${name}`, 'close', () => attempt(() => http.removeMember(conversation.id, id))) : null);
  }

  function drawTools() {
    fill(tools, conversation.manages ? [
      lineForm('Title', conversation.data.title ?? '', 'Rename', (title) => attempt(() => http.rename(conversation.id, title))),
      lineForm('Add by user name', '', 'Add', (names) => attempt(() => http.addMembers(conversation.id, names.split(/[\s,;]+/).filter(Boolean)))),
    ] : null,
    h('div', { class: 'field' }, h('label', { for: 'notify' }, 'Notify me of'),
      h('select', { id: 'notify', on: { change: (event) => attempt(() => http.notify(conversation.id, { notify: event.target.value })) } },
        Object.entries(NOTIFY).map(([value, words]) => h('option', { value, selected: value === (conversation.data.notify ?? 'all') }, words)))));
  }

  async function leave() {
    if (!await confirm(`Leave ${conversation.title}?`, 'You will not see what is said after you left.', 'Leave')) return;
    await attempt(() => http.removeMember(conversation.id, chat.meId));
  }

  const stops = [
    chat.on('people', draw),
    chat.on('conversation', ({ id }) => {
      if (id === conversation.id) void reload();
    }),
  ];
  drawTools();
  void reload();
  const node = h('div', { class: 'panel-inner' },
    h('header', { class: 'panel-head' }, h('h2', {}, 'Members'), iconButton('Close', 'close', onClose)),
    h('div', { class: 'panel-body' }, tools, problem, list,
      h('button', { type: 'button', class: 'button danger quiet', on: { click: leave } }, 'Leave the conversation')));
  return { node, close: () => stops.forEach((stop) => stop()) };
}

function byRank(a, b) {
  const rank = (member) => Object.keys(ROLES).indexOf(member.role);
  return rank(a) - rank(b) || (a.user_id < b.user_id ? -1 : 1);
}

/** One field and one button. */
function lineForm(label, value, verb, act) {
  const id = `line-${verb.toLowerCase()}`;
  const input = h('input', { id, type: 'text', maxlength: 200, value, autocomplete: 'off', autocapitalize: 'none' });
  return h('form', {
    class: 'field',
    on: {
      submit: async (event) => {
        event.preventDefault();
        if (input.value.trim() === '') return;
        await act(input.value.trim());
        if (value === '') input.value = '';
      },
    },
  }, h('label', { for: id }, label), h('div', { class: 'line-form' }, input, h('button', { type: 'submit', class: 'button' }, verb)));
}
