import { fill, h } from '../dom.js';
import { icon } from '../icons.js';
import { openSession } from '../session.js';

/** The server takes no shorter ones. */
const MIN_PASSWORD = 8;

/** @param {{ notice?: string, onSession: (session: import('../session.js').Session) => void }} options */
export function signIn({ notice, onSession }) {
  let create = true;
  const node = h('main', { class: 'sign-in' });
  const draw = (values = {}) => fill(node, brand(), h('div', { class: 'card' }, tabs(), form(values)), foot());

  function tabs() {
    const tab = (label, value) => h('button', {
      type: 'button', class: 'tab', 'aria-pressed': String(create === value),
      on: {
        click: () => {
          create = value;
          notice = undefined;
          draw(read(node));
        },
      },
    }, label);
    return h('div', { class: 'tabs', role: 'group', 'aria-label': 'Account' }, tab('New account', true), tab('Sign in', false));
  }

  function form(values) {
    const problem = h('p', { class: 'problem', role: 'alert' }, notice);
    const submit = h('button', { type: 'submit', class: 'button primary' }, create ? 'Create account' : 'Sign in');
    return h('form', {
      on: {
        submit: async (event) => {
          event.preventDefault();
          const input = read(node);
          const complaint = check(input, create);
          if (complaint) {
            fill(problem, complaint);
            return;
          }
          fill(problem);
          submit.disabled = true;
          try {
            onSession(await openSession({ ...input, create }));
          } catch (error) {
            fill(problem, explain(error, create));
            submit.disabled = false;
          }
        },
      },
    },
    field('User name', 'userId', { autocomplete: 'username', autocapitalize: 'none', spellcheck: 'false', maxlength: 64, autofocus: true, value: values.userId },
      create ? 'How others find you. Letters, digits, dots and dashes.' : undefined),
    create ? field('Your name', 'name', { autocomplete: 'name', maxlength: 64, value: values.name }, 'Shown beside your messages. May be left empty.') : null,
    field('Password', 'password', { type: 'password', autocomplete: create ? 'new-password' : 'current-password', value: values.password },
      create ? `At least ${MIN_PASSWORD} characters.` : undefined),
    problem, submit);
  }

  draw();
  return node;
}

function brand() {
  return h('header', { class: 'brand' },
    h('span', { class: 'brand-mark' }, icon('send')),
    h('h1', {}, 'Tidings'),
    h('p', {}, 'Messages that arrive: once, in order, on every screen.'));
}

function foot() {
  return h('p', { class: 'foot' },
    'Two tabs are two people: create one account here, open this page in a second window, create another, and talk.');
}

function field(label, name, props, hint) {
  const id = `field-${name}`;
  return h('div', { class: 'field' },
    h('label', { for: id }, label),
    h('input', { id, name, type: 'text', 'aria-describedby': hint ? `${id}-hint` : null, ...props }),
    hint ? h('p', { class: 'hint', id: `${id}-hint` }, hint) : null);
}

function read(node) {
  const value = (name) => node.querySelector(`[name=${name}]`)?.value ?? '';
  return { userId: value('userId').trim(), name: value('name').trim(), password: value('password') };
}

function check({ userId, password }, create) {
  if (!userId) return 'Type a user name.';
  if (create && password.length < MIN_PASSWORD) return `The password needs at least ${MIN_PASSWORD} characters.`;
  return password ? undefined : 'Type your password.';
}

function explain(error, create) {
  if (error.code === 'conflict') return 'That user name is taken. Choose another, or sign in if it is yours.';
  if (error.code === 'unauthenticated') return 'The user name or the password is wrong.';
  if (error.code === 'rate_limited') return 'That were many attempts. Wait a little before the next.';
  if (error.code === 'disconnected' || error.code === 'timeout') return 'The server does not answer. Is it running?';
  if (error.code === 'not_found' && create) return 'This server has no accounts of its own: its users come from the application in front of it.';
  return error.message;
}
