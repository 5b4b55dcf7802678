/** The pages of the rooms, which the pool renders. Runs in the main thread. */

import type { Piscina } from 'piscina';
import type { SessionManager } from '../../index.js';
import { known } from './known.js';
import type { PageTask } from './page-worker.js';
import { Refusal, type Reply } from './reply.js';
import type { Routes, Visitor } from './visitor.js';
import { rooms, type Visits } from './visits.js';

/** The number of pages that may wait for a thread. Further visitors are asked to come again. */
const MOST_WAITING = 256;

export function houseRoutes(manager: SessionManager<Visits>, pool: Piscina<PageTask, string | undefined>): Routes {
  return Object.fromEntries(
    rooms.map(({ name }) => [`/page/${name}`, { GET: (visitor: Visitor) => room(visitor, name) }]),
  );

  /**
   * The pool thread gets the cookie and looks the session up itself. A visitor who has logged out by then gets the page
   * without one.
   */
  async function room({ request, session }: Visitor, name: string): Promise<Reply> {
    if (pool.queueSize >= MOST_WAITING) throw full();
    const csrf = (await known(session))?.csrf;
    const { current } = session;
    const cookie = current === undefined ? undefined : manager.getCookieData(current).value;
    const body = await pool.run({ room: name, cookie, csrf, counts: request.method !== 'HEAD' });
    if (body === undefined) throw full();
    return { status: 200, body };
  }
}

function full(): Refusal {
  return new Refusal(503, 'Please wait', 'The house is full. Come again in a moment.', { 'Retry-After': '1' });
}
