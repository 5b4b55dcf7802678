/** When a rolling cookie is sent anew: often enough to outlive its session, and no oftener than once in a tenth of its age. Runs in every thread of the host. */

import type { Session } from '../index.js';

/** When this thread last sent a session's cookie, in session time. */
const sentAt = new WeakMap<Session, number>();

/** How a session stood when a request came. */
export interface Seen {
  /** In session time, when it was seen before, and now. */
  readonly before: number;
  readonly now: number;
  /** When it would have ended, had it not been seen now, and when it ends after that. */
  readonly endedAt: number;
  readonly endsAt: number;
}

/** Marks the session as seen, and says what that changed; undefined if it has ended. No message. */
export function see(session: Session): Seen | undefined {
  const before = session.lastSeenAt.getTime();
  const endedAt = endOf(session);
  if (!session.touch()) return undefined;
  return { before, endedAt, now: session.lastSeenAt.getTime(), endsAt: endOf(session) };
}

function endOf(session: Session): number {
  return session.expiresAt?.getTime() ?? Number.POSITIVE_INFINITY;
}

/** Remembers that the cookie has just been sent. */
export function renewed(session: Session): void {
  sentAt.set(session, session.lastSeenAt.getTime());
}

/**
 * Whether to send the cookie anew. The token's age is cut into tenths of the cookie's; the first request in a tenth renews, in whichever thread it comes, as all threads see
 * the same mark. Where others make that mark first, such as sockets, a thread does so when it has sent none for half of the age.
 */
export function isRenewalDue(session: Session, { before, now, endedAt, endsAt }: Seen): boolean {
  // What is never over has no age to renew; what ends by the absolute timeout gains nothing.
  if (endsAt === Number.POSITIVE_INFINITY || endsAt <= endedAt) return false;
  const tenth = Math.max(1, (endedAt - before) / 10);
  const issued = session.tokenIssuedAt.getTime();
  const unsent = now - (sentAt.get(session) ?? issued);
  if (unsent < tenth) return false;
  return Math.floor((now - issued) / tenth) > Math.floor((before - issued) / tenth) || unsent >= 5 * tenth;
}
