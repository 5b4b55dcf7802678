/** Who may talk to the demo: browsers and programs on this machine that mean it. Runs in the main thread. */

import type { IncomingHttpHeaders } from 'node:http';

const localHost = /^(?:127\.0\.0\.1|localhost|\[::1\])(?::\d{1,5})?$/i;

/**
 * Whether the host named is this machine by one of its own names. A foreign site whose name was made to point here (DNS
 * rebinding) still says its own name.
 */
export function isLocalHost(host: string | undefined): host is string {
  return host !== undefined && localHost.test(host);
}

/**
 * Whether a change was asked for by another site's page. Browsers say where a request comes from, and a page cannot
 * make them lie; programs such as curl say nothing, and no site can make them send a cookie. Another port of this
 * machine is another site here, though not for the SameSite attribute.
 */
export function isCrossSite(headers: IncomingHttpHeaders): boolean {
  const site = headers['sec-fetch-site'];
  return site === undefined ? isForeignOrigin(headers) : site !== 'same-origin' && site !== 'none';
}

/**
 * The same for WebSockets, with which any page may try: their `Origin` is what browsers always send, and cookies go
 * along.
 */
export function isForeignOrigin({ origin, host }: IncomingHttpHeaders): boolean {
  return origin !== undefined && origin.toLowerCase() !== `http://${host}`.toLowerCase();
}
