/**
 * The session that a request comes with: found by its cookie, and only if it may be this client's. Runs in every thread
 * of the host.
 */

import type { Claim, SessionManager } from '../../index.js';
import type { ResolvedHttpOptions } from '../options/options.js';
import { cookieValues } from '../request/cookie-header.js';
import type { Exchange } from '../request/exchange.js';
import { differencesOf } from './binding.js';
import { callListener } from './writes.js';

/** A session that may be another client's is not marked as seen. */
const untouched = { touch: false };

/** More cookies of one name than this were not set by this site: none of them is looked at. */
const MOST_VALUES = 8;

/**
 * Looks a request's session up, and marks it as seen. At once where a lookup in memory does, else as a promise. Of
 * several cookies of the name, which other sites of the domain can add, exactly one may open a session, or none does.
 * Never creates anything. A token that is due by the option `rotation` is renewed where the response can tell of it;
 * only once it is known whose request that is.
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
 * What a look at memory does not find is loaded; what it finds is not, as that would renew the tokens of sessions that
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
