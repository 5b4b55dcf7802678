/**
 * Tokens against forged requests, derived from the session's own token, so that nothing is stored and no key is kept.
 * Runs in every thread of the host.
 */

import { randomBytes, timingSafeEqual } from 'node:crypto';
import type { Claim } from '../../index.js';

const SECRET_BYTES = 32;

/** Of the secret that a claim derives: what else is derived of a session's token has another label. */
const PURPOSE = 'coatcheck csrf v1';

const safeMethods = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE']);

export function isSafeMethod(method: string): boolean {
  return safeMethods.has(method.toUpperCase());
}

/**
 * A token of the session with this claim, as base64url: a mask and the masked secret, so that no two are alike and
 * compression tells nothing of it (BREACH).
 */
export function csrfTokenOf(claim: Claim): string {
  const [secret] = claim.secrets(PURPOSE);
  const mask = randomBytes(SECRET_BYTES);
  return Buffer.concat([mask, xor(mask, secret as Uint8Array)]).toString('base64url');
}

/**
 * Whether this is a token of the session with this claim: of its current token, or of the one that the request came
 * with. Takes anything and never throws.
 */
export function isCsrfTokenOf(claim: Claim, token: unknown): boolean {
  if (typeof token !== 'string' || !/^[\w-]{86}$/.test(token)) return false;
  const bytes = Buffer.from(token, 'base64url');
  if (bytes.length !== 2 * SECRET_BYTES) return false;
  const shown = xor(bytes.subarray(0, SECRET_BYTES), bytes.subarray(SECRET_BYTES));
  return claim.secrets(PURPOSE).some((secret) => timingSafeEqual(shown, secret));
}

/**
 * Whether the browser says that another site's page has sent this; a page cannot make it lie. Whoever says nothing is
 * not stopped here.
 */
export function isCrossSite(site: string | undefined): boolean {
  return site === 'cross-site';
}

function xor(one: Uint8Array, other: Uint8Array): Buffer {
  return Buffer.from(one.map((byte, place) => byte ^ (other[place] as number)));
}
