/** From a request to its session: what all adapters share. Runs in every thread of the host. */

import type { IncomingMessage, ServerResponse } from 'node:http';
import { types } from 'node:util';
import type { Claim, Session, SessionData, SessionManager } from '../index.js';
import { type HttpOptions, type ResolvedHttpOptions, refused, resolveHttpOptions } from './options/options.js';
import { withStatus } from './options/refusal.js';
import { type Exchange, exchangeOf } from './request/exchange.js';
import { findSession } from './session/find.js';
import { SessionOfRequest } from './session/request-session.js';

/** The sessions of one manager, as they come over HTTP. */
export class HttpSessions {
  readonly #manager: SessionManager;
  readonly #options: ResolvedHttpOptions;

  /** Throws ERR_INVALID_OPTION. */
  constructor(manager: SessionManager<never> | SessionManager, options: HttpOptions | undefined) {
    this.#manager = manager as SessionManager;
    this.#options = resolveHttpOptions(this.#manager, options);
  }

  /**
   * Whether what a request has already is a session of this manager. Throws ERR_INVALID_OPTION at one of another
   * package, which goes on working with what it has put there: neither would do what it says.
   */
  has(session: unknown): boolean {
    if (SessionOfRequest.isOf(this.#manager, session)) return true;
    if (typeof session !== 'object' || session === null || SessionOfRequest.isAny(session)) return false;
    throw refused(
      'request.session',
      'of one package: another one, such as express-session, has put its own there before',
    );
  }

  /** The session of a request; at once where a look at memory does. Never throws or rejects for what a client sent. */
  open(exchange: Exchange): SessionOfRequest | Promise<SessionOfRequest> {
    const found = this.find(exchange);
    return types.isPromise(found) ? found.then((late) => this.#opened(exchange, late)) : this.#opened(exchange, found);
  }

  #opened(exchange: Exchange, found: Claim | undefined): SessionOfRequest {
    return new SessionOfRequest(this.#manager, this.#options, exchange, found);
  }

  /** What `findSession` finds. */
  find(exchange: Exchange): Claim | undefined | Promise<Claim | undefined> {
    try {
      const found = findSession(this.#manager, exchange, this.#options);
      if (!types.isPromise(found)) return found;
      return found.catch((error: unknown) => Promise.reject(withStatus(error)));
    } catch (error) {
      throw withStatus(error);
    }
  }

  /** As `open`, and the response waits for the session's changes and is told of its cookie. */
  openNode(request: IncomingMessage, response: ServerResponse): SessionOfRequest | Promise<SessionOfRequest> {
    return this.open(exchangeOf(request, response));
  }
}

/**
 * The live session that a request's cookie opens, for requests that have no response: WebSocket upgrades, say. Checked
 * as the adapters do, and marked as seen; its token is not renewed, as that could not be sent. Throws
 * ERR_INVALID_OPTION for wrong options, never for what a client sent.
 */
export async function sessionOf<D extends SessionData>(
  manager: SessionManager<D>,
  request: IncomingMessage,
  options?: HttpOptions,
): Promise<Session<D> | undefined> {
  const sessions = new HttpSessions(manager as unknown as SessionManager, options);
  const found = await sessions.find(exchangeOf(request));
  return found?.session as unknown as Session<D> | undefined;
}
