/**
 * When a rolling cookie is sent anew: often enough to outlive its session, and no oftener than once in a tenth of its
 * age. Runs in every thread of the host.
 */

import type { Seen, Session } from '../../index.js';

/** When this thread last sent a session's cookie, in session time. */
const sentAt = new WeakMap<Session, number>();

/** Remembers that the cookie has just been sent. */
export function cookieSent(session: Session): void {
  sentAt.set(session, session.lastSeenAt.getTime());
}

/**
 * Whether to send the cookie anew. The token's age is cut into tenths of the cookie's; the first request in a tenth
 * renews, in whichever thread it comes, as all threads see the same mark. Where others make that mark first, such as
 * sockets, a thread does so when it has sent none for half of the age.
 */
export function isResendDue(session: Session, { before, now, endedAt, endsAt, tokenIssuedAt }: Seen): boolean {
  // What is never over has no age to renew; what ends by the absolute timeout gains nothing.
  if (endsAt === Number.POSITIVE_INFINITY || endsAt <= endedAt) return false;
  const tenth = Math.max(1, (endedAt - before) / 10);
  const isFirst = Math.floor(now / tenth) > Math.floor(before / tenth);
  if (!isFirst && now < 5 * tenth) return false;
  const unsent = tokenIssuedAt + now - (sentAt.get(session) ?? tokenIssuedAt);
  return unsent >= (isFirst ? tenth : 5 * tenth);
}
