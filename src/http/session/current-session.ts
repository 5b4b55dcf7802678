/**
 * The session that a request has, and whether its client may be given the session's cookie. Runs in every thread of the
 * host.
 *
 * In a thread a session is one object, also for two requests at once, and that object knows the latest token: also one
 * that another request has just been given for logging in. So a client is given a token only by a claim of its own: by
 * what its cookie carried, or by what its own request made.
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

  /** The session, ended or not: it stays, so that what is changed too late is refused rather than begun anew. */
  get session(): Session | undefined {
    return this.#session;
  }

  /** What this client holds of it. Undefined once the session has ended or its token is another's. */
  get claim(): Claim | undefined {
    return this.#claim?.isGood ? this.#claim : undefined;
  }

  /** Whether there is a cookie to be sent: of a token that the client does not have yet, or to renew it. */
  get isCookieDue(): boolean {
    const session = this.#session;
    const claim = this.#claim;
    if (session === undefined || claim === undefined) return false;
    return claim.isNews || (claim.seen !== undefined && isResendDue(session, claim.seen));
  }

  /** The cookie to be sent with the response, if any is due. */
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

  /** A session that this request has just made. */
  adopt(session: Session): void {
    this.#session = session;
    this.#claim = this.#claimOf(session);
  }

  /** A new token. ERR_TOKEN_UNKNOWN where the session has moved on from the one of this client. */
  rotate(session: Session, options: { grace?: Duration } | undefined): Promise<void> {
    return this.#changeToken(session, async () => {
      if (session.alive && this.claim === undefined) throw new SessionError('ERR_TOKEN_UNKNOWN');
      await session.rotate(options);
    });
  }

  /**
   * A new token for whoever has shown to be the session's own user: also with an old one, as when a form is sent twice.
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

  /** Undefined where it has ended again by now. */
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
 * Runs a change of the session's token when those before it are done, whoever asked for them. A session is one object
 * in a thread, and knows only its latest token: two requests that changed it at once could not tell whose it is, and
 * one of them would hand its client the other's.
 */
export function afterOtherTokenChanges<T>(session: Session, change: () => Promise<T>): Promise<T> {
  const done = (lastTokenChange.get(session) ?? Promise.resolve()).then(change);
  lastTokenChange.set(
    session,
    done.catch(() => undefined),
  );
  return done;
}
