const time = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit' });
const weekday = new Intl.DateTimeFormat(undefined, { weekday: 'long' });
const date = new Intl.DateTimeFormat(undefined, { day: 'numeric', month: 'long', year: 'numeric' });
const shortDate = new Intl.DateTimeFormat(undefined, { day: 'numeric', month: 'short' });
const exact = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'medium' });
const DAY = 86_400_000;

export const clock = (iso) => time.format(new Date(iso));
export const moment = (iso) => exact.format(new Date(iso));

function daysAgo(iso) {
  const start = (value) => new Date(value).setHours(0, 0, 0, 0);
  return Math.round((start(Date.now()) - start(iso)) / DAY);
}

/** The heading of a day in a conversation. @param {string} iso */
export function day(iso) {
  const ago = daysAgo(iso);
  if (ago === 0) return 'Today';
  if (ago === 1) return 'Yesterday';
  return ago > 1 && ago < 7 ? weekday.format(new Date(iso)) : date.format(new Date(iso));
}

/** For the narrow column of a list. @param {string} iso */
export function brief(iso) {
  const ago = daysAgo(iso);
  if (ago <= 0) return clock(iso);
  if (ago === 1) return 'Yesterday';
  return ago < 7 ? weekday.format(new Date(iso)).slice(0, 3) : shortDate.format(new Date(iso));
}

/** @param {string | undefined} iso */
export function lastSeen(iso) {
  if (!iso) return 'offline';
  const minutes = Math.floor((Date.now() - Date.parse(iso)) / 60_000);
  if (minutes < 1) return 'last seen just now';
  if (minutes < 60) return `last seen ${minutes} min ago`;
  return daysAgo(iso) === 0 ? `last seen at ${clock(iso)}` : `last seen ${day(iso).toLowerCase()}`;
}

/** Up to two letters for an avatar. @param {string} name */
export function initials(name) {
  const words = name.trim().split(/[\s._-]+/).filter(Boolean);
  const letters = words.length > 1 ? [words[0], words[words.length - 1]] : [words[0] ?? '?'];
  return letters.map((word) => [...word][0]).join('').toUpperCase();
}

/** The same colour for the same id, on every device: one of ten. @param {string} id */
export function hue(id) {
  let hash = 0;
  for (const char of id) hash = (hash * 31 + char.codePointAt(0)) >>> 0;
  return hash % 10;
}

/** @param {number} n @param {string} one @param {string} [many] */
export const count = (n, one, many = `${one}s`) => `${n} ${n === 1 ? one : many}`;

/** @param {string[]} names */
export function list(names) {
  if (names.length <= 1) return names[0] ?? '';
  return `${names.slice(0, -1).join(', ')} and ${names[names.length - 1]}`;
}
