/** The front page: the ticket, login and logout. Runs in the main thread. */

import type { SessionManager } from '../../index.js';
import { takeFlash } from './flash.js';
import { userNameOf } from './form.js';
import { known } from './known.js';
import { ticketPage, welcomePage } from './pages.js';
import { type Reply, redirect } from './reply.js';
import { SAFE } from './safe.js';
import type { Routes, Visitor } from './visitor.js';
import { newVisits, type Visits } from './visits.js';

export function doorRoutes(manager: SessionManager<Visits>): Routes {
  return { '/': { GET: home }, '/login': { POST: login }, '/logout': { POST: logout } };

  async function home(visitor: Visitor): Promise<Reply> {
    const { session, host, query } = visitor;
    const stats = await manager.stats();
    const whose = await known(session);
    const { current } = session;
    if (whose !== undefined && current !== undefined) {
      const notice = await takeFlash(visitor);
      return { status: 200, body: ticketPage({ session: current, known: whose, notice, stats }) };
    }
    const isEnded = query.has('ended');
    // Removes the cookie of a session that has ended. Does nothing without one.
    if (isEnded) await session.logout();
    const notice = isEnded
      ? 'You are not logged in, or not any more: your session has ended. Log in again?'
      : undefined;
    return { status: 200, body: welcomePage({ host, notice, stats }) };
  }

  /** A user who is logged in already keeps the session, under a new token; any other user gets a new session. */
  async function login({ form, session, host }: Visitor): Promise<Reply> {
    const user = userNameOf(form);
    if (user === undefined) {
      const notice = 'A name has 1 to 64 characters, and no control characters among them.';
      return { status: 400, body: welcomePage({ host, notice, stats: await manager.stats() }) };
    }
    if (session.userId === user) await session.login(user, { flash: 'You have logged in again.' });
    else await session.login(user, newVisits());
    // Only to pages to which the demo's own forms lead: a link must not redirect to another site.
    return redirect(form.get('next') === SAFE ? SAFE : '/');
  }

  async function logout({ session }: Visitor): Promise<Reply> {
    await session.logout({ note: 'logged out' });
    return redirect('/');
  }
}
