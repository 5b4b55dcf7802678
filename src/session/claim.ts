/**
 * What a client holds of a session: the token that its cookie carried, and whichever followed it by right. Used in
 * every thread of the host.
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

/** What a cookie carries. */
export interface PresentedToken {
  readonly token: string;
  /** Whether the key that signs now would have made another. */
  readonly isOutdated: boolean;
}

/** Keeps these MACs from meaning anything elsewhere: what else is derived of a token has another label. */
const PURPOSE = 'coatcheck claim v1\0';

export class SessionClaim implements Claim {
  readonly #context: ClaimContext;
  readonly #session: SessionHandle;
  /** Undefined for a client that is still to be sent a cookie. */
  readonly #presented: PresentedToken | undefined;
  /** The last token that this client was known to have a right to. */
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

  /** Never by a look-up, which would report a token whose grace has passed meanwhile as reused. */
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
    // Where that took longer than the grace, its outcome is this client's all the same.
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
