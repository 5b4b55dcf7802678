/**
 * Finds the session that a request comes with: by its cookie, and only if `bind` lets this client have it. Runs in
 * every thread of the host.
 */

import type { Claim, SessionManager } from '../../index.js';
import type { ResolvedHttpOptions } from '../options/options.js';
import { cookieValues } from '../request/cookie-header.js';
import type { Exchange } from '../request/exchange.js';
import { differencesOf } from './binding.js';
import { callListener } from './writes.js';

/** A session is not marked as seen before it is known to be this client's. */
const untouched = { touch: false };

/** A request with more cookies of this name gets no session: this site did not set them. */
const MOST_VALUES = 8;

/**
 * Looks up a request's session, and marks it as seen. Returns a claim if shared memory has the session, a promise
 * otherwise. Other sites of the domain can add cookies of the same name: the request gets a session only if exactly one
 * of them opens one. Never creates a session. If the response can carry a cookie, a token that is due by the option
 * `rotation` is replaced, once the session is known to be this client's.
 */
export function findSession(
  manager: SessionManager,
  exchange: Exchange,
  options: ResolvedHttpOptions,
): Claim | undefined | Promise<Claim | undefined> {
  const values = cookieValues(exchange.header('cookie'), options.cookieName);
  const first = values[0];
  if (first === undefined || values.length > MOST_VALUES) return undefined;
  const lookup = options.isBound ? untouched : undefined;
  const claim = values.length === 1 ? manager.getClaim(first, lookup) : undefined;
  if (claim !== undefined) return admitted(exchange, options, claim);
  return loadOnly(manager, values).then((only) => (only === undefined ? undefined : admitted(exchange, options, only)));
}

/**
 * Cookies that are not found in memory are loaded. The others are not, as that could rotate the tokens of sessions that
 * the request may not have.
 */
async function loadOnly(manager: SessionManager, cookies: readonly string[]): Promise<Claim | undefined> {
  const load = async (cookie: string) =>
    (await manager.loadSession(cookie, untouched)) && manager.getClaim(cookie, untouched);
  const loaded = await Promise.all(cookies.map((cookie) => manager.getClaim(cookie, untouched) ?? load(cookie)));
  const live = loaded.filter((claim) => claim !== undefined);
  const [only] = live;
  return live.some(({ session }) => session !== only?.session) ? undefined : only;
}

function admitted(
  exchange: Exchange,
  options: ResolvedHttpOptions,
  claim: Claim,
): Claim | undefined | Promise<Claim | undefined> {
  const { session } = claim;
  const differs = differencesOf(exchange, options, session);
  if (differs.length > 0) {
    const { onMismatch } = options;
    if (onMismatch !== undefined) callListener(() => onMismatch({ session, differs }));
    if (options.mismatch === 'end') return session.close('came from another client').then(() => undefined);
    if (options.mismatch === 'refuse') return undefined;
  }
  if (claim.seen === undefined && !claim.see()) return undefined;
  return (exchange.takesCookie ? claim.renew()?.then(() => (claim.isGood ? claim : undefined)) : undefined) ?? claim;
}
