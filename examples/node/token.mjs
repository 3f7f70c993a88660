// A token for one of your users, made by your own backend.
//
//   TIDINGS_SECRET=… node token.mjs USER_ID
import { createHmac } from 'node:crypto';
import { pathToFileURL } from 'node:url';

/**
 * @param {string} userId your own id of the user, 1–64 characters
 * @param {string} secret the server's `auth.hs256_secret`
 * @param {number} [seconds] how long the token is good: minutes, since clients fetch a new one by themselves
 */
export function tidingsToken(userId, secret, seconds = 600) {
  const part = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const now = Math.floor(Date.now() / 1000);
  const signed = `${part({ alg: 'HS256', typ: 'JWT' })}.${part({ sub: userId, iat: now, exp: now + seconds })}`;
  return `${signed}.${createHmac('sha256', secret).update(signed).digest('base64url')}`;
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  console.log(tidingsToken(process.argv[2], process.env.TIDINGS_SECRET));
}
