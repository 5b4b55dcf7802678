/** The session that a request comes with: found by its cookie, and only if it may be this client's. Runs in every thread of the host. */

import type { Session, SessionManager } from '../index.js';
import { sameClient } from './address.js';
import { cookieValues } from './cookie-header.js';
import { clientOf, type Exchange } from './exchange.js';
import type { Mismatch, ResolvedHttpOptions } from './options.js';
import { type Seen, see } from './renewal.js';
import { tell } from './writes.js';

/** A session, and how the request came by it. */
export interface Found {
  readonly session: Session;
  /** What the cookie held. */
  readonly cookie: string;
  readonly seen: Seen;
}

/** More cookies of one name than this were not set by this site: none of them is looked at. */
const MOST_VALUES = 8;

/** Of the manager's texts of a client: see `NewSession`. */
const CLIENT_BYTES = 256;

/**
 * Looks a request's session up, and marks it as seen. At once where a lookup in memory does, else as a promise. Of several cookies of the name, which other
 * sites of the domain can add, exactly one may open a session, or none does. Never creates anything.
 */
export function findSession(
  manager: SessionManager,
  exchange: Exchange,
  options: ResolvedHttpOptions,
): Found | undefined | Promise<Found | undefined> {
  const values = cookieValues(exchange.header('cookie'), options.cookieName);
  const [first] = values;
  if (first === undefined || values.length > MOST_VALUES) return undefined;
  if (values.length === 1) {
    const session = manager.getSession(first, { touch: false });
    if (session !== undefined) return admitted(exchange, options, session, first);
  }
  return loadOnly(manager, values).then((only) =>
    only === undefined ? undefined : admitted(exchange, options, only.session, only.cookie),
  );
}

async function loadOnly(manager: SessionManager, cookies: readonly string[]) {
  const loaded = await Promise.all(
    cookies.map(async (cookie) => ({ cookie, session: await manager.loadSession(cookie, { touch: false }) })),
  );
  const live = loaded.filter(({ session }) => session !== undefined);
  const [only] = live;
  if (only?.session === undefined || live.some(({ session }) => session !== only.session)) return undefined;
  return { cookie: only.cookie, session: only.session };
}

function admitted(
  exchange: Exchange,
  options: ResolvedHttpOptions,
  session: Session,
  cookie: string,
): Found | undefined | Promise<undefined> {
  const differs = differencesOf(exchange, options, session);
  if (differs.length > 0) {
    const { onMismatch } = options;
    if (onMismatch !== undefined) tell(() => onMismatch({ session, differs }));
    if (options.mismatch === 'end') return session.close('came from another client').then(() => undefined);
    if (options.mismatch === 'refuse') return undefined;
  }
  const seen = see(session);
  return seen === undefined ? undefined : { session, cookie, seen };
}

function differencesOf(exchange: Exchange, options: ResolvedHttpOptions, session: Session): Mismatch['differs'] {
  const { bind } = options;
  if (!bind.userAgent && bind.ip === undefined) return [];
  const { ip, userAgent } = session.client;
  const came = clientOf(exchange, options);
  const differs: Mismatch['differs'][number][] = [];
  if (bind.userAgent && userAgent !== undefined && !isCutOf(came.userAgent, userAgent)) differs.push('userAgent');
  if (bind.ip !== undefined && ip !== undefined && !sameClient(came.ip, ip, bind.ip)) differs.push('ip');
  return differs;
}

/** Whether a text is the one that was kept, which was cut to whole characters if it was too long. */
function isCutOf(text: string | undefined, kept: string): boolean {
  if (text === kept) return true;
  return text !== undefined && Buffer.byteLength(kept) > CLIENT_BYTES - 4 && text.startsWith(kept);
}
