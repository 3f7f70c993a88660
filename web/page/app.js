import { fill } from './dom.js';
import { Chat } from './model/chat.js';
import { currentSession, forgetSession } from './session.js';
import { theme } from './theme.js';
import { shell } from './views/shell.js';
import { signIn } from './views/sign-in.js';

const root = /** @type {HTMLElement} */ (document.getElementById('root'));

theme.apply();
const session = currentSession();
if (session) enter(session);
else askWho();

/** @param {string} [notice] why one has to sign in again */
function askWho(notice) {
  document.title = 'Tidings';
  fill(root, signIn({ notice, onSession: enter }));
}

/** @param {import('./session.js').Session} session */
function enter(session) {
  const chat = new Chat(session);
  const view = shell(chat, { onSignOut: () => leave(chat, view) });
  chat.on('ended', () => end(chat, view, 'Your session has ended. Sign in again to go on.'));
  fill(root, view.node);
  void chat.start();
}

async function leave(chat, view) {
  try {
    await chat.tidings.http.signOut();
  } catch {
    // The token is forgotten here in any case.
  }
  await end(chat, view);
}

async function end(chat, view, notice) {
  forgetSession();
  view.close();
  await chat.stop();
  history.replaceState(null, '', location.pathname);
  askWho(notice);
}
