/**
 * Renders pages in a thread of the Piscina pool. It looks the session up by the cookie; the main thread passes nothing
 * else of it.
 */

import { threadId } from 'node:worker_threads';
import { connectSessionManager, type Session, SessionError } from '../../index.js';
import { roomPage } from './room-page.js';
import { rooms, type Visits, withVisit } from './visits.js';

export interface PageTask {
  readonly room: string;
  readonly cookie: string | undefined;
  /** The CSRF token for the forms of the page. */
  readonly csrf: string | undefined;
  /** False for a HEAD request, which does not count as a visit. */
  readonly counts: boolean;
}

// Found by name, as this thread was spawned after the manager, by the thread that started it.
const manager = await connectSessionManager<Visits>();

/** The page of a room, as markup. Undefined if the manager cannot count the visit now. */
export async function renderPage({ room, cookie, csrf, counts }: PageTask): Promise<string | undefined> {
  const found = rooms.find(({ name }) => name === room);
  if (found === undefined) throw new Error('No such room');
  const before = performance.now();
  const session = manager.getSession(cookie);
  const lookup = (performance.now() - before) * 1000;

  try {
    const visitor = session === undefined ? undefined : await visit(session, room, counts);
    return roomPage({ room: found, thread: threadId, lookup, visitor, csrf });
  } catch (error) {
    // Errors lose their code on the way to the main thread.
    if (error instanceof SessionError) return undefined;
    throw error;
  }
}

async function visit(session: Session<Visits>, room: string, counts: boolean) {
  try {
    if (counts) await session.update((data) => withVisit(data, { room, thread: threadId, at: new Date() }));
    return { user: session.userId ?? '', data: session.data };
  } catch (error) {
    // Logged out in the meantime: rendered as if the session had not been found.
    if (error instanceof SessionError && error.code === 'ERR_SESSION_ENDED') return undefined;
    throw error;
  }
}
