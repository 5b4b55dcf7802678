/**
 * The gate before Comlink. An exposed object gives access to the whole thread: paths lead to constructors, SET reaches
 * prototypes. So only calls of the protocol's methods pass, with plain values as arguments; all other messages are
 * dropped before Comlink sees them. Manager's thread.
 */

import type { MessagePort } from 'node:worker_threads';
import { METHODS } from '../../src/protocol/calls.js';

/**
 * True for a Comlink message that calls one of the protocol's methods with one plain argument, and does nothing else.
 */
export function isCall(message: unknown): boolean {
  if (typeof message !== 'object' || message === null) return false;
  const { id, type, path, argumentList } = message as Record<string, unknown>;
  if (typeof id !== 'string' || type !== 'APPLY') return false;
  if (!Array.isArray(path) || path.length !== 1 || !METHODS.includes(path[0])) return false;
  if (!Array.isArray(argumentList) || argumentList.length !== 1) return false;
  // Checked last: counting the keys of an array of millions would take long.
  if (Object.keys(message).length !== 4) return false;
  const argument: unknown = argumentList[0];
  return typeof argument === 'object' && argument !== null && (argument as { type?: unknown }).type === 'RAW';
}

/**
 * Filters the port's messages before every listener that is added later. No call brings ports along: those that come
 * are closed, because each would otherwise stay open here for as long as its other end.
 */
export function installGate(port: MessagePort): void {
  port.addEventListener('message', (event: Event) => {
    const { data, ports } = event as Event & { data: unknown; ports: readonly MessagePort[] };
    for (const brought of ports) brought.close();
    if (ports.length > 0 || !isCall(data)) event.stopImmediatePropagation();
  });
}
