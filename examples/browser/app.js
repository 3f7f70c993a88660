import { Tidings, browserStorage, followPage } from '/client/index.js';

const [who, say, messages] = ['who', 'say', 'messages'].map((id) => document.getElementById(id));

/** Asks our own backend, which knows who is signed in. */
const chat = async () => (await fetch('/chat')).json();

who.addEventListener('submit', async (event) => {
  event.preventDefault();
  document.cookie = `user=${who.elements.user.value}; SameSite=Strict`;
  const { url, user } = await chat();

  const tidings = new Tidings({ url, token: async () => (await chat()).token, storage: browserStorage(sessionStorage), deviceId: `page-${user}` });
  tidings.on('message', ({ kind, sender_id, text }) => {
    if (kind !== 'text') return;
    const line = document.createElement('li');
    line.textContent = `${sender_id}: ${text}`;
    messages.append(line);
  });
  followPage(tidings);
  await tidings.connect();

  who.hidden = true;
  say.hidden = false;
  say.addEventListener('submit', async (submit) => {
    submit.preventDefault();
    const { to, text } = Object.fromEntries(new FormData(say));
    say.elements.text.value = '';
    await tidings.send({ to, text });
  });
});
