/** Who is logged in, as every page has to know it. Runs in the main thread. */

import type { RequestSession } from '../../http/express.js';
import type { Visits } from './visits.js';

export interface Known {
  readonly user: string;
  /** For the forms of the page. */
  readonly csrf: string;
}

/** Undefined where nobody is: asked for a token then, the adapter would begin a session. */
export async function known(session: RequestSession<Visits>): Promise<Known | undefined> {
  return session.userId === undefined ? undefined : loggedIn(session);
}

/** Rejects with the adapter's refusal where nobody is. */
export async function loggedIn(session: RequestSession<Visits>): Promise<Known> {
  return { user: session.requireLogin(), csrf: await session.csrfToken() };
}
