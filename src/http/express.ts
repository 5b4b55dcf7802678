/**
 * Sessions for Express 4 and 5, Connect, and node:http by itself: `coatcheck/express`. Runs in every thread of the
 * host.
 */

import type { IncomingMessage, ServerResponse } from 'node:http';
import { types } from 'node:util';
import type { SessionData, SessionManager } from '../index.js';
import { HttpSessions } from './core.js';
import { type HttpOptions, refused } from './options/options.js';
import type { RequestSession, StoredData } from './options/types.js';
import { SessionOfRequest } from './session/request-session.js';

export * from './face.js';

declare global {
  namespace Express {
    // There also where nobody else declares it.
    interface Request {}
  }
}

/** What the types of other packages, such as @types/express-session, say of `request.session`. */
type SessionBeside = Express.Request extends { session: infer S } ? S : unknown;

// Express's own interface rather than the global one, where a second declaration of `session` is an error.
declare module 'express-serve-static-core' {
  interface Request<P, ResBody, ReqBody, ReqQuery, LocalsObj> {
    /** The session of this request: see `RequestSession` of `coatcheck/express`. */
    session: RequestSession<StoredData> & SessionBeside;
  }
}

/**
 * `(request, response, next)`, as Express, Connect and node:http have them. `next` is called once, with an error where
 * the session could not be looked up.
 */
export type Middleware = (request: IncomingMessage, response: ServerResponse, next: (error?: unknown) => void) => void;

/**
 * Gives every request a `session` (`RequestSession`), before whatever answers. A request that has one of this manager
 * already keeps it; one of another manager, of a site around this one, gives way. One of another package
 * (express-session) is an error, ERR_INVALID_OPTION, for `next`.
 *
 * `app.use(coatcheck(sessions))` in Express; `withSession(request, response, () => …)` in node:http. Throws
 * ERR_INVALID_OPTION where `options` are wrong.
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
  (request as { session?: unknown }).session = session;
  next();
}

/**
 * The session that the middleware gave a request, where the type of the request says nothing of it, as in node:http.
 * Throws ERR_INVALID_OPTION if it gave none.
 */
export function sessionIn<D extends SessionData = StoredData>(request: IncomingMessage): RequestSession<D> {
  const session: unknown = Reflect.get(request, 'session');
  if (session instanceof SessionOfRequest) return session as unknown as RequestSession<D>;
  throw refused('request', 'one that has come through the middleware of `coatcheck`');
}
