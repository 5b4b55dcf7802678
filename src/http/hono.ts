/**
 * Sessions for Hono, in Node and in other runtimes with web-standard requests: `coatcheck/hono`. Runs in every thread
 * of the host.
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
 * A middleware that gives every context a `session` (`RequestSession`): `c.get('session')` or `c.var.session`. Use it
 * before the handlers that need one.
 *
 * A session of the same manager that is already there stays; a session of another manager, set by a surrounding site,
 * is replaced. The client's address is known under `@hono/node-server` only; elsewhere `bind.ip` refuses every client.
 *
 * `app.use(coatcheck(sessions))`. Throws ERR_INVALID_OPTION for wrong `options`.
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
 * The header by which @hono/node-server knows that a handler has answered on the `ServerResponse` itself: it then
 * ignores Hono's response.
 */
const ALREADY_SENT = 'x-hono-already-sent';

const silent: HeadChanges = { setCookie: undefined, clearSiteData: undefined, isRead: false, isPrivate: false };

/** The exchange of a Hono request. */
interface HonoExchange extends Exchange {
  /**
   * True once Hono's response has the session's headers: the server's response, which is made from it, then needs none.
   */
  isHeadChanged: boolean;
}

/**
 * A handler may answer on the server's own response instead of Hono's. That one is hooked as well: the session's
 * headers are in whichever goes out.
 */
function exchangeFor(context: Context): HonoExchange {
  const { incoming, outgoing } = bindingsOf(context);
  const upgraded = incoming ?? { headers: { upgrade: context.req.header('upgrade') } };
  // Only @hono/node-server 2 sends the response's headers with an upgrade. It is recognised by its `wss` binding.
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

/** The Node request and response that @hono/node-server puts into the environment. */
function bindingsOf({ env }: Context): Bindings {
  const { incoming, outgoing }: Bindings = env?.server?.incoming ? env.server : (env ?? {});
  return {
    incoming: typeof incoming === 'object' ? (incoming ?? undefined) : undefined,
    outgoing: typeof outgoing?.writeHead === 'function' ? outgoing : undefined,
  };
}
