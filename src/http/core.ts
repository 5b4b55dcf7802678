/** From a request to its session: what all adapters share. Runs in every thread of the host. */

import type { IncomingMessage, ServerResponse } from 'node:http';
import { types } from 'node:util';
import type { Claim, Session, SessionData, SessionManager } from '../index.js';
import { type HttpOptions, type ResolvedHttpOptions, refused, resolveHttpOptions } from './options/options.js';
import { withStatus } from './options/refusal.js';
import { type Exchange, exchangeOf } from './request/exchange.js';
import { findSession } from './session/find.js';
import { SessionOfRequest } from './session/request-session.js';

/** Opens the sessions of one manager for HTTP requests. */
export class HttpSessions {
  readonly #manager: SessionManager;
  readonly #options: ResolvedHttpOptions;

  /** Throws ERR_INVALID_OPTION. */
  constructor(manager: SessionManager<never> | SessionManager, options: HttpOptions | undefined) {
    this.#manager = manager as SessionManager;
    this.#options = resolveHttpOptions(this.#manager, options);
  }

  /**
   * True if `session`, found on a request, is already a session of this manager. Throws ERR_INVALID_OPTION if it
   * belongs to another package: that package goes on using what it has put there, and neither would work.
   */
  has(session: unknown): boolean {
    if (SessionOfRequest.isOf(this.#manager, session)) return true;
    if (typeof session !== 'object' || session === null || SessionOfRequest.isAny(session)) return false;
    throw refused(
      'request.session',
      'of one package: another one, such as express-session, has put its own there before',
    );
  }

  /**
   * The session of a request: synchronous if shared memory has it, a promise otherwise. Never throws or rejects because
   * of what a client sent.
   */
  open(exchange: Exchange): SessionOfRequest | Promise<SessionOfRequest> {
    const found = this.find(exchange);
    return types.isPromise(found) ? found.then((late) => this.#opened(exchange, late)) : this.#opened(exchange, found);
  }

  #opened(exchange: Exchange, found: Claim | undefined): SessionOfRequest {
    return new SessionOfRequest(this.#manager, this.#options, exchange, found);
  }

  /** As `findSession`; errors of the manager get their HTTP status. */
  find(exchange: Exchange): Claim | undefined | Promise<Claim | undefined> {
    try {
      const found = findSession(this.#manager, exchange, this.#options);
      if (!types.isPromise(found)) return found;
      return found.catch((error: unknown) => Promise.reject(withStatus(error)));
    } catch (error) {
      throw withStatus(error);
    }
  }

  /** As `open`. The response waits for the session's changes and gets its cookie. */
  openNode(request: IncomingMessage, response: ServerResponse): SessionOfRequest | Promise<SessionOfRequest> {
    return this.open(exchangeOf(request, response));
  }
}

/**
 * Looks up the session of a request that has no response, such as a WebSocket upgrade. Checks `bind` as the adapters
 * do, and marks the session as seen. Does not rotate the token, as the new one could not be sent. Resolves to undefined
 * if no live session belongs to the cookie. Rejects with ERR_INVALID_OPTION for wrong options, never because of what a
 * client sent.
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
