/**
 * The managers that this thread has started or joined, by name. Stored on the global object, so that two copies of the
 * package in one thread share it. Used in every thread of the host.
 */

import type { StandardSchemaV1 } from '@standard-schema/spec';
import type { SessionManager } from '../types/types.js';
import { isOver, type JoinTicket } from './ticket.js';

type Data = Record<string, unknown>;

export interface Registered {
  readonly manager: Promise<SessionManager<Data>>;
  readonly schema: StandardSchemaV1 | undefined;
  /** Undefined only until the manager's thread is spawned. */
  ticket: JoinTicket | undefined;
}

const KEY = Symbol.for('coatcheck.managers');

function managersHere(): Map<string, Registered> {
  const holder = globalThis as unknown as Record<symbol, Map<string, Registered> | undefined>;
  holder[KEY] ??= new Map();
  return holder[KEY];
}

/**
 * The manager of this name that this thread has started or joined, unless it has ended. With a ticket: the very manager
 * of that ticket.
 */
export function managerHere(name: string, ticket?: JoinTicket): Registered | undefined {
  const here = managersHere();
  for (const [key, registered] of here) if (registered.ticket && isOver(registered.ticket)) here.delete(key);
  if (ticket === undefined) return here.get(name);
  return [...here.values()].find((registered) => registered.ticket?.threadId === ticket.threadId);
}

/**
 * Registers a manager while it is being started or joined, and removes it if that fails. If its name is taken here by
 * another manager, it is registered under a longer one.
 */
export function register(name: string, registered: Registered): Promise<SessionManager<Data>> {
  const here = managersHere();
  here.set(here.has(name) ? `${name} of thread ${registered.ticket?.threadId}` : name, registered);
  registered.manager.catch(() => forget(registered.manager));
  return registered.manager;
}

export function forget(manager: Promise<SessionManager<Data>>): void {
  const here = managersHere();
  for (const [key, registered] of here) if (registered.manager === manager) here.delete(key);
}
