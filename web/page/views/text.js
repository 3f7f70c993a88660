import { h } from '../dom.js';

const LINK = /\bhttps?:\/\/[^\s<>"']+[^\s<>"'.,;:!?)\]]/giu;

/**
 * A message's text as nodes: text, links, mentions and what was searched for. Nothing in it is ever read as HTML.
 * @param {string} text @param {{ mentioned?: { id: string, name: string }[], meId?: string, words?: string }} [options]
 * @returns {(string | Node)[]}
 */
export function richText(text, { mentioned = [], meId, words = '' } = {}) {
  const spans = [...links(text), ...mentions(text, mentioned, meId)].sort((a, b) => a.start - b.start);
  const out = [];
  let at = 0;
  for (const span of spans) {
    if (span.start < at) continue;
    out.push(...marked(text.slice(at, span.start), words), span.make(marked(text.slice(span.start, span.end), words)));
    at = span.end;
  }
  out.push(...marked(text.slice(at), words));
  return out;
}

function links(text) {
  return [...text.matchAll(LINK)].map((match) => ({
    start: match.index,
    end: match.index + match[0].length,
    make: (children) => h('a', { href: match[0], target: '_blank', rel: 'noopener noreferrer' }, children),
  }));
}

function mentions(text, mentioned, meId) {
  const found = [];
  for (const { id, name } of mentioned) {
    for (const word of new Set([`@${name}`, `@${id}`])) {
      for (let start = text.indexOf(word); start >= 0; start = text.indexOf(word, start + 1)) {
        found.push({ start, end: start + word.length, make: (children) => h('span', { class: `mention${id === meId ? ' me' : ''}` }, children) });
      }
    }
  }
  return found;
}

function marked(text, words) {
  const wanted = words.toLowerCase();
  if (!wanted || text === '') return [text];
  const lower = text.toLowerCase();
  // Where lower case has another length, positions would not match: then nothing is marked.
  if (lower.length !== text.length) return [text];
  const out = [];
  let at = 0;
  for (let start = lower.indexOf(wanted); start >= 0; start = lower.indexOf(wanted, at)) {
    out.push(text.slice(at, start), h('mark', {}, text.slice(start, start + wanted.length)));
    at = start + wanted.length;
  }
  out.push(text.slice(at));
  return out;
}
