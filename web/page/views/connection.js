import { fill, h } from '../dom.js';

const WORDS = { idle: 'Offline', connecting: 'Connecting', syncing: 'Catching up', online: 'Connected', waiting: 'Offline', closed: 'Closed' };

/** A dot and a word. @param {import('../model/chat.js').Chat} chat */
export function connectionState(chat) {
  const node = h('div', { class: 'connection', role: 'status' });
  const draw = () => {
    const { state } = chat.connection;
    node.dataset.state = state;
    fill(node, h('span', { class: 'connection-dot', 'aria-hidden': 'true' }), WORDS[state]);
  };
  const stop = chat.on('connection', draw);
  draw();
  return { node, close: stop };
}

/** A line over the conversation while there is no connection. @param {import('../model/chat.js').Chat} chat */
export function offlineBanner(chat) {
  const words = h('span', {});
  const node = h('div', { class: 'banner', hidden: true }, words,
    h('button', { type: 'button', class: 'link', on: { click: () => chat.tidings.wake() } }, 'Try now'));
  let timer;

  function draw() {
    clearTimeout(timer);
    const { state, retryAt } = chat.connection;
    node.hidden = state !== 'waiting' && state !== 'connecting';
    if (node.hidden) return;
    const seconds = state === 'waiting' ? Math.ceil((retryAt - Date.now()) / 1_000) : 0;
    words.textContent = seconds > 0
      ? `No connection. Trying again in ${seconds} s. What you write is kept and sent then.`
      : 'Connecting… What you write is kept and sent then.';
    timer = setTimeout(draw, 1_000);
  }

  const stop = chat.on('connection', draw);
  draw();
  return {
    node,
    close() {
      clearTimeout(timer);
      stop();
    },
  };
}
