/**
 * Which requests the demo accepts: those of browsers and programs on this machine, sent from its own pages. Runs in the
 * main thread.
 */

import type { IncomingHttpHeaders } from 'node:http';

const localHost = /^(?:127\.0\.0\.1|localhost|\[::1\])(?::\d{1,5})?$/i;

/**
 * Whether the Host header names this machine by one of its own names. A foreign site whose name resolves to this
 * machine (DNS rebinding) still sends its own name.
 */
export function isLocalHost(host: string | undefined): host is string {
  return host !== undefined && localHost.test(host);
}

/**
 * Whether a page of another site has sent the request. Browsers send Sec-Fetch-Site, which pages cannot change.
 * Programs such as curl do not, but no site can make them send a cookie. Another port of this machine counts as another
 * site here, unlike for SameSite.
 */
export function isCrossSite(headers: IncomingHttpHeaders): boolean {
  const site = headers['sec-fetch-site'];
  return site === undefined ? isForeignOrigin(headers) : site !== 'same-origin' && site !== 'none';
}

/**
 * Whether another origin's page has sent the request, by the header `Origin`. For WebSockets, which any page may open
 * and to which browsers send cookies, but always `Origin` too.
 */
export function isForeignOrigin({ origin, host }: IncomingHttpHeaders): boolean {
  return origin !== undefined && origin.toLowerCase() !== `http://${host}`.toLowerCase();
}
