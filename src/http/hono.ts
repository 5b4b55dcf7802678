/** Sessions for Hono, in Node and wherever a Request becomes a Response: `coatcheck/hono`. Runs in every thread of the host. */

import type { Context, MiddlewareHandler } from 'hono';
import type { SessionData, SessionManager } from '../index.js';
import { HttpSessions } from './core.js';
import { type Exchange, isUpgrade, webExchangeOf } from './exchange.js';
import { changeHead } from './head.js';
import type { HttpOptions } from './options.js';
import type { RequestSession, StoredData } from './types.js';

export * from './face.js';

declare module 'hono' {
  interface ContextVariableMap {
    /** The session of this request: see `RequestSession` of `coatcheck/hono`. */
    session: RequestSession<StoredData>;
  }
}

/**
 * Gives every context a `session` (`RequestSession`): `c.get('session')`, `c.var.session`. Before whatever answers. A context that has one of this manager already keeps
 * it; one of another manager, of a site around this one, gives way. The client's address is known under `@hono/node-server`; elsewhere `bind.ip` finds none, and refuses.
 *
 * `app.use(coatcheck(sessions))`. Throws ERR_INVALID_OPTION where `options` are wrong.
 */
export function coatcheck<D extends SessionData>(manager: SessionManager<D>, options?: HttpOptions): MiddlewareHandler {
  const sessions = new HttpSessions(manager as unknown as SessionManager, options);
  return async (context, next) => {
    if (sessions.has(context.get('session'))) return next();
    const session = await sessions.open(exchangeFor(context));
    context.set('session', session as unknown as RequestSession<StoredData>);
    await next();
    await session.settled();
    const { header } = context;
    changeHead(
      {
        get: (name) => context.res.headers.get(name) ?? undefined,
        set: (name, value) => header(name, value),
        append: (name, value) => header(name, value, { append: true }),
      },
      session.headChanges(),
    );
  };
}

function exchangeFor(context: Context): Exchange {
  const incoming = incomingOf(context);
  const socket: unknown = incoming && Reflect.get(incoming, 'socket');
  // On an upgrade, only @hono/node-server 2 sends the headers of the response along: it names its WebSocket server then.
  const takesCookie =
    !isUpgrade(incoming ?? { headers: { upgrade: context.req.header('upgrade') } }) || context.env?.wss !== undefined;
  return webExchangeOf(
    context.req.raw,
    typeof socket === 'object' && socket !== null ? socket : undefined,
    takesCookie,
  );
}

/** What @hono/node-server leaves in the environment. */
function incomingOf({ env }: Context): object | undefined {
  const incoming: unknown = env?.server?.incoming ?? env?.incoming;
  return typeof incoming === 'object' && incoming !== null ? incoming : undefined;
}
