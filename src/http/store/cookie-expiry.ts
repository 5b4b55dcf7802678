/** How long a session may stay idle, as the cookie in it says. Runs in every thread of the host. */

import { types } from 'node:util';

/** The longest timeout that a manager takes: 100 years. */
const LONGEST = 36_525 * 86_400_000;

/**
 * Milliseconds from now on; 0 or less for a cookie that has expired, undefined for one that ends with the browser, or
 * says nothing that can be read.
 *
 * Of a cookie that was just touched, `expires` is `originalMaxAge` from now, but for the moments that have passed
 * since: then it is `originalMaxAge`, so that requests in a row all say the same.
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

/** False and null mean: with the browser. */
function leftUntil(expires: unknown): number | undefined {
  const isInstant = types.isDate(expires) || typeof expires === 'string' || typeof expires === 'number';
  return isInstant ? new Date(expires).getTime() - Date.now() : undefined;
}

function tolerance(maxAge: number): number {
  return Math.min(1000, maxAge / 100);
}
