/**
 * Sessions for Hono, in Node and wherever a Request becomes a Response: `coatcheck/hono`. Runs in every thread of the
 * host.
 */

import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Context, MiddlewareHandler } from 'hono';
import type { SessionData, SessionManager } from '../index.js';
import { HttpSessions } from './core.js';
import type { HttpOptions } from './options/options.js';
import type { RequestSession, StoredData } from './options/types.js';
import { type Exchange, exchangeOf, isUpgrade, webExchangeOf } from './request/exchange.js';
import { changeHead, type HeadChanges, type HeadSource } from './response/head.js';

export * from './face.js';

declare module 'hono' {
  interface ContextVariableMap {
    /** The session of this request: see `RequestSession` of `coatcheck/hono`. */
    session: RequestSession<StoredData>;
  }
}

/**
 * Gives every context a `session` (`RequestSession`): `c.get('session')`, `c.var.session`. Before whatever answers. A
 * context that has one of this manager already keeps it; one of another manager, of a site around this one, gives way.
 * The client's address is known under `@hono/node-server`; elsewhere `bind.ip` finds none, and refuses.
 *
 * `app.use(coatcheck(sessions))`. Throws ERR_INVALID_OPTION where `options` are wrong.
 */
export function coatcheck<D extends SessionData>(manager: SessionManager<D>, options?: HttpOptions): MiddlewareHandler {
  const sessions = new HttpSessions(manager as unknown as SessionManager, options);
  return async (context, next) => {
    if (sessions.has(context.get('session'))) return next();
    const exchange = exchangeFor(context);
    const session = await sessions.open(exchange);
    context.set('session', session as unknown as RequestSession<StoredData>);
    await next();
    await session.settled();
    if (context.res.headers.has(ALREADY_SENT)) return;
    exchange.isHeadChanged = true;
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

/**
 * Marks the response of a handler that answers on the `ServerResponse` of @hono/node-server: nothing else of it is
 * sent.
 */
const ALREADY_SENT = 'x-hono-already-sent';

const silent: HeadChanges = { setCookie: undefined, clearSiteData: undefined, isRead: false, isPrivate: false };

/** An exchange of Hono's. */
interface HonoExchange extends Exchange {
  /**
   * Whether the response of Hono tells of the session, so that the server's own, which it becomes, has nothing to
   * add.
   */
  isHeadChanged: boolean;
}

/**
 * Where a handler may answer past Hono, on the server's own response, that is guarded as well: whichever goes out
 * tells of the session.
 */
function exchangeFor(context: Context): HonoExchange {
  const { incoming, outgoing } = bindingsOf(context);
  const upgraded = incoming ?? { headers: { upgrade: context.req.header('upgrade') } };
  // On an upgrade, only @hono/node-server 2 sends the headers of the response along: it names its WebSocket server
  // then.
  const takesCookie = !isUpgrade(upgraded) || context.env?.wss !== undefined;
  const server = incoming && outgoing && exchangeOf(incoming, outgoing);
  const exchange: HonoExchange = {
    ...webExchangeOf(context.req.raw, incoming?.socket, takesCookie),
    isHeadChanged: false,
    hookHead(session) {
      const source: HeadSource = {
        get isSettled() {
          return session.isSettled;
        },
        settled: () => session.settled(),
        headChanges: () => (exchange.isHeadChanged ? silent : session.headChanges()),
      };
      return server === undefined || server.hookHead(source);
    },
  };
  return exchange;
}

interface Bindings {
  readonly incoming?: IncomingMessage | undefined;
  readonly outgoing?: ServerResponse | undefined;
}

/** What @hono/node-server leaves in the environment. */
function bindingsOf({ env }: Context): Bindings {
  const { incoming, outgoing }: Bindings = env?.server?.incoming ? env.server : (env ?? {});
  return {
    incoming: typeof incoming === 'object' ? (incoming ?? undefined) : undefined,
    outgoing: typeof outgoing?.writeHead === 'function' ? outgoing : undefined,
  };
}
