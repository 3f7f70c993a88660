import { fill, h, reconcile } from '../dom.js';
import { journey } from './journey.js';
import { iconButton } from './parts.js';

/** Frames shown of the whole wire. */
const SHOWN = 40;
const WIRE = 'What this window and the server say to each other, the newest first. Press the pulse of a message to follow that one alone.';

/** The server's own trace is asked for this often, and so many times. */
const ASK_EVERY_MS = 1_500;
const MAX_ASKED = 100;

/** Who was told that the server's own trace is not for them: they need not ask again. */
const refused = new WeakSet();

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
  let closed = false;
  let asked = 0;
  let timer;

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

  /** Pushes are decided long after the message was sent, so it is asked for again while one looks. */
  async function ask() {
    if (closed || refused.has(chat)) return;
    try {
      server = await chat.tidings.http.trace(conversation.id, message.seq);
      soon();
    } catch (error) {
      // Only an application's backend may ask; the page then shows what it saw itself.
      if (['forbidden', 'unauthenticated', 'not_found'].includes(error.code)) refused.add(chat);
    }
    if (!closed && (asked += 1) < MAX_ASKED) timer = setTimeout(ask, ASK_EVERY_MS);
  }

  if (message?.seq) void ask();
  const stop = chat.tidings.on('wire', soon);
  draw();
  const node = h('div', { class: 'panel-inner' },
    h('header', { class: 'panel-head' }, h('h2', {}, 'Behind the scenes'), iconButton('Close', 'close', onClose)), body);
  return {
    node,
    close() {
      closed = true;
      clearTimeout(timer);
      stop();
    },
  };
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
