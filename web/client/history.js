/**
 * Reads a conversation's history page by page, fetching the next page when it is wanted.
 * @param {(options: { before?: number, after?: number, limit: number }) => Promise<{ messages: any[], has_more: boolean }>} fetch
 * @param {{ before?: number, after?: number, pageSize?: number }} [options] `after` reads forward from there (0: from
 *   the beginning), otherwise from `before` (or the end) backwards
 * @returns {AsyncGenerator<any, void, undefined>} the entries one by one: ascending with `after`, else descending
 */
export async function* readHistory(fetch, { before, after, pageSize = 50 } = {}) {
  const forward = after !== undefined;
  let from = forward ? after : before;
  for (;;) {
    const page = await fetch(forward ? { after: from, limit: pageSize } : { before: from, limit: pageSize });
    const entries = forward ? page.messages : [...page.messages].reverse();
    yield* entries;
    if (!page.has_more || entries.length === 0) return;
    from = entries[entries.length - 1].seq;
  }
}
