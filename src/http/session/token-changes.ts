/**
 * One change of a session's token at a time in this thread, so that whoever made it knows which token is its own. Runs
 * in every thread of the host.
 */

import type { Session } from '../../index.js';

const under = new WeakMap<Session, Promise<unknown>>();

/**
 * Runs a change of the session's token when those before it are done, whoever asked for them. A session is one object
 * in a thread, and knows only its latest token: two requests that changed it at once could not tell whose it is, and
 * one of them would hand its client the other's.
 */
export function changingToken<T>(session: Session, change: () => Promise<T>): Promise<T> {
  const done = (under.get(session) ?? Promise.resolve()).then(change);
  under.set(
    session,
    done.catch(() => undefined),
  );
  return done;
}
