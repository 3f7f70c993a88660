// A message from your backend, in the name of one of your users.
//
//   TIDINGS_URL=http://127.0.0.1:8080 TIDINGS_SERVER_KEY=… node send.mjs FROM TO TEXT
import { randomUUID } from 'node:crypto';

const [from, to, text] = process.argv.slice(2);

/** Sends once, however often it has to try: the id stays the same. */
async function send(message) {
  for (let attempt = 1; ; attempt += 1) {
    const answer = await fetch(`${process.env.TIDINGS_URL}/v1/messages`, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${process.env.TIDINGS_SERVER_KEY}`,
        'x-tidings-user': from,
        'content-type': 'application/json',
      },
      body: JSON.stringify(message),
    });
    if (answer.ok) return answer.json();
    if (answer.status !== 503 || attempt === 5) throw new Error(`${answer.status}: ${await answer.text()}`);
    await new Promise((resolve) => setTimeout(resolve, Math.random() * 1000 * 2 ** attempt));
  }
}

console.log(JSON.stringify(await send({ to, text, client_id: randomUUID() })));
