import { WebSocket, WebSocketServer } from 'ws';

/**
 * A WebSocket proxy that treats frames badly: it delays them, doubles and drops live ones from the server, and cuts
 * connections at random moments, sometimes with frames in flight in both directions. What it does is decided by a
 * seed.
 * @param {string} target the server's `ws://` address @param {{ seed: number, delayMs?: number }} options
 */
export async function startRough(target, { seed, delayMs = 12 }) {
  const random = generator(seed);
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1' });
  const counts = { connections: 0, cuts: 0, doubled: 0, dropped: 0 };
  const pairs = new Set();
  let gentle = false;

  server.on('connection', (client, request) => {
    counts.connections += 1;
    const upstream = new WebSocket(`${target}${request.url}`, client.protocol || undefined);
    const pair = [client, upstream];
    pairs.add(pair);
    relay(client, upstream, () => 1);
    relay(upstream, client, copies);
    for (const side of pair) {
      side.on('error', () => {});
      side.on('close', () => {
        pairs.delete(pair);
        pair.forEach((other) => other.terminate());
      });
    }
  });

  /** In order, each frame some time after it came; so there is always something on the way when a cut comes. */
  function relay(from, to, howOften) {
    let lastDue = 0;
    let last = to.readyState === WebSocket.CONNECTING ? new Promise((resolve) => to.once('open', resolve)) : Promise.resolve();
    from.on('message', (data) => {
      const text = data.toString();
      const due = Math.max(lastDue, Date.now() + (gentle ? 0 : random() * delayMs));
      lastDue = due;
      last = last.then(() => pause(due - Date.now())).then(() => {
        for (let n = howOften(text); n > 0; n -= 1) if (to.readyState === WebSocket.OPEN) to.send(text);
      });
    });
  }

  /** Only live messages may be lost or doubled: the protocol allows exactly that after a fault. */
  function copies(text) {
    if (gentle || JSON.parse(text).type !== 'message') return 1;
    const dice = random();
    if (dice < 0.03) {
      counts.dropped += 1;
      return 0;
    }
    if (dice < 0.08) {
      counts.doubled += 1;
      return 2;
    }
    return 1;
  }

  await new Promise((resolve) => server.once('listening', resolve));
  return {
    url: `ws://127.0.0.1:${server.address().port}`,
    counts,
    /** Ends a connection that is there, chosen at random. */
    cutOne() {
      const open = [...pairs];
      if (open.length === 0) return;
      counts.cuts += 1;
      open[Math.floor(random() * open.length)].forEach((side) => side.terminate());
    },
    /** Does no more harm. */
    beGentle() {
      gentle = true;
    },
    async stop() {
      for (const pair of pairs) pair.forEach((side) => side.terminate());
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

const pause = (ms) => (ms > 0 ? new Promise((resolve) => setTimeout(resolve, ms)) : undefined);

/** A small generator of numbers in [0, 1): a counter whose bits are mixed. @param {number} seed */
export function generator(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x9e3779b9) >>> 0;
    let z = Math.imul(state ^ (state >>> 16), 0x85ebca6b);
    z = Math.imul(z ^ (z >>> 13), 0xc2b2ae35);
    return ((z ^ (z >>> 16)) >>> 0) / 2 ** 32;
  };
}
