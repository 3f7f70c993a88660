import { fill, h, reconcile } from '../dom.js';
import { clock } from '../format.js';
import { icon } from '../icons.js';

const PLATFORMS = { apns: 'an iPhone', fcm: 'an Android phone', webpush: 'a browser' };
const day = new Intl.DateTimeFormat(undefined, { weekday: 'long', day: 'numeric', month: 'long' });
const hour = new Intl.DateTimeFormat(undefined, { hour: 'numeric', minute: '2-digit' });
/** The clock on the screen is looked at this often. */
const TICK_MS = 5_000;

/**
 * A locked phone: the time, and the alerts that are on its screen now.
 * @param {{ label: string, onOpen?: (alert: import('../model/phones.js').Alert) => void }} options `onOpen`: alerts are
 *   buttons, for who holds the phone
 */
export function phoneView({ label, onOpen }) {
  const time = h('p', { class: 'phone-time', 'aria-hidden': 'true' });
  const date = h('p', { class: 'phone-date', 'aria-hidden': 'true' });
  const list = h('ol', { class: 'phone-alerts', role: 'list', 'aria-label': 'On the screen' });
  const nothing = h('p', { class: 'phone-nothing' }, 'Nothing on the screen');
  const app = h('span', { class: 'phone-app' });
  const node = h('section', { class: 'phone', 'aria-label': label },
    h('div', { class: 'phone-screen' }, time, date, list, nothing, app));
  const kept = new Map();
  let newest = 0;

  function tick() {
    const now = new Date();
    // A phone's big clock leaves out whether it is morning.
    time.textContent = hour.formatToParts(now).filter(({ type }) => type !== 'dayPeriod').map(({ value }) => value).join('').trim();
    date.textContent = day.format(now);
  }

  const timer = setInterval(tick, TICK_MS);
  tick();

  return {
    node,
    /** @param {import('../model/phones.js').Phone} phone */
    show(phone) {
      const alerts = [...phone.alerts].reverse();
      reconcile(list, alerts.map((alert) => row(alert, onOpen)), kept);
      nothing.hidden = alerts.length > 0;
      const latest = Math.max(0, ...alerts.map((alert) => alert.at_ms));
      if (latest > newest && newest > 0) shake(node);
      newest = Math.max(newest, latest, 1);
      fill(app, icon('send'), phone.badge ? h('span', { class: 'phone-badge' }, phone.badge > 99 ? '99+' : String(phone.badge), h('span', { class: 'visually-hidden' }, ' on the icon of the app')) : null);
      node.title = `${PLATFORMS[phone.platform] ?? phone.platform}, device ${phone.device_id}`;
    },
    close: () => clearInterval(timer),
  };
}

function row(alert, onOpen) {
  const when = clock(new Date(alert.at_ms).toISOString());
  return {
    key: alert.key,
    state: [alert.title, alert.body, alert.at_ms],
    make: () => {
      const content = [
        h('span', { class: 'alert-head' }, icon('send'), 'Tidings', h('span', { class: 'alert-when' }, when)),
        h('strong', { class: 'alert-title' }, alert.title ?? 'Tidings'),
        alert.body ? h('span', { class: 'alert-body' }, alert.body) : null,
      ];
      return h('li', {}, onOpen
        ? h('button', { type: 'button', class: 'alert', on: { click: () => onOpen(alert) } }, content)
        : h('div', { class: 'alert' }, content));
    },
  };
}

/** As a phone does when it rings. */
function shake(node) {
  node.classList.remove('rings');
  void node.offsetWidth; // Starts the animation anew.
  node.classList.add('rings');
}
