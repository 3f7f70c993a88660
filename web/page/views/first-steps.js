import { h } from '../dom.js';

/** For somebody who has nobody to talk to yet. @param {import('../model/chat.js').Chat} chat */
export function firstSteps(chat) {
  return [
    h('ol', { class: 'steps' },
      h('li', {}, 'Open this page in a second window. Every tab is its own person.'),
      h('li', {}, 'Create another account there.'),
      h('li', {}, 'Start a conversation with ', h('strong', {}, chat.meId), ' from there, or with the other name from here.')),
    h('p', { class: 'aside' }, chat.phones.available
      ? 'Then lock one of the windows, or close it, and write to it from the other: its phone rings.'
      : 'Close the laptop, pull the cable, restart the server: what was accepted arrives all the same.'),
  ];
}
