/**
 * The option `bind`: whether a request comes from the client that its session was begun for. Runs in every thread of
 * the host.
 */

import type { Session } from '../../index.js';
import { sameClient } from '../options/address.js';
import type { Mismatch, ResolvedHttpOptions } from '../options/options.js';
import { HttpRefusal } from '../options/refusal.js';
import { clientOf, type Exchange } from '../request/exchange.js';

/** Of the manager's texts of a client: see `NewSession`. */
const CLIENT_BYTES = 256;

const none: Mismatch['differs'] = [];

/**
 * The client that a new session is begun for. Throws ERR_CLIENT_UNKNOWN where sessions are bound to an address and
 * this client's is not known: all such clients look alike, so the session would be open to each of them.
 */
export function clientToBind(exchange: Exchange, options: ResolvedHttpOptions): { ip?: string; userAgent?: string } {
  const client = clientOf(exchange, options);
  const isUnknown = options.bind.ip !== undefined && client.ip === undefined;
  if (isUnknown && options.mismatch !== 'report') throw new HttpRefusal('ERR_CLIENT_UNKNOWN');
  return client;
}

/**
 * What of a request differs from the client that the session was begun for. An absent User-Agent is a value like any
 * other. An address that is not known, then or now, is never the same.
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

/** Whether a text is the one that was stored, which was cut to whole characters if it was too long. */
function isCutOf(text: string | undefined, stored: string | undefined): boolean {
  if (text === stored) return true;
  if (text === undefined || stored === undefined) return false;
  return Buffer.byteLength(stored) > CLIENT_BYTES - 4 && text.startsWith(stored);
}
