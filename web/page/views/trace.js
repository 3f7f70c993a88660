import { fill, h, reconcile } from '../dom.js';
import { moment } from '../format.js';
import { iconButton } from './parts.js';

/** Frames shown of the whole wire. */
const SHOWN = 40;
const WIRE = 'What this window and the server say to each other, the newest first. Press the pulse of a message to follow that one alone.';

/**
 * Behind the scenes: the journey of one message, or the frames as they come and go.
 * @param {import('../model/chat.js').Chat} chat
 * @param {import('../model/conversation.js').Conversation} conversation
 * @param {any} message a message of the timeline, or nothing for the wire
 * @param {{ onClose: () => void }} options
 */
export function tracePanel(chat, conversation, message, { onClose }) {
  const summary = h('div', {});
  const list = h('ol', { class: 'frames', role: 'list' });
  const kept = new Map();
  const body = h('div', { class: 'panel-body', tabindex: 0, role: 'group', 'aria-label': 'Behind the scenes' }, summary, list);
  let server;
  let scheduled = false;

  function draw() {
    scheduled = false;
    const trace = message && chat.traces.of({ clientId: message.clientId, conversationId: conversation.id, seq: message.seq });
    fill(summary, message ? journey(chat, message, trace, server) : h('p', { class: 'muted' }, WIRE));
    // Kept as they are, so that a frame that was unfolded stays so while others come.
    reconcile(list, (message ? trace?.frames ?? [] : chat.traces.wire.slice(-SHOWN).reverse()).map(frameRow), kept);
  }

  /** Frames may come in hundreds; one drawing a frame of the screen is enough. */
  function soon() {
    if (scheduled) return;
    scheduled = true;
    requestAnimationFrame(draw);
  }

  if (message?.seq) {
    chat.tidings.http.trace(conversation.id, message.seq).then(
      (value) => {
        server = value;
        soon();
      },
      () => {}, // Only an application's backend may ask; the page then shows what it saw itself.
    );
  }
  const stop = chat.tidings.on('wire', soon);
  draw();
  const node = h('div', { class: 'panel-inner' },
    h('header', { class: 'panel-head' }, h('h2', {}, 'Behind the scenes'), iconButton('Close', 'close', onClose)), body);
  return { node, close: stop };
}

function journey(chat, message, trace, server) {
  const intro = h('blockquote', { class: 'trace-text' }, message.text ?? 'Something without text');
  if (!trace) {
    return [intro,
      h('p', { class: 'muted' }, `Stored as number ${message.seq} of this conversation at ${moment(message.createdAt)}. It was here before this page was opened, so its journey was not seen; watch the next one.`),
      serverSide(server)];
  }
  const start = trace.sent ?? trace.arrived;
  const people = (map) => [...map].map(([id, at]) => [chat.people.name(id), at]);
  const steps = trace.sent === undefined
    ? [
      step('Stored', trace.createdAt && `The server gave it number ${trace.seq} at ${moment(trace.createdAt)}.`),
      step('Fanned out', 'It reached this device.', trace.arrived, start),
      step('Acknowledged', 'This device said that it has it: no push is needed.', trace.acked, start),
    ]
    : [
      step('Sent', trace.resent ? `Out of this window, ${trace.resent + 1} times with the same id after the connection was lost.` : 'Out of this window.', trace.sent, start),
      step('Accepted', 'Durable: it will arrive, whatever single process dies.', trace.accepted, start),
      step('Stored and fanned out', trace.seq ? `Number ${trace.seq} of this conversation, and back here as for everybody.` : 'On its way.', trace.arrived, start),
      ...people(trace.delivered).map(([name, at]) => step('Acknowledged', `A device of ${name} has it.`, at, start)),
      ...people(trace.read).map(([name, at]) => step('Read', `${name} has seen it.`, at, start)),
    ];
  return [intro, h('ol', { class: 'steps-list', role: 'list' }, steps), h('p', { class: 'muted small' }, 'Times are measured by this window.'),
    serverSide(server), h('h3', {}, 'Its frames')];
}

function step(title, words, at, start) {
  const done = at !== undefined || (title === 'Stored' && words);
  return h('li', { class: done ? 'done' : 'waiting' },
    h('span', { class: 'step-title' }, title, at !== undefined ? h('span', { class: 'step-time' }, at === start ? '0 ms' : `+${at - start} ms`) : null),
    h('span', { class: 'muted' }, done ? words : 'Not yet.'));
}

function serverSide(server) {
  if (!server) return null;
  return [h('h3', {}, 'What the server says'), h('pre', { class: 'frame', tabindex: 0 }, JSON.stringify(server, null, 1))];
}

/** @param {import('../model/traces.js').WireEvent} event */
function frameRow({ direction, frame, at, number }) {
  return {
    key: String(number),
    state: 0,
    make: () => h('li', { class: `frame-row ${direction}` },
      h('details', {},
        h('summary', {}, h('span', { class: 'arrow', 'aria-hidden': 'true' }, direction === 'out' ? '↑' : '↓'),
          h('span', { class: 'visually-hidden' }, direction === 'out' ? 'sent ' : 'received '),
          h('code', {}, frame.type), h('span', { class: 'step-time' }, clockMs(at))),
        h('pre', { class: 'frame', tabindex: 0 }, JSON.stringify(frame, null, 1)))),
  };
}

function clockMs(at) {
  const date = new Date(at);
  return `${date.toLocaleTimeString(undefined, { hour12: false })}.${String(date.getMilliseconds()).padStart(3, '0')}`;
}
