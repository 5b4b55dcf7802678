/**
 * What one client may do with a session: it has the token that its cookie carried, and any token that replaced it while
 * it was honoured. Used in every thread of the host.
 */

import { createHmac } from 'node:crypto';
import type { Rotation } from '../options/options.js';
import type { Claim, CookieData, Seen } from '../types/types.js';
import type { SessionHandle } from './session.js';
import { maskOf } from './tokens.js';

/** What all claims of one manager share. */
export interface ClaimContext {
  readonly rotation: Rotation | undefined;
  cookieOf(session: SessionHandle, token: string): CookieData;
}

/** The token that a cookie carried. */
export interface PresentedToken {
  readonly token: string;
  /**
   * True if the cookie was signed with a key that is not the first of the list any more: the client should get a new
   * one.
   */
  readonly isOutdated: boolean;
}

/** Separates these MACs from everything else that is derived from a token. */
const PURPOSE = 'coatcheck claim v1\0';

export class SessionClaim implements Claim {
  readonly #context: ClaimContext;
  readonly #session: SessionHandle;
  /** Undefined for a client that has not been sent a cookie yet. */
  readonly #presented: PresentedToken | undefined;
  /** The newest token that this client was found to have a right to. */
  #token: string;
  #seen: Seen | undefined;

  constructor(context: ClaimContext, session: SessionHandle, token: string, presented?: PresentedToken, seen?: Seen) {
    this.#context = context;
    this.#session = session;
    this.#token = token;
    this.#presented = presented;
    this.#seen = seen;
  }

  get session(): SessionHandle {
    return this.#session;
  }

  /** Reads the record, and never looks the token up: a lookup would report a token whose grace has passed as reused. */
  #newestToken(): string | undefined {
    const token = this.#session.newestTokenFor(this.#token);
    if (token !== undefined) this.#token = token;
    return token;
  }

  get isGood(): boolean {
    return this.#newestToken() !== undefined;
  }

  get isNews(): boolean {
    const presented = this.#presented;
    if (presented !== undefined && !presented.isOutdated && this.#session.hasToken(presented.token)) return false;
    const token = this.#newestToken();
    return token !== undefined && (token !== presented?.token || presented.isOutdated);
  }

  get seen(): Seen | undefined {
    return this.#seen;
  }

  see(): boolean {
    const isAlive = this.#session.touch();
    this.#seen = isAlive ? this.#session.seen : undefined;
    return isAlive;
  }

  getCookieData(): CookieData | undefined {
    const token = this.#newestToken();
    return token === undefined ? undefined : this.#context.cookieOf(this.#session, token);
  }

  renew(): Promise<void> | undefined {
    const { rotation } = this.#context;
    return rotation !== undefined && this.#session.isTokenDue(rotation) ? this.#renew(rotation) : undefined;
  }

  async #renew(rotation: Rotation): Promise<void> {
    const token = await this.#session.renew(rotation);
    // If the rotation took longer than the grace, the old token is not honoured any more. The client still gets the new
    // one, as it was made for this client.
    if (token !== undefined && this.#newestToken() === undefined) this.#token = token;
  }

  secrets(label: string): readonly Buffer[] {
    const newest = this.#newestToken() ?? this.#token;
    const masks = [...new Set([newest, this.#presented?.token ?? newest])].map(maskOf);
    const before = this.#session.maskBefore(newest);
    if (before !== undefined) masks.push(before);
    return masks.map((mask) => createHmac('sha256', mask).update(PURPOSE).update(label).digest());
  }
}
