/**
 * Makes an element. Text becomes text nodes, never HTML; there is no way through here to markup from a string.
 * @param {string} tag
 * @param {Record<string, any>} [props] `class`, `on` {event: listener}, `data` {key: value}; true sets an empty
 *   attribute, false, null and undefined leave it out
 * @param {...any} children nodes, texts, arrays of them; null, undefined and false are left out
 */
export function h(tag, props = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(props ?? {})) {
    if (value === undefined || value === null || value === false) continue;
    if (name === 'on') for (const [event, listener] of Object.entries(value)) element.addEventListener(event, listener);
    else if (name === 'data') Object.assign(element.dataset, value);
    else if (name === 'value') element.value = value;
    else element.setAttribute(name, value === true ? '' : String(value));
  }
  append(element, children);
  return element;
}

function append(element, children) {
  for (const child of children.flat(Infinity)) {
    if (child === undefined || child === null || child === false) continue;
    element.append(child instanceof Node ? child : String(child));
  }
}

/** Replaces what is in an element. @param {Element} element @param {...any} children */
export function fill(element, ...children) {
  element.replaceChildren();
  append(element, children);
  return element;
}

/**
 * Makes the children of `list` those of `rows`, in order, keeping the nodes of rows that did not change, so that
 * focus, selection and scroll position survive.
 * @param {Element} list
 * @param {{ key: string, state: unknown, make: () => Element }[]} rows
 * @param {Map<string, { state: string, node: Element }>} kept what the last call left, by key
 */
export function reconcile(list, rows, kept) {
  const wanted = new Set(rows.map((row) => row.key));
  for (const [key, { node }] of kept) {
    if (wanted.has(key)) continue;
    node.remove();
    kept.delete(key);
  }
  let next = list.firstElementChild;
  for (const row of rows) {
    const state = JSON.stringify(row.state);
    let entry = kept.get(row.key);
    if (!entry || entry.state !== state) {
      const node = row.make();
      if (entry) {
        const hadFocus = entry.node.contains(document.activeElement);
        if (next === entry.node) next = node;
        entry.node.replaceWith(node);
        if (hadFocus) node.focus?.({ preventScroll: true });
      }
      entry = { state, node };
      kept.set(row.key, entry);
    }
    if (entry.node === next) next = next.nextElementSibling;
    else list.insertBefore(entry.node, next);
  }
}

const live = { polite: null };

/** Has a screen reader say something. @param {string} text */
export function announce(text) {
  live.polite ??= document.body.appendChild(h('div', { class: 'visually-hidden', role: 'status', 'aria-live': 'polite' }));
  live.polite.textContent = text;
}
