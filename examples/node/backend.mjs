// The smallest backend of an application that talks through Tidings: it knows who its users are, gives each a token,
// and serves the page in examples/browser.
//
//   TIDINGS_URL=http://127.0.0.1:8080 TIDINGS_SECRET=… PORT=3000 node backend.mjs
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { extname } from 'node:path';
import { tidingsToken } from './token.mjs';

const { TIDINGS_URL: tidings = 'http://127.0.0.1:8080', TIDINGS_SECRET: secret, PORT: port = 3000 } = process.env;
const TYPES = { '.html': 'text/html; charset=utf-8', '.js': 'text/javascript; charset=utf-8' };
const FOLDERS = [[/^\/client\/([a-z-]+\.js)$/, '../../web/client/'], [/^\/([a-z-]*\.?[a-z]*)$/, '../browser/']];

/** Stands for your own session: whoever says "I am ann" in the cookie is ann. Do this properly. */
const signedIn = (request) => /(?:^|; )user=([A-Za-z0-9-]{1,64})/.exec(request.headers.cookie ?? '')?.[1];

async function answer(request) {
  const { pathname } = new URL(request.url, 'http://backend');
  if (pathname === '/chat') {
    const user = signedIn(request);
    if (!user) return [401, '.html', 'Sign in first'];
    return [200, '.js', JSON.stringify({ url: tidings, user, token: tidingsToken(user, secret) })];
  }
  for (const [pattern, folder] of FOLDERS) {
    const name = pattern.exec(pathname)?.[1];
    if (name === undefined) continue;
    const file = new URL(folder + (name || 'index.html'), import.meta.url);
    return [200, extname(file.pathname), await readFile(file)];
  }
  return [404, '.html', 'Not found'];
}

createServer(async (request, response) => {
  const [status, type, body] = await answer(request).catch(() => [404, '.html', 'Not found']);
  response.writeHead(status, { 'content-type': TYPES[type] ?? 'application/octet-stream' }).end(body);
}).listen(port, '127.0.0.1', () => console.log(`http://127.0.0.1:${port}`));
