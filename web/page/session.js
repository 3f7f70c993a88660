import { HttpApi, newClientId } from '/client/index.js';

const KEY = 'tidings.session';

/**
 * Who is signed in here. Kept for this tab only, so that two people can sit in two tabs of one browser.
 * @typedef {{ userId: string, name: string, token: string, deviceId: string }} Session
 */

/** @returns {Session | undefined} */
export function currentSession() {
  try {
    const value = JSON.parse(sessionStorage.getItem(KEY) ?? 'null');
    return value?.token && value.userId ? value : undefined;
  } catch {
    return undefined;
  }
}

/** @param {{ userId: string, password: string, name?: string, create: boolean }} input @returns {Promise<Session>} */
export async function openSession({ userId, password, name, create }) {
  const http = new HttpApi({ url: location.origin });
  const { user, token } = create
    ? await http.createAccount({ user_id: userId, password, display_name: name || undefined })
    : await http.signIn({ user_id: userId, password });
  const session = {
    userId: user?.user_id ?? user?.id ?? userId,
    name: user?.display_name || name || userId,
    token,
    deviceId: `web-${newClientId()}`,
  };
  sessionStorage.setItem(KEY, JSON.stringify(session));
  return session;
}

export function forgetSession() {
  sessionStorage.removeItem(KEY);
}
