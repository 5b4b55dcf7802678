/**
 * Turns the headers that `writeHead` is given, in any of Node's forms, into headers that are set on the response, so
 * that others can be added. Runs in every thread of the host.
 */

import type { ServerResponse } from 'node:http';

/**
 * Sets the headers, and returns the remaining arguments for `writeHead`. Arguments that Node would refuse are returned
 * as they are.
 */
export function setHeaders(response: ServerResponse, args: readonly unknown[]): unknown[] {
  const [status, second, third] = args;
  const headers = typeof second === 'string' ? third : (third ?? second);
  const rest = typeof second === 'string' ? [status, second] : [status];
  if (typeof headers !== 'object' || headers === null) return rest;
  const pairs = pairsOf(headers);
  if (pairs === undefined) return [...args];
  // As Node does: they replace the headers that were set before, and a name that occurs twice is sent twice.
  for (const [name] of pairs) response.removeHeader(name);
  for (const [name, value] of pairs) {
    const before = response.getHeader(name);
    response.setHeader(name, before === undefined ? value : [before, value].flat().map(String));
  }
  return rest;
}

type Value = number | string | readonly string[];

/**
 * From a flat array, an array of pairs, an iterable of pairs (Headers, Map) or an object. Undefined if a flat array has
 * half a pair.
 */
function pairsOf(headers: object): [string, Value][] | undefined {
  if (Array.isArray(headers)) {
    if (headers.every((pair) => Array.isArray(pair))) return headers.filter(([name]) => name) as [string, Value][];
    if (headers.length % 2 !== 0) return undefined;
    const names = headers.filter((_, place) => place % 2 === 0);
    return names.map((name, place): [string, Value] => [name, headers[2 * place + 1]]).filter(([name]) => name);
  }
  // Headers and Maps of any realm or package: recognised by `entries`. In an object of headers, no value is a function.
  const { entries } = headers as { entries?: unknown };
  if (typeof entries === 'function') return [...entries.call(headers)] as [string, Value][];
  return Object.entries(headers).filter(([name]) => name);
}
