import { h } from '../dom.js';
import { hue, initials } from '../format.js';
import { icon } from '../icons.js';

/**
 * A button that is only an icon; its label is read out and shown as a tooltip.
 * @param {string} label @param {string} iconName @param {(event: Event) => void} act @param {Record<string, any>} [props]
 */
export function iconButton(label, iconName, act, props = {}) {
  return h('button', { type: 'button', class: 'icon-button', 'aria-label': label, title: label, ...props, on: { click: act } }, icon(iconName));
}

/**
 * A round picture made from a name.
 * @param {{ id: string, name: string, online?: boolean, group?: boolean, size?: 'small' | 'large' }} options
 */
export function avatar({ id, name, online, group, size }) {
  return h('span', { class: `avatar hue-${hue(id)}${group ? ' group' : ''}${size ? ` ${size}` : ''}`, 'aria-hidden': 'true' },
    initials(name), online ? h('span', { class: 'dot' }) : null);
}

/** A modal dialog that removes itself when it closes. @param {string} title @param {(close: () => void) => any} content */
export function dialog(title, content) {
  const heading = h('h2', { id: `dialog-${Math.random().toString(36).slice(2)}` }, title);
  const node = h('dialog', { class: 'dialog', 'aria-labelledby': heading.id });
  const close = () => node.close();
  node.append(h('header', { class: 'dialog-head' }, heading, iconButton('Close', 'close', close)));
  node.append(content(close));
  node.addEventListener('close', () => node.remove());
  node.addEventListener('click', (event) => {
    if (event.target === node) close();
  });
  document.body.append(node);
  node.showModal();
  return node;
}

/** Asks before something that cannot be undone. @param {string} title @param {string} text @param {string} verb @returns {Promise<boolean>} */
export function confirm(title, text, verb) {
  return new Promise((resolve) => {
    let answer = false;
    const node = dialog(title, (close) => h('div', { class: 'dialog-body' },
      h('p', {}, text),
      h('div', { class: 'dialog-actions' },
        h('button', { type: 'button', class: 'button', on: { click: close } }, 'Keep it'),
        h('button', {
          type: 'button', class: 'button danger', autofocus: true,
          on: {
            click: () => {
              answer = true;
              close();
            },
          },
        }, verb))));
    node.addEventListener('close', () => resolve(answer));
  });
}

/** Says for a moment that something did not work. @param {string} text */
export function toast(text) {
  const node = h('div', { class: 'toast', role: 'alert' }, icon('alert'), text);
  document.body.append(node);
  setTimeout(() => node.remove(), 6_000);
}
