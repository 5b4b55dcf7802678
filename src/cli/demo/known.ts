/** The user who is logged in, as every page needs it. Runs in the main thread. */

import type { RequestSession } from '../../http/express.js';
import type { Visits } from './visits.js';

export interface Known {
  readonly user: string;
  /** The CSRF token for the forms of the page. */
  readonly csrf: string;
}

/** Undefined if nobody is logged in. Asking for a CSRF token then would create a session. */
export async function known(session: RequestSession<Visits>): Promise<Known | undefined> {
  return session.userId === undefined ? undefined : loggedIn(session);
}

/** Rejects with the adapter's HttpRefusal if nobody is logged in. */
export async function loggedIn(session: RequestSession<Visits>): Promise<Known> {
  return { user: session.requireLogin(), csrf: await session.csrfToken() };
}
