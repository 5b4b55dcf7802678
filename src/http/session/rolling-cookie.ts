/**
 * When a rolling cookie is sent again: often enough to outlive its session, but at most once in a tenth of its age.
 * Runs in every thread of the host.
 */

import type { Seen, Session } from '../../index.js';

/** When this thread last sent a session's cookie, in session time. */
const sentAt = new WeakMap<Session, number>();

/** Notes that the cookie has just been sent. */
export function cookieSent(session: Session): void {
  sentAt.set(session, session.lastSeenAt.getTime());
}

/**
 * Whether to send the cookie again. The time since the token was issued is divided into intervals of a tenth of the
 * cookie's age. The first request in an interval sends the cookie, in whichever thread it arrives, as all threads see
 * the same seen mark. If something else, such as a socket, made that mark, a thread sends the cookie once it has not
 * done so for half of the age.
 */
export function isResendDue(session: Session, { before, now, endedAt, endsAt, tokenIssuedAt }: Seen): boolean {
  // A session that never ends has a cookie without an age. If the absolute timeout ends it, a new cookie would not last
  // longer.
  if (endsAt === Number.POSITIVE_INFINITY || endsAt <= endedAt) return false;
  const tenth = Math.max(1, (endedAt - before) / 10);
  const isFirst = Math.floor(now / tenth) > Math.floor(before / tenth);
  if (!isFirst && now < 5 * tenth) return false;
  const unsent = tokenIssuedAt + now - (sentAt.get(session) ?? tokenIssuedAt);
  return unsent >= (isFirst ? tenth : 5 * tenth);
}
