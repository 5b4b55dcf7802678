/** What a login makes of the session before it. Runs in every thread of the host. */

import type { NewSession, Patch, Session, SessionManager } from '../../index.js';
import { isEnded } from '../options/refusal.js';
import type { CurrentSession } from './current-session.js';
import { merged } from './patch.js';

type Data = Record<string, unknown>;

/** Who logs in, from where, and what to store with it. */
export interface Login {
  readonly userId: string;
  readonly patch: Patch<Data> | undefined;
  readonly client: NonNullable<NewSession['client']>;
}

/**
 * A session that nobody was logged in to never becomes a user's: whoever planted it, or logs in with it at the same
 * time, holds an ended one afterwards. Its data goes over into a new one. Only who is this very user already keeps the
 * session, under a new token.
 */
export async function logIn(manager: SessionManager, current: CurrentSession, login: Login): Promise<void> {
  const before = current.session;
  if (before?.alive && before.userId === login.userId) {
    try {
      await current.logInAgain(before, login.userId, login.patch);
      return;
    } catch (error) {
      // Logged out elsewhere meanwhile: begun anew.
      if (!isEnded(error)) throw error;
    }
  }
  const version = before?.version;
  const { userId, client } = login;
  const session = await manager.newSession({
    userId,
    client,
    data: merged(dataToCarryOver(before), login.patch) ?? null,
  });
  try {
    await session.login(userId);
    // What was stored meanwhile by another request of this browser goes along.
    if (before?.alive && before.version !== version)
      await session.replace(merged(dataToCarryOver(before), login.patch));
  } catch (error) {
    await session.close('login refused').catch(() => undefined);
    throw error;
  }
  current.adopt(session);
  await before?.close('logged in');
}

/** What a session holds that nobody was logged in to; nothing of another user's. */
function dataToCarryOver(session: Session | undefined): Data {
  try {
    return session?.userId === undefined ? (session?.data ?? {}) : {};
  } catch (error) {
    if (isEnded(error)) return {};
    throw error;
  }
}
