/**
 * How a token travels over HTTP: what a cookie holds, and the Set-Cookie headers that set and remove it. Used in every
 * thread of the host.
 */

import { createHmac, type KeyObject, timingSafeEqual } from 'node:crypto';
import { stringifySetCookie } from 'cookie';
import type { CookieData } from '../types/types.js';
import { CODED_LENGTH, type CookieFormat } from './format.js';
import { createJwtFormat, loadJwt } from './jwt.js';
import type { ResolvedCookieOptions } from './options.js';

/** Keeps these MACs from meaning anything elsewhere, whatever else the application uses its key for. */
const PURPOSE = 'coatcheck cookie v1\0';

/** Settings of a manager, once what their format needs has been loaded. */
export async function withFormat<S extends { readonly cookie: { readonly format: string } }>(settings: S): Promise<S> {
  if (settings.cookie.format === 'jwt') await loadJwt();
  return settings;
}

/** The format that the options name. */
export function createCookieFormat(
  options: Pick<ResolvedCookieOptions, 'format' | 'keys' | 'algorithm'>,
): CookieFormat {
  const { format, keys, algorithm } = options;
  if (algorithm !== undefined) return createJwtFormat(algorithm, keys);
  return format === 'signed' ? signed(keys) : opaque;
}

const always = (): number => Number.POSITIVE_INFINITY;

/** The token itself. Its digest is looked up, so that nothing but its length needs a look here. */
const opaque: CookieFormat = {
  tokenOf: (cookie) => (cookie.length === CODED_LENGTH ? cookie : undefined),
  goodUntil: always,
  isOutdated: () => false,
  valueOf: (token) => token,
};

/** `<token>.<mac>`: a forged cookie is known without a look at the table. */
function signed(keys: readonly KeyObject[]): CookieFormat {
  const [signingKey] = keys;
  if (signingKey === undefined) throw new TypeError('a signed cookie needs a key');
  return {
    tokenOf(cookie) {
      if (cookie.length !== 2 * CODED_LENGTH + 1 || cookie[CODED_LENGTH] !== '.') return undefined;
      const token = cookie.slice(0, CODED_LENGTH);
      // The texts of the MACs are compared, not the bytes they stand for: base64url has four texts for the same 32
      // bytes, and one of them is ours. UTF-8, as 'latin1' would cut other characters down to ones that match.
      const came = Buffer.from(cookie.slice(CODED_LENGTH + 1), 'utf8');
      if (came.length !== CODED_LENGTH) return undefined;
      let matches = false;
      // Every key is tried, so that the time taken does not say which one matched.
      for (const key of keys) matches = timingSafeEqual(came, Buffer.from(macOf(key, token), 'utf8')) || matches;
      return matches ? token : undefined;
    },
    goodUntil: always,
    isOutdated: (cookie) => keys.length > 1 && !isSigned(signingKey, cookie),
    valueOf: (token) => `${token}.${macOf(signingKey, token)}`,
  };
}

/** By this key, of a cookie that one of them has signed: no secret is told by how long that takes. */
function isSigned(key: KeyObject, cookie: string): boolean {
  return macOf(key, cookie.slice(0, CODED_LENGTH)) === cookie.slice(CODED_LENGTH + 1);
}

function macOf(key: KeyObject, token: string): string {
  return createHmac('sha256', key).update(PURPOSE).update(token).digest('base64url');
}

/**
 * The cookie that carries `value`. `maxAge` in seconds; a fraction is rounded up, as a cookie may outlive its session
 * but not the other way round. Undefined or Infinity, or `persistent: false`: no Max-Age, and the cookie ends with the
 * browser.
 */
export function cookieData(options: ResolvedCookieOptions, value: string, maxAge: number | undefined): CookieData {
  const lasting = options.persistent && maxAge !== undefined && Number.isFinite(maxAge);
  return new SetCookie(options, value, lasting ? Math.max(0, Math.ceil(maxAge)) : undefined);
}

/**
 * The cookie that makes a browser drop the session's: the same name, domain and path, nothing in it, and its time is
 * up.
 */
export function clearCookie(options: ResolvedCookieOptions): CookieData {
  return new SetCookie(options, '', 0);
}

class SetCookie implements CookieData {
  readonly name: string;
  readonly value: string;
  readonly maxAge: number | undefined;
  readonly #options: ResolvedCookieOptions;

  constructor(options: ResolvedCookieOptions, value: string, maxAge: number | undefined) {
    this.name = options.name;
    this.value = value;
    this.maxAge = maxAge;
    this.#options = options;
  }

  /**
   * Max-Age without Expires: every browser knows it, it wins where both stand, and it does not depend on the browser's
   * clock.
   */
  toString(): string {
    const { path, domain, secure, sameSite, partitioned } = this.#options;
    return stringifySetCookie({
      name: this.name,
      value: this.value,
      path,
      secure,
      sameSite,
      partitioned,
      httpOnly: true,
      ...(domain === undefined ? {} : { domain }),
      ...(this.maxAge === undefined ? {} : { maxAge: this.maxAge }),
    });
  }
}
