/** Sessions for Express 4 and 5, Connect and plain node:http: `coatcheck/express`. Runs in every thread of the host. */

import type { IncomingMessage, ServerResponse } from 'node:http';
import { types } from 'node:util';
import type { SessionData, SessionManager } from '../index.js';
import { HttpSessions } from './core.js';
import { type HttpOptions, refused } from './options/options.js';
import type { RequestSession, StoredData } from './options/types.js';
import { SessionOfRequest } from './session/request-session.js';
import { giveSession } from './session/session-property.js';

export * from './face.js';

declare global {
  namespace Express {
    // Declared here as well, as @types/express may be missing.
    interface Request {}
  }
}

/** What the types of other packages, such as @types/express-session, declare for `request.session`. */
type SessionBeside = Express.Request extends { session: infer S } ? S : unknown;

// Express's own interface, as a second declaration of `session` in the global one would be an error.
declare module 'express-serve-static-core' {
  interface Request<P, ResBody, ReqBody, ReqQuery, LocalsObj> {
    /** The session of this request: see `RequestSession` of `coatcheck/express`. */
    session: RequestSession<StoredData> & SessionBeside;
  }
}

/**
 * A middleware for Express, Connect and node:http. `next` is called once; with an error if the session could not be
 * looked up.
 */
export type Middleware = (request: IncomingMessage, response: ServerResponse, next: (error?: unknown) => void) => void;

/**
 * A middleware that gives every request a `session` (`RequestSession`). Use it before the handlers that need one.
 *
 * A session of the same manager that is already there stays; a session of another manager, set by a surrounding site,
 * is replaced. If another package (express-session) has set one, `next` gets ERR_INVALID_OPTION.
 *
 * In Express: `app.use(coatcheck(sessions))`. In node:http: `withSession(request, response, () => …)`. Throws
 * ERR_INVALID_OPTION for wrong `options`.
 */
export function coatcheck<D extends SessionData>(manager: SessionManager<D>, options?: HttpOptions): Middleware {
  const sessions = new HttpSessions(manager as unknown as SessionManager, options);
  return (request, response, next) => {
    let session: SessionOfRequest | Promise<SessionOfRequest> | undefined;
    try {
      const isThere = sessions.has((request as { session?: unknown }).session);
      session = isThere ? undefined : sessions.openNode(request, response);
    } catch (error) {
      return next(error);
    }
    if (session === undefined) next();
    else if (types.isPromise(session)) session.then((opened) => give(opened, request, next), next);
    else give(session, request, next);
  };
}

function give(session: SessionOfRequest, request: IncomingMessage, next: () => void): void {
  giveSession(request, session);
  next();
}

/**
 * The session that the middleware gave a request, for code in which the request's type does not have it, as in
 * node:http. Throws ERR_INVALID_OPTION if there is none.
 */
export function sessionIn<D extends SessionData = StoredData>(request: IncomingMessage): RequestSession<D> {
  const session: unknown = Reflect.get(request, 'session');
  if (session instanceof SessionOfRequest) return session as unknown as RequestSession<D>;
  throw refused('request', 'one that has come through the middleware of `coatcheck`');
}
