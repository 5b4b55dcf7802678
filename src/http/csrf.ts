/** Tokens against forged requests, derived from the session's own token, so that nothing is stored and no key is kept. Runs in every thread of the host. */

import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';

const MAC_BYTES = 32;

/** Keeps these MACs from meaning anything elsewhere: what else is derived of a session's token has another label. */
const PURPOSE = 'coatcheck csrf v1';

const safeMethods = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE']);

export function isSafeMethod(method: string): boolean {
  return safeMethods.has(method.toUpperCase());
}

/** The token of the session with this cookie, as base64url: a mask and the masked MAC, so that no two are alike and compression tells nothing of it (BREACH). */
export function csrfTokenOf(cookie: string): string {
  const mask = randomBytes(MAC_BYTES);
  return Buffer.concat([mask, xor(mask, macOf(cookie))]).toString('base64url');
}

/** Whether this is a token of the session with this cookie. Takes anything and never throws. */
export function isCsrfTokenOf(cookie: string, token: unknown): boolean {
  if (typeof token !== 'string' || !/^[\w-]{86}$/.test(token)) return false;
  const bytes = Buffer.from(token, 'base64url');
  if (bytes.length !== 2 * MAC_BYTES) return false;
  return timingSafeEqual(xor(bytes.subarray(0, MAC_BYTES), bytes.subarray(MAC_BYTES)), macOf(cookie));
}

/** Whether the browser says that another site's page has sent this; a page cannot make it lie. Whoever says nothing is not stopped here. */
export function isCrossSite(site: string | undefined): boolean {
  return site === 'cross-site';
}

function macOf(cookie: string): Buffer {
  return createHmac('sha256', cookie).update(PURPOSE).digest();
}

function xor(one: Uint8Array, other: Uint8Array): Buffer {
  return Buffer.from(one.map((byte, place) => byte ^ (other[place] as number)));
}
