import { fill, h } from '../dom.js';
import { list as sentence } from '../format.js';
import { dialog } from './parts.js';

/**
 * Asks with whom: one name makes a direct conversation, several (or a title) a group.
 * @param {import('../model/chat.js').Chat} chat @param {{ onOpen: (id: string) => void }} options
 */
export function newConversation(chat, { onOpen }) {
  dialog('New conversation', (close) => {
    const who = h('input', {
      id: 'new-who', name: 'who', type: 'text', autocomplete: 'off', autocapitalize: 'none', spellcheck: 'false',
      autofocus: true, 'aria-describedby': 'new-who-hint', on: { input: () => draw() },
    });
    const title = h('input', { id: 'new-title', name: 'title', type: 'text', maxlength: 120, autocomplete: 'off', on: { input: () => draw() } });
    const problem = h('p', { class: 'problem', role: 'alert' });
    const submit = h('button', { type: 'submit', class: 'button primary' }, 'Start');
    /** The names that were said not to exist; a second press means it. */
    let warnedOf = '';

    const draw = () => {
      fill(problem);
      fill(submit, isGroup() ? 'Create the group' : 'Start talking');
    };
    const ids = () => [...new Set(who.value.split(/[\s,;]+/).filter((id) => id && id !== chat.meId))];
    const isGroup = () => ids().length > 1 || title.value.trim() !== '';

    async function start() {
      const wanted = ids();
      if (wanted.length === 0) return fill(problem, 'Type the user name of somebody else.');
      const missing = await unknown(chat, wanted);
      if (missing.length && warnedOf !== missing.join()) {
        warnedOf = missing.join();
        return fill(problem, `Nobody here is called ${sentence(missing)} yet. Press again to start anyway: the messages wait.`);
      }
      const data = isGroup()
        ? await chat.tidings.http.createGroup({ title: title.value.trim() || groupTitle(chat, wanted), member_ids: wanted })
        : await chat.tidings.http.direct(wanted[0]);
      close();
      onOpen(chat.adopt(data).id);
      return undefined;
    }

    return h('form', {
      class: 'dialog-body',
      on: {
        submit: async (event) => {
          event.preventDefault();
          submit.disabled = true;
          try {
            await start();
          } catch (error) {
            fill(problem, error.code === 'not_found' ? 'Nobody has that user name.' : error.message);
          }
          submit.disabled = false;
        },
      },
    },
    h('div', { class: 'field' }, h('label', { for: 'new-who' }, 'With whom'), who,
      h('p', { class: 'hint', id: 'new-who-hint' }, 'A user name. Several, with commas between them, make a group.')),
    h('div', { class: 'field' }, h('label', { for: 'new-title' }, 'Title, for a group'), title),
    problem,
    h('div', { class: 'dialog-actions' }, h('button', { type: 'button', class: 'button', on: { click: close } }, 'Cancel'), submit));
  });
}

async function unknown(chat, ids) {
  try {
    const there = await chat.people.existing(ids);
    return ids.filter((id) => !there.has(id));
  } catch {
    return []; // Starting says what is wrong.
  }
}

function groupTitle(chat, ids) {
  return sentence([chat.session.name, ...ids.map((id) => chat.people.name(id))]).slice(0, 120);
}
