import { h } from '../dom.js';

/** Each column is ten times the one before; the first ends at this many milliseconds. */
const FIRST_MS = 1;
const DECADES = 6;
/** What stands below the end of every second column. */
const MARKS = ['10 ms', '1 s', '100 s'];

/**
 * A little picture of when things happened, on a scale on which milliseconds and minutes both have room.
 * @param {{ label: string, ms: number, kind?: string }[]} rows
 */
export function spans(rows) {
  if (rows.length === 0) return null;
  const bars = rows.map(({ label, ms, kind }) => {
    const bar = h('span', { class: `span-bar${kind ? ` ${kind}` : ''}`, 'aria-hidden': 'true' });
    // The policy forbids style attributes; the object model may set them.
    bar.style.setProperty('--share', String(share(ms)));
    return h('li', {}, h('span', { class: 'span-label' }, label), h('span', { class: 'span-track', 'aria-hidden': 'true' }, bar), h('span', { class: 'span-time' }, written(ms)));
  });
  return h('div', { class: 'spans' },
    h('ol', { role: 'list', 'aria-label': 'Times from the moment it was sent' }, bars),
    h('p', { class: 'span-scale', 'aria-hidden': 'true' }, MARKS.map((words) => h('span', {}, words))));
}

/** Where on the scale, from 0 to 1. */
function share(ms) {
  const decades = Math.log10(Math.max(ms, FIRST_MS) / FIRST_MS) + 1;
  return Math.min(1, decades / DECADES);
}

/** A time as one says it. @param {number} ms */
export function written(ms) {
  if (ms < 1_000) return `${Math.round(ms)} ms`;
  return ms < 60_000 ? `${(ms / 1_000).toFixed(1)} s` : `${Math.round(ms / 60_000)} min`;
}
