/** Sessions for Koa 3: `coatcheck/koa`. Runs in every thread of the host. */

import type { Middleware } from 'koa';
import type { SessionData, SessionManager } from '../index.js';
import { HttpSessions } from './core.js';
import type { HttpOptions } from './options/options.js';
import type { RequestSession, StoredData } from './options/types.js';
import { giveSession } from './session/session-property.js';

export * from './face.js';

declare module 'koa' {
  interface DefaultContext {
    /** The session of this request: see `RequestSession` of `coatcheck/koa`. */
    session: RequestSession<StoredData>;
  }
}

/**
 * A middleware that gives every context a `session` (`RequestSession`). Use it before the handlers that need one. A
 * session of the same manager that is already there stays; a session of another manager, set by a surrounding site, is
 * replaced.
 *
 * `app.use(coatcheck(sessions))`. Throws ERR_INVALID_OPTION for wrong `options`.
 */
export function coatcheck<D extends SessionData>(manager: SessionManager<D>, options?: HttpOptions): Middleware {
  const sessions = new HttpSessions(manager as unknown as SessionManager, options);
  return async (context, next) => {
    if (!sessions.has(Reflect.get(context, 'session'))) {
      giveSession(context, await sessions.openNode(context.req, context.res));
    }
    await next();
  };
}
