/**
 * CSRF tokens, derived from the session's own token: nothing is stored, and no key is needed. Runs in every thread of
 * the host.
 */

import { randomBytes, timingSafeEqual } from 'node:crypto';
import type { Claim } from '../../index.js';

const SECRET_BYTES = 32;

/** The label of the secret: everything else that is derived from a session's token has another one. */
const PURPOSE = 'coatcheck csrf v1';

const safeMethods = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE']);

export function isSafeMethod(method: string): boolean {
  return safeMethods.has(method.toUpperCase());
}

/**
 * A new CSRF token as base64url: a random mask, and the secret masked by it. No two are alike, so compression reveals
 * nothing (BREACH).
 */
export function csrfTokenOf(claim: Claim): string {
  const [secret] = claim.secrets(PURPOSE);
  const mask = randomBytes(SECRET_BYTES);
  return Buffer.concat([mask, xor(mask, secret as Uint8Array)]).toString('base64url');
}

/**
 * Whether this is a CSRF token of the session: made from its current token, or from the one that the request came with.
 * Accepts anything, and never throws.
 */
export function isCsrfTokenOf(claim: Claim, token: unknown): boolean {
  if (typeof token !== 'string' || !/^[\w-]{86}$/.test(token)) return false;
  const bytes = Buffer.from(token, 'base64url');
  if (bytes.length !== 2 * SECRET_BYTES) return false;
  const shown = xor(bytes.subarray(0, SECRET_BYTES), bytes.subarray(SECRET_BYTES));
  return claim.secrets(PURPOSE).some((secret) => timingSafeEqual(shown, secret));
}

/**
 * Whether the browser says that a page of another site has sent the request. Pages cannot change this header. A client
 * that does not send it is not refused here.
 */
export function isCrossSite(site: string | undefined): boolean {
  return site === 'cross-site';
}

function xor(one: Uint8Array, other: Uint8Array): Buffer {
  return Buffer.from(one.map((byte, place) => byte ^ (other[place] as number)));
}
