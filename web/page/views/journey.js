import { h } from '../dom.js';
import { list as sentence, moment } from '../format.js';
import { spans, written } from './spans.js';

/** Why a phone stayed silent, in words; others are shown as the server says them. */
const SILENT = {
  acknowledged: 'an open page has it',
  read: 'it was read',
  muted: 'its owner wants quiet',
  blocked: 'the sender is blocked',
  deleted: 'the message was deleted',
  expired: 'it was too late',
  budget: 'many came at once, a summary tells of them',
};

/**
 * One message's way, as this window saw it and, where the server tells, as the server did.
 * @param {import('../model/chat.js').Chat} chat
 * @param {any} message of the timeline
 * @param {import('../model/traces.js').Trace | undefined} trace
 * @param {any} server the answer of the route `trace`, if there was one
 */
export function journey(chat, message, trace, server) {
  const intro = h('blockquote', { class: 'trace-text' }, message.text ?? 'Something without text');
  const phones = server ? pushes(chat, server) : [];
  return [
    intro,
    spans(picture(chat, trace, server)),
    trace ? h('ol', { class: 'steps-list', role: 'list' }, steps(chat, trace)) : unseen(message),
    phones.length ? [h('h3', {}, 'Phones'), h('ul', { class: 'pushed', role: 'list' }, phones)] : null,
    h('p', { class: 'muted small' }, server
      ? 'What the server did is measured by its clock, the rest by the clock of this window.'
      : 'Times are measured by this window.'),
    trace?.frames.length ? h('h3', {}, 'Its frames') : null,
  ];
}

function unseen(message) {
  return h('p', { class: 'muted' }, `Stored as number ${message.seq} of this conversation at ${moment(message.createdAt)}. It was here before this page was opened, so its frames were not seen; watch the next one.`);
}

/** Everything that has a time, from the moment it was sent. */
function picture(chat, trace, server) {
  const rows = [];
  const start = trace?.sent ?? trace?.arrived;
  const here = (label, at) => at !== undefined && rows.push({ label, ms: at - start });
  const began = server && Date.parse(server.received_at);
  const there = (label, at, kind) => at && rows.push({ label, ms: Math.max(0, Date.parse(at) - began), kind });
  if (trace?.sent !== undefined) here('Accepted', trace.accepted);
  if (server) {
    there('Stored', server.storing_at);
    there('Fanned out', server.fanned_out_at);
  }
  if (trace?.sent !== undefined) {
    here('Back here', trace.arrived);
    const [first] = [...trace.delivered.values()].sort((a, b) => a - b);
    here('Acknowledged', first);
    const [seen] = [...trace.read.values()].sort((a, b) => a - b);
    here('Read', seen);
  } else here('Acknowledged', trace?.acked);
  for (const member of server?.members ?? []) {
    for (const { push } of member.devices) if (push && rang(push)) there('Pushed', push.answered_at, 'push');
  }
  return rows.sort((a, b) => a.ms - b.ms);
}

function steps(chat, trace) {
  const start = trace.sent ?? trace.arrived;
  const people = (map) => [...map].map(([id, at]) => [chat.people.name(id), at]);
  if (trace.sent === undefined) {
    return [
      step('Stored', trace.createdAt && `The server gave it number ${trace.seq} at ${moment(trace.createdAt)}.`),
      step('Fanned out', 'It reached this device.', trace.arrived, start),
      step('Acknowledged', 'This device said that it has it: no push is needed.', trace.acked, start),
    ];
  }
  return [
    step('Sent', trace.resent ? `Out of this window, ${trace.resent + 1} times with the same id after the connection was lost.` : 'Out of this window.', trace.sent, start),
    step('Accepted', 'Durable: it will arrive, whatever single process dies.', trace.accepted, start),
    step('Stored and fanned out', trace.seq ? `Number ${trace.seq} of this conversation, and back here as for everybody.` : 'On its way.', trace.arrived, start),
    ...people(trace.delivered).map(([name, at]) => step('Acknowledged', `A device of ${name} has it.`, at, start)),
    ...people(trace.read).map(([name, at]) => step('Read', `${name} has seen it.`, at, start)),
  ];
}

function step(title, words, at, start) {
  const done = at !== undefined || (title === 'Stored' && words);
  return h('li', { class: done ? 'done' : 'waiting' },
    h('span', { class: 'step-title' }, title, at !== undefined ? h('span', { class: 'step-time' }, at === start ? '0 ms' : `+${written(at - start)}`) : null),
    h('span', { class: 'muted' }, done ? words : 'Not yet.'));
}

/** A line for each phone that was decided about. */
function pushes(chat, server) {
  const began = Date.parse(server.received_at);
  return server.members.flatMap((member) => member.devices.filter(({ push }) => push).map(({ device_id: device, push }) => {
    const owner = member.user_id === chat.meId ? 'Your' : `${chat.people.name(member.user_id)}’s`;
    const at = push.answered_at ?? push.decided_at;
    return h('li', {},
      h('span', { class: 'step-title' }, `${owner} ${device ?? 'device'}`, h('span', { class: 'step-time' }, `+${written(Date.parse(at) - began)}`)),
      h('span', { class: 'muted' }, `It ${decided(push)}.`));
  }));
}

function decided(push) {
  const { decision, provider, attempts, acknowledged_after: has } = push;
  const said = [push.status && `status ${push.status}`, push.answer, attempts > 1 && `${attempts} tries`].filter(Boolean);
  const words = said.length ? ` (${sentence(said)})` : '';
  if (decision === 'waiting') return attempts ? `waits for another try${words}` : 'waits for an acknowledgement';
  if (decision !== 'sent') return `stayed silent: ${SILENT[decision] ?? decision.replaceAll('_', ' ')}`;
  if (!rang(push)) return `stayed silent: ${provider ?? 'the provider'} refused it${words}`;
  return `rang: ${provider ?? 'the provider'} took it${words}${has ? ', and it has the message now' : ''}`;
}

/** Whether the provider took it. */
function rang({ decision, status }) {
  return decision === 'sent' && (status === undefined || (status >= 200 && status < 300));
}
