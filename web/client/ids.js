/**
 * A UUID of version 7 (RFC 9562): the time in milliseconds, then chance. Ids in the order of time are the cheapest for the server,
 * which need not look whether it knows them. An id must be unique, it need not be secret, so where there is no `crypto`, as in React
 * Native, `Math.random` does.
 * @returns {string}
 */
export function uuid() {
  const bytes = new Uint8Array(16);
  const { crypto } = globalThis;
  if (typeof crypto?.getRandomValues === 'function') crypto.getRandomValues(bytes);
  else for (let i = 0; i < bytes.length; i += 1) bytes[i] = Math.floor(Math.random() * 256);
  let time = Date.now();
  for (let i = 5; i >= 0; i -= 1) {
    bytes[i] = time % 256;
    time = Math.floor(time / 256);
  }
  bytes[6] = (bytes[6] & 0x0f) | 0x70;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-');
}
