/**
 * The session that a request has, and whether its client may be given the session's cookie. Runs in every thread of the host.
 *
 * In a thread a session is one object, also for two requests at once, and that object knows the latest token: also one that another request has just been given for
 * logging in. So a client is given a token only if it is the one that its own request made, or if its own cookie still opens the session.
 */

import {
  type CookieData,
  type Duration,
  type NewSession,
  type Patch,
  type Session,
  SessionError,
  type SessionManager,
} from '../index.js';
import type { Found } from './find.js';
import { isRenewalDue, renewed } from './renewal.js';
import { changingToken } from './token-changes.js';

export class Holding {
  readonly #manager: SessionManager;
  #found: Found | undefined;
  #session: Session | undefined;
  /** What the cookie held when this request had made the token. */
  #made: string | undefined;

  constructor(manager: SessionManager, found: Found | undefined) {
    this.#manager = manager;
    this.#found = found;
    this.#session = found?.session;
  }

  /** The session, ended or not: it stays, so that what is changed too late is refused rather than begun anew. */
  get session(): Session | undefined {
    return this.#session;
  }

  /** The session's, as far as this client may know it. Undefined once the session has ended or its token is another's. */
  get cookie(): CookieData | undefined {
    const session = this.#session;
    if (session === undefined) return undefined;
    const isOpened = this.#isOpenedByCookie(session);
    const cookie = this.#cookieOf(session);
    return cookie !== undefined && (isOpened || cookie.value === this.#made) ? cookie : undefined;
  }

  /** The one to be sent with the response: of a token that the client does not have yet, or to renew it. */
  get cookieToSend(): CookieData | undefined {
    const session = this.#session;
    const { cookie } = this;
    if (session === undefined || cookie === undefined) return undefined;
    if (cookie.value === this.#found?.cookie) {
      if (cookie.maxAge === undefined || !isRenewalDue(session, this.#found.seen)) return undefined;
    }
    renewed(session);
    return cookie;
  }

  async begin(init: NewSession): Promise<void> {
    this.take(await this.#manager.newSession(init));
  }

  /** A session that this request has just made. */
  take(session: Session): void {
    this.#session = session;
    this.#found = undefined;
    this.#made = this.#cookieOf(session)?.value;
  }

  /** A new token. ERR_TOKEN_UNKNOWN where the session has moved on from the one of this client. */
  rotate(session: Session, options: { grace?: Duration } | undefined): Promise<void> {
    return this.#changeToken(session, async () => {
      if (session.alive && this.cookie === undefined) throw new SessionError('ERR_TOKEN_UNKNOWN');
      await session.rotate(options);
    });
  }

  /** A new token for whoever has shown to be the session's own user: also with an old one, as when a form is sent twice. */
  logInAgain(session: Session, userId: string, patch: Patch<Record<string, unknown>> | undefined): Promise<void> {
    return this.#changeToken(session, () => session.login(userId, patch));
  }

  #changeToken(session: Session, change: () => Promise<void>): Promise<void> {
    return changingToken(session, async () => {
      await change();
      this.#made = this.#cookieOf(session)?.value;
    });
  }

  letGo(): void {
    this.#session = undefined;
    this.#found = undefined;
    this.#made = undefined;
  }

  #isOpenedByCookie(session: Session): boolean {
    const cookie = this.#found?.session === session ? this.#found.cookie : undefined;
    return cookie !== undefined && this.#manager.getSession(cookie, { touch: false }) === session;
  }

  #cookieOf(session: Session): CookieData | undefined {
    try {
      return this.#manager.getCookieData(session);
    } catch {
      return undefined;
    }
  }
}
