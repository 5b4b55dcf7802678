/** What a login does with the session before it. Runs in every thread of the host. */

import type { NewSession, Patch, Session, SessionManager } from '../../index.js';
import { isEnded } from '../options/refusal.js';
import type { CurrentSession } from './current-session.js';
import { merged } from './patch.js';

type Data = Record<string, unknown>;

/** Who logs in, from which client, and what to store. */
export interface Login {
  readonly userId: string;
  readonly patch: Patch<Data> | undefined;
  readonly client: NonNullable<NewSession['client']>;
}

/**
 * Logs a user in. An anonymous session never becomes a user's: whoever planted it, or uses it at the same time, is left
 * with an ended one. Its data goes into a new session. If the same user is logged in already, the session stays, with a
 * new token.
 */
export async function logIn(manager: SessionManager, current: CurrentSession, login: Login): Promise<void> {
  const before = current.session;
  if (before?.alive && before.userId === login.userId) {
    try {
      await current.logInAgain(before, login.userId, login.patch);
      return;
    } catch (error) {
      // It was logged out elsewhere in the meantime: a new session is made.
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
    // Another request of this browser has stored something in the meantime.
    if (before?.alive && before.version !== version)
      await session.replace(merged(dataToCarryOver(before), login.patch));
  } catch (error) {
    await session.close('login refused').catch(() => undefined);
    throw error;
  }
  current.adopt(session);
  await before?.close('logged in');
}

/** The data of an anonymous session; nothing of another user's. */
function dataToCarryOver(session: Session | undefined): Data {
  try {
    return session?.userId === undefined ? (session?.data ?? {}) : {};
  } catch (error) {
    if (isEnded(error)) return {};
    throw error;
  }
}
