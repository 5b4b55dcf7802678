/**
 * The option `bind`: whether a request comes from the client that its session was created for. Runs in every thread of
 * the host.
 */

import type { Session } from '../../index.js';
import { sameClient } from '../options/address.js';
import type { Mismatch, ResolvedHttpOptions } from '../options/options.js';
import { HttpRefusal } from '../options/refusal.js';
import { clientOf, type Exchange } from '../request/exchange.js';

/** The manager cuts each text about a client to so many bytes: see `NewSession`. */
const CLIENT_BYTES = 256;

const none: Mismatch['differs'] = [];

/**
 * The client that a new session is created for. Throws ERR_CLIENT_UNKNOWN if sessions are bound to an address and this
 * client's is not known: the session would be open to all such clients.
 */
export function clientToBind(exchange: Exchange, options: ResolvedHttpOptions): { ip?: string; userAgent?: string } {
  const client = clientOf(exchange, options);
  const isUnknown = options.bind.ip !== undefined && client.ip === undefined;
  if (isUnknown && options.mismatch !== 'report') throw new HttpRefusal('ERR_CLIENT_UNKNOWN');
  return client;
}

/**
 * What differs between the request's client and the one that the session was created for. An absent User-Agent is a
 * value like any other. An unknown address, then or now, never matches.
 */
export function differencesOf(exchange: Exchange, options: ResolvedHttpOptions, session: Session): Mismatch['differs'] {
  if (!options.isBound) return none;
  const { bind } = options;
  const { ip, userAgent } = session.client;
  const present = clientOf(exchange, options);
  const differs: Mismatch['differs'][number][] = [];
  if (bind.userAgent && !isCutOf(present.userAgent, userAgent)) differs.push('userAgent');
  if (bind.ip !== undefined && !sameClient(present.ip, ip, bind.ip)) differs.push('ip');
  return differs;
}

/** Whether `stored` is the text, or its beginning if the manager had to cut it. */
function isCutOf(text: string | undefined, stored: string | undefined): boolean {
  if (text === stored) return true;
  if (text === undefined || stored === undefined) return false;
  return Buffer.byteLength(stored) > CLIENT_BYTES - 4 && text.startsWith(stored);
}
