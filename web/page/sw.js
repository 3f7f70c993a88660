// Shows what Web Push brings, also when no page is open. docs/push.md tells what arrives.

self.addEventListener('install', () => self.skipWaiting());
self.addEventListener('activate', (event) => event.waitUntil(self.clients.claim()));
self.addEventListener('push', (event) => event.waitUntil(take(event.data)));
self.addEventListener('notificationclick', (event) => {
  event.notification.close();
  event.waitUntil(open(event.notification.data?.conversation_id));
});

/** @param {PushMessageData | null} received */
async function take(received) {
  let message;
  try {
    message = received?.json();
  } catch {
    return; // Not of our server.
  }
  if (!message) return;
  const { notification, badge, data = {} } = message;
  if (typeof badge === 'number') await showBadge(badge);
  if (data.type === 'clear') await clear(data);
  if (!notification) return;
  await self.registration.showNotification(notification.title ?? 'Tidings', {
    body: notification.body, tag: notification.tag, silent: notification.silent, icon: '/icon.svg', data,
    // A summary that takes the place of itself is news.
    renotify: Boolean(notification.tag) && !notification.silent,
  });
  await acknowledge(data.ack_token);
}

/** The user read elsewhere: what is shown of that conversation up to there goes. */
async function clear({ conversation_id: id, seq }) {
  for (const shown of await self.registration.getNotifications()) {
    if (shown.data?.conversation_id === id && shown.data.seq <= seq) shown.close();
  }
}

async function showBadge(count) {
  try {
    if (count > 0) await self.navigator.setAppBadge?.(count);
    else await self.navigator.clearAppBadge?.();
  } catch {
    // Only installed pages have a badge.
  }
}

/** What is shown has arrived. @param {string | undefined} token good for nothing else */
async function acknowledge(token) {
  if (!token) return;
  try {
    await fetch('/v1/ack', { method: 'POST', headers: { authorization: `Bearer ${token}` } });
  } catch {
    // The server will think that it did not arrive, and be wrong about it; nothing is lost.
  }
}

/** Brings up a window that knows the conversation, or a new one. @param {string | undefined} id */
async function open(id) {
  for (const client of await self.clients.matchAll({ type: 'window', includeUncontrolled: true })) {
    if (await opens(client, id)) return client.focus();
  }
  return self.clients.openWindow(id ? `/#${encodeURIComponent(id)}` : '/');
}

/** Asks a window to open it; a tab may be somebody else's, and then says no. */
function opens(client, id) {
  return new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel();
    const timer = setTimeout(() => resolve(false), 1_000);
    port1.onmessage = ({ data }) => {
      clearTimeout(timer);
      resolve(data === true);
    };
    client.postMessage({ open: id }, [port2]);
  });
}
