/**
 * The session that a request has, and whether its client may be given the session's cookie. Runs in every thread of the
 * host.
 *
 * In a thread, a session is one object for all requests, and that object knows the latest token, even one that another
 * request has just received for logging in. So a client gets a token only through a claim of its own: by the cookie
 * that it sent, or by what its own request did.
 */

import {
  type Claim,
  type CookieData,
  type Duration,
  type NewSession,
  type Patch,
  type Session,
  SessionError,
  type SessionManager,
} from '../../index.js';
import { cookieSent, isResendDue } from './rolling-cookie.js';

export class CurrentSession {
  readonly #manager: SessionManager;
  #session: Session | undefined;
  #claim: Claim | undefined;

  constructor(manager: SessionManager, claim: Claim | undefined) {
    this.#manager = manager;
    this.#session = claim?.session;
    this.#claim = claim;
  }

  /**
   * The session, alive or ended. An ended session stays here, so that a late change is refused instead of creating
   * another.
   */
  get session(): Session | undefined {
    return this.#session;
  }

  /** The client's claim. Undefined once the session has ended, or has a token that does not follow the client's. */
  get claim(): Claim | undefined {
    return this.#claim?.isGood ? this.#claim : undefined;
  }

  /** Whether a cookie is to be sent: the client does not have the current token, or its rolling cookie is due. */
  get isCookieDue(): boolean {
    const session = this.#session;
    const claim = this.#claim;
    if (session === undefined || claim === undefined) return false;
    return claim.isNews || (claim.seen !== undefined && isResendDue(session, claim.seen));
  }

  /** The cookie to be sent with the response; undefined if none is due. */
  takeCookie(): CookieData | undefined {
    if (!this.isCookieDue) return undefined;
    const cookie = this.#claim?.getCookieData();
    if (cookie === undefined || (cookie.maxAge === undefined && !this.#claim?.isNews)) return undefined;
    if (this.#session !== undefined) cookieSent(this.#session);
    return cookie;
  }

  async begin(init: NewSession): Promise<void> {
    this.adopt(await this.#manager.newSession(init));
  }

  /** Sets the session that this request has just made. */
  adopt(session: Session): void {
    this.#session = session;
    this.#claim = this.#claimOf(session);
  }

  /**
   * Gives the session a new token. Rejects with ERR_TOKEN_UNKNOWN if the session has a token that does not follow the
   * client's.
   */
  rotate(session: Session, options: { grace?: Duration } | undefined): Promise<void> {
    return this.#changeToken(session, async () => {
      if (session.alive && this.claim === undefined) throw new SessionError('ERR_TOKEN_UNKNOWN');
      await session.rotate(options);
    });
  }

  /**
   * Gives the session a new token, for a client that has proved to be its user. The client may come with an old token,
   * as when a form is sent twice.
   */
  logInAgain(session: Session, userId: string, patch: Patch<Record<string, unknown>> | undefined): Promise<void> {
    return this.#changeToken(session, () => session.login(userId, patch));
  }

  #changeToken(session: Session, change: () => Promise<void>): Promise<void> {
    return afterOtherTokenChanges(session, async () => {
      await change();
      this.#claim = this.#claimOf(session) ?? this.#claim;
    });
  }

  clear(): void {
    this.#session = undefined;
    this.#claim = undefined;
  }

  /** Undefined if the session has ended in the meantime. */
  #claimOf(session: Session): Claim | undefined {
    try {
      return this.#manager.getClaimOf(session);
    } catch {
      return undefined;
    }
  }
}

const lastTokenChange = new WeakMap<Session, Promise<unknown>>();

/**
 * Runs a change of a session's token after all earlier ones in this thread have finished. The session object only knows
 * its latest token: two requests that changed it at the same time could not tell their tokens apart, and one would send
 * its client the other's.
 */
export function afterOtherTokenChanges<T>(session: Session, change: () => Promise<T>): Promise<T> {
  const done = (lastTokenChange.get(session) ?? Promise.resolve()).then(change);
  lastTokenChange.set(
    session,
    done.catch(() => undefined),
  );
  return done;
}
