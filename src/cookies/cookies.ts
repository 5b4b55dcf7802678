/**
 * The formats 'opaque' and 'signed', and the Set-Cookie headers that set and remove the cookie. Used in every thread of
 * the host.
 */

import { createHmac, type KeyObject, timingSafeEqual } from 'node:crypto';
import { stringifySetCookie } from 'cookie';
import type { CookieData } from '../types/types.js';
import { CODED_LENGTH, type CookieFormat } from './format.js';
import { createJwtFormat, loadJwt } from './jwt.js';
import type { ResolvedCookieOptions } from './options.js';

/** Separates these MACs from anything else for which the application uses the same key. */
const PURPOSE = 'coatcheck cookie v1\0';

/** Loads what the cookie format of these settings needs, and resolves to the settings. */
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

/** The cookie is the token. Only its length is checked here, as the token is looked up by its digest. */
const opaque: CookieFormat = {
  tokenOf: (cookie) => (cookie.length === CODED_LENGTH ? cookie : undefined),
  goodUntil: always,
  isOutdated: () => false,
  valueOf: (token) => token,
};

/** `<token>.<mac>`: a forged cookie is recognised without a lookup. */
function signed(keys: readonly KeyObject[]): CookieFormat {
  const [signingKey] = keys;
  if (signingKey === undefined) throw new TypeError('a signed cookie needs a key');
  return {
    tokenOf(cookie) {
      if (cookie.length !== 2 * CODED_LENGTH + 1 || cookie[CODED_LENGTH] !== '.') return undefined;
      const token = cookie.slice(0, CODED_LENGTH);
      // The MACs are compared as text, not as bytes: base64url has four spellings of the same 32 bytes, of which only
      // ours is accepted. Decoded as UTF-8, as 'latin1' would map other characters to matching ones.
      const came = Buffer.from(cookie.slice(CODED_LENGTH + 1), 'utf8');
      if (came.length !== CODED_LENGTH) return undefined;
      let matches = false;
      // Every key is tried, so that the time does not reveal which one matched.
      for (const key of keys) matches = timingSafeEqual(came, Buffer.from(macOf(key, token), 'utf8')) || matches;
      return matches ? token : undefined;
    },
    goodUntil: always,
    isOutdated: (cookie) => keys.length > 1 && !isSigned(signingKey, cookie),
    valueOf: (token) => `${token}.${macOf(signingKey, token)}`,
  };
}

/**
 * Whether this key has signed a cookie that is known to be signed with one of the keys. The time it takes reveals no
 * secret.
 */
function isSigned(key: KeyObject, cookie: string): boolean {
  return macOf(key, cookie.slice(0, CODED_LENGTH)) === cookie.slice(CODED_LENGTH + 1);
}

function macOf(key: KeyObject, token: string): string {
  return createHmac('sha256', key).update(PURPOSE).update(token).digest('base64url');
}

/**
 * The cookie with this value. `maxAge` is in seconds; a fraction is rounded up, as a cookie may outlive its session,
 * but not the other way round. If it is undefined or infinite, or `persistent` is false, the cookie has no Max-Age and
 * ends with the browser.
 */
export function cookieData(options: ResolvedCookieOptions, value: string, maxAge: number | undefined): CookieData {
  const lasting = options.persistent && maxAge !== undefined && Number.isFinite(maxAge);
  return new SetCookie(options, value, lasting ? Math.max(0, Math.ceil(maxAge)) : undefined);
}

/**
 * The cookie that makes a browser delete the session's: the same name, domain and path, an empty value, and Max-Age 0.
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
   * Max-Age without Expires: every browser knows Max-Age, it has precedence, and it does not depend on the browser's
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
