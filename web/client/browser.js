/**
 * Ties a client to the browser page it runs in: tells the server whether the page is in front (that decides about
 * push notifications), and looks at the connection at once when the network or the page comes back.
 * @param {import('./tidings.js').Tidings} tidings
 * @returns {() => void} unties them
 */
export function followPage(tidings) {
  const look = () => {
    tidings.setActive(document.visibilityState === 'visible');
    if (document.visibilityState === 'visible') tidings.wake();
  };
  const wake = () => tidings.wake();
  const leave = () => void tidings.flush();
  look();
  document.addEventListener('visibilitychange', look);
  globalThis.addEventListener('online', wake);
  globalThis.addEventListener('pagehide', leave);
  return () => {
    document.removeEventListener('visibilitychange', look);
    globalThis.removeEventListener('online', wake);
    globalThis.removeEventListener('pagehide', leave);
  };
}
