/**
 * The claims of a manager's clients, by the cookies that they present, and the cookies to send them. Used in every
 * thread of the host.
 */

import { cookieData } from '../cookies/cookies.js';
import type { CookieFormat } from '../cookies/format.js';
import type { Lookup } from '../lookup/lookup.js';
import type { Settings } from '../options/settings.js';
import { SessionError } from '../protocol/errors.js';
import { type ClaimContext, SessionClaim } from '../session/claim.js';
import type { SessionHandle } from '../session/session.js';
import type { CookieData } from '../types/types.js';

export class CookieClaims {
  readonly #lookup: Lookup;
  readonly #settings: Settings;
  readonly #format: CookieFormat;
  readonly #now: () => number;
  readonly #context: ClaimContext;

  constructor(lookup: Lookup, settings: Settings, format: CookieFormat, now: () => number) {
    this.#lookup = lookup;
    this.#settings = settings;
    this.#format = format;
    this.#now = now;
    this.#context = { rotation: settings.rotation, cookieOf: (session, token) => this.#cookieOf(session, token) };
  }

  byCookie(cookie: string, touch: boolean): SessionClaim | undefined {
    const found = this.#lookup.entryOf(cookie, touch);
    if (found === undefined) return undefined;
    const presented = this.#lookup.presentedToken(cookie, found);
    if (presented === undefined) return undefined;
    const { handle: session } = found;
    return new SessionClaim(this.#context, session, presented.token, presented, touch ? session.seen : undefined);
  }

  /**
   * The claim of a client that is still to be sent the session's cookie. Throws ERR_TOKEN_UNKNOWN if this thread does
   * not know the current token, ERR_SESSION_ENDED if there is none.
   */
  of(session: SessionHandle): SessionClaim {
    return new SessionClaim(this.#context, session, tokenOf(session));
  }

  /** As `Lookup.byCookie`, and rotates the token first if it is due. */
  async load(cookie: string, touch: boolean): Promise<SessionHandle | undefined> {
    if (this.#settings.rotation === undefined) return this.#lookup.byCookie(cookie, touch);
    const claim = this.byCookie(cookie, touch);
    const renewal = claim?.renew();
    if (renewal === undefined) return claim?.session;
    await renewal;
    // The session may have ended in the meantime, or have been given a token that does not follow the client's (by
    // `login`). The client then finds none, as it would a moment later.
    return claim?.isGood ? claim.session : undefined;
  }

  cookieOf(session: SessionHandle): CookieData {
    return this.#cookieOf(session, tokenOf(session));
  }

  #cookieOf(session: SessionHandle, token: string): CookieData {
    const { expiresAt } = session;
    const maxAge = expiresAt === undefined ? undefined : (expiresAt.getTime() - this.#now()) / 1000;
    return cookieData(this.#settings.cookie, this.#format.valueOf(token, session.tokenTimes), maxAge);
  }
}

function tokenOf(session: SessionHandle): string {
  const token = session.currentToken();
  if (token === undefined) throw new SessionError('ERR_TOKEN_UNKNOWN');
  return token;
}
