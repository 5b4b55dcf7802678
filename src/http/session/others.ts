/**
 * The other sessions of a user: listing and ending them. As an id is no secret, only sessions of the same user are
 * touched. Runs in every thread of the host.
 */

import type { Session, SessionId, SessionInfo, SessionManager } from '../../index.js';

/** The default limit of a list. */
const MOST_LISTED = 100;

export async function listOthers(
  manager: SessionManager,
  session: Session | undefined,
  limit: number = MOST_LISTED,
): Promise<SessionInfo[]> {
  const userId = session?.userId;
  const others: SessionInfo[] = [];
  if (session === undefined || userId === undefined) return others;
  for await (const other of manager.getAllSessions({ userId, except: session.id, limit })) others.push(other);
  return others;
}

export async function closeOther(manager: SessionManager, session: Session | undefined, id: unknown): Promise<boolean> {
  const userId = session?.userId;
  if (session === undefined || userId === undefined || typeof id !== 'string' || id === session.id) return false;
  const other = manager.getSessionById(id as SessionId);
  if (other?.userId !== userId) return false;
  await other.close('closed from another session');
  return true;
}

export async function closeOthers(manager: SessionManager, session: Session | undefined): Promise<number> {
  const userId = session?.userId;
  if (session === undefined || userId === undefined) return 0;
  return manager.closeAllSessions({ userId, except: session.id });
}
