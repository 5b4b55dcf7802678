/** The idle timeout that the cookie of a session asks for. Runs in every thread of the host. */

import { types } from 'node:util';

/** The longest timeout that a manager accepts: 100 years. */
const LONGEST = 36_525 * 86_400_000;

/**
 * The timeout in milliseconds from now. Zero or less for an expired cookie, undefined for a cookie that ends with the
 * browser or cannot be read.
 *
 * In a cookie that was just touched, `expires` is `originalMaxAge` from now, less the time that has passed since.
 * `originalMaxAge` is returned then, so that consecutive requests ask for the same timeout.
 */
export function idleTimeoutOf(session: { readonly cookie?: object | undefined }): number | undefined {
  const { expires, originalMaxAge, maxAge } = (session.cookie ?? {}) as Readonly<Record<string, unknown>>;
  const left = expires === undefined ? maxAge : leftUntil(expires);
  if (typeof left !== 'number' || Number.isNaN(left)) return undefined;
  const isJustTouched =
    typeof originalMaxAge === 'number' &&
    originalMaxAge > 0 &&
    Math.abs(originalMaxAge - left) <= tolerance(originalMaxAge);
  return Math.min(Math.ceil(isJustTouched ? originalMaxAge : left), LONGEST);
}

/** false and null mean a cookie that ends with the browser. */
function leftUntil(expires: unknown): number | undefined {
  const isInstant = types.isDate(expires) || typeof expires === 'string' || typeof expires === 'number';
  return isInstant ? new Date(expires).getTime() - Date.now() : undefined;
}

function tolerance(maxAge: number): number {
  return Math.min(1000, maxAge / 100);
}
