/** The property by which a request, or a context, has its session. Runs in every thread of the host. */

import { SessionError } from '../../index.js';
import { SessionOfRequest } from './request-session.js';

const given = Symbol('coatcheck.session');

interface Holder {
  [given]?: unknown;
}

/**
 * `session` as a getter and a setter that takes sessions of requests only. Code written for cookie-session logs users
 * out by `request.session = null`, which would do nothing here.
 */
export const sessionProperty = {
  get(this: Holder): unknown {
    return this[given];
  },
  set(this: Holder, session: unknown): void {
    if (typeof session !== 'object' || session === null || !SessionOfRequest.isAny(session)) refuse();
    this[given] = session;
  },
};

function refuse(): never {
  const text =
    'An assignment to `session` of a request stores nothing and logs nobody out: use `session.logout()` for that, and ' +
    '`session.set({ … })` for data';
  throw new SessionError('ERR_INVALID_OPTION', text);
}

const descriptor: PropertyDescriptor = { ...sessionProperty, configurable: true, enumerable: true };

/** Gives a request, or a context, its session. */
export function giveSession(request: object, session: SessionOfRequest): void {
  Object.defineProperty(request, 'session', descriptor);
  (request as Holder)[given] = session;
}
