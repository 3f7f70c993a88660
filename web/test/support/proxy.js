import { connect, createServer } from 'node:net';

/**
 * A TCP proxy that can be cut: the connections through it end without a word, and new ones are refused until it is
 * mended.
 * @param {string} target the server's URL
 */
export async function startCuttable(target) {
  const { hostname, port } = new URL(target);
  const pairs = new Set();
  let whole = true;
  const server = createServer((client) => {
    if (!whole) {
      client.destroy();
      return;
    }
    const upstream = connect(Number(port), hostname);
    const pair = [client, upstream];
    pairs.add(pair);
    client.pipe(upstream).pipe(client);
    for (const side of pair) {
      side.on('error', () => {});
      side.on('close', () => {
        pairs.delete(pair);
        pair.forEach((other) => other.destroy());
      });
    }
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${server.address().port}`,
    cut() {
      whole = false;
      for (const pair of pairs) pair.forEach((side) => side.destroy());
    },
    mend() {
      whole = true;
    },
    async stop() {
      this.cut();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
