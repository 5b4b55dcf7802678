/**
 * The headers that `writeHead` is given, in all the forms that Node takes, as headers that are set: only so can others
 * be added to them. Runs in every thread of the host.
 */

import type { ServerResponse } from 'node:http';

/**
 * Sets them, and returns the arguments that `writeHead` is left with. What Node would refuse is left for it to refuse.
 */
export function setHeaders(response: ServerResponse, args: readonly unknown[]): unknown[] {
  const [status, second, third] = args;
  const headers = typeof second === 'string' ? third : (third ?? second);
  const rest = typeof second === 'string' ? [status, second] : [status];
  if (typeof headers !== 'object' || headers === null) return rest;
  const pairs = pairsOf(headers);
  if (pairs === undefined) return [...args];
  // As Node does: they take the place of what was set before, and one that stands twice is sent twice.
  for (const [name] of pairs) response.removeHeader(name);
  for (const [name, value] of pairs) {
    const before = response.getHeader(name);
    response.setHeader(name, before === undefined ? value : [before, value].flat().map(String));
  }
  return rest;
}

type Value = number | string | readonly string[];

/**
 * A flat array, an array of pairs, what is iterated as pairs (Headers, Map), or an object. Undefined for half a pair.
 */
function pairsOf(headers: object): [string, Value][] | undefined {
  if (Array.isArray(headers)) {
    if (headers.every((pair) => Array.isArray(pair))) return headers.filter(([name]) => name) as [string, Value][];
    if (headers.length % 2 !== 0) return undefined;
    const names = headers.filter((_, place) => place % 2 === 0);
    return names.map((name, place): [string, Value] => [name, headers[2 * place + 1]]).filter(([name]) => name);
  }
  // Of whichever realm or package: told by what Headers and Map have, and no object of headers, whose values are no
  // functions.
  const { entries } = headers as { entries?: unknown };
  if (typeof entries === 'function') return [...entries.call(headers)] as [string, Value][];
  return Object.entries(headers).filter(([name]) => name);
}
